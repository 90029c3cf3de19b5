"""Figures that must hold, for pipelines that stop where a gauge got worse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..errors import RecipeError
from .evaluate import Measurement


@dataclass(frozen=True, slots=True)
class Check:
    """The least that every gauge must reach on one data set."""

    data: str
    figure: str
    least: float

    def failures(self, measurements: Sequence[Measurement]) -> Iterator[str]:
        """A sentence for each gauge that is below, or that has no such figure.

        Raises:
            RecipeError: the data set was not measured.
        """
        found = [each for each in measurements if each.contents.data == self.data]
        if not found:
            known = ", ".join(each.contents.data for each in measurements)
            raise RecipeError(f"--fail-under names {self.data}, which was not measured: {known}")
        for name, scores in found[0].gauges.items():
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
        RecipeError: it is not of that form.
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
    return Check(data, figure, least)
