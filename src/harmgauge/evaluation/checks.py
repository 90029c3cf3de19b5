"""Figures that must hold, for pipelines that stop where a gauge got worse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..errors import RecipeError
from .evaluate import Measurement
from .text import LABELS


@dataclass(frozen=True, slots=True)
class Check:
    """The least that every gauge must reach on one data set."""

    data: str
    figure: str
    least: float

    def check_set(self, measured: Sequence[str]) -> None:
        """Raises:
        RecipeError: its data set is none of those that are measured.
        """
        if self.data not in measured:
            known = ", ".join(measured)
            raise RecipeError(f"--fail-under names {self.data}, which is not measured: {known}")

    def failures(self, measurements: Sequence[Measurement]) -> Iterator[str]:
        """A sentence for each gauge that is below, or that has no such figure."""
        (found,) = (each for each in measurements if each.contents.data == self.data)
        for name, scores in found.gauges.items():
            figure = scores.figures.get(self.figure) or scores.ranking.get(self.figure)
            if figure is None or figure.value is None:
                yield f"{name} has no {self.figure} on {self.data}, which must be {self.least:g}"
            elif figure.value < self.least:
                yield (
                    f"{name} has {self.figure} {figure.value:.4f} on {self.data}, "
                    f"below {self.least:g}"
                )


def parse_check(text: str) -> Check:
    """A check from `SET:FIGURE=VALUE`; the set may hold colons itself.

    Raises:
        RecipeError: it is not of that form, or the figure is unknown or better the lower it is.
    """
    place, sign, value = text.rpartition("=")
    data, colon, figure = place.rpartition(":")
    try:
        least = float(value)
    except ValueError:
        least = float("nan")
    if not (sign and colon and data and figure) or least != least:
        raise RecipeError(
            f"--fail-under {text!r} is not of the form SET:FIGURE=VALUE, such as "
            "beavertails/test.jsonl:auroc=0.8"
        )
    if figure not in LABELS:
        raise RecipeError(f"--fail-under: {figure} is none of the figures: {', '.join(LABELS)}")
    if mend := _LOWER_IS_BETTER.get(figure):
        raise RecipeError(f"--fail-under: of {figure} less is better; {mend}")
    return Check(data, figure, least)


_COMPARE = "hold it with harmgauge compare --no-worse-than"
_LOWER_IS_BETTER = {
    "false_positive_rate": f"{_COMPARE}, or choose a threshold by harmgauge calibrate --fpr",
    "false_negative_rate": "give the least recall",
    "brier": _COMPARE,
    "calibration_error": f"{_COMPARE} and --figure brier",
    "recall_lost": "give the least recall_behind_refusal",
    **dict.fromkeys(
        ("identity_cost_gap", "identity_recall_gap", "identity_false_positive_gap"),
        "read it from --json",
    ),
}
