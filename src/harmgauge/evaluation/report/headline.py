"""The one figure that speaks for a data set, and the floor it has to beat."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..data_set import Kind
from ..evaluate import Measurement
from ..figures import LOWER_IS_BETTER, Figure
from ..measure import Scores
from ..text import LABELS

Floor = tuple[str, float]
"""name and value"""


@dataclass(frozen=True, slots=True)
class Headline:
    """A row of the summary."""

    data: str
    kind: Kind
    """under which averages count it, see `results.averages`"""
    label: str
    """what the figure is"""
    n: int
    unsafe: float | None
    """share of unsafe; None of pairs"""
    gauges: Mapping[str, Figure | None]
    floors: Mapping[str, Floor | None]
    """gauge -> the best of its floors"""


def headlines(measurement: Measurement) -> list[Headline]:
    """AUROC, or for one class false positives or recall; of pairs the ranking accuracy."""
    contents = measurement.contents
    found = []
    if contents.n:
        name = {"all safe": "false_positive_rate", "all unsafe": "recall"}.get(
            contents.one_class or "", "auroc"
        )
        kind: Kind = "exchange" if contents.kind == "pair" else contents.kind
        share = contents.unsafe / contents.n
        label = LABELS[name] + (" (less is better)" if name in LOWER_IS_BETTER else "")
        found.append(_headline(measurement, kind, name, label, share, lambda each: each.figures))
    if stratum := ranked(measurement):
        label = f"ranking accuracy, {LABELS[stratum]}"
        found.append(
            _headline(measurement, "pair", stratum, label, None, lambda each: each.ranking)
        )
    return found


def ranked(measurement: Measurement) -> str | None:
    """The stratum that speaks for the pairs: the first of which there are any."""
    for scores in measurement.gauges.values():
        for stratum, figure in scores.ranking.items():
            if figure.value is not None:
                return stratum
    return None


def best_floor(
    floors: Mapping[str, Scores], figure: Callable[[Scores], Figure | None], *, lowest: bool = False
) -> Floor | None:
    """Name and value of the floor that does best; None where none has the figure."""
    known = [
        (name, each.value)
        for name, scores in floors.items()
        if (each := figure(scores)) and each.value is not None
    ]
    if not known:
        return None
    return (min if lowest else max)(known, key=lambda pair: pair[1])


def _headline(
    measurement: Measurement,
    kind: Kind,
    name: str,
    label: str,
    unsafe: float | None,
    figures: Callable[[Scores], Mapping[str, Figure]],
) -> Headline:
    gauges = {gauge: figures(each).get(name) for gauge, each in measurement.gauges.items()}
    return Headline(
        measurement.contents.data,
        kind,
        label,
        max((figure.n for figure in gauges.values() if figure), default=0),
        unsafe,
        gauges,
        {
            gauge: best_floor(
                measurement.floors_of(gauge),
                lambda each: figures(each).get(name),
                lowest=name in LOWER_IS_BETTER,
            )
            for gauge in gauges
        },
    )


def names(each: Sequence[Mapping[str, object]]) -> list[str]:
    """All keys, in the order in which they are first met."""
    return list(dict.fromkeys(key for mapping in each for key in mapping))
