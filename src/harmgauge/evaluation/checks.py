"""Figures that must hold, for pipelines that stop where a gauge got worse."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ..errors import RecipeError
from .categories import AGAINST
from .data_set import DataSet
from .evaluate import Measurement
from .failures import failures, reason
from .figures import LOWER_IS_BETTER, Figure
from .identity import ABOVE_MEAN
from .measure import AT_THRESHOLD, Scores
from .text import LABELS

Side = Literal["under", "over"]

FIGURES = tuple(name for name in LABELS if name not in {*AGAINST, ABOVE_MEAN})
"""what a whole data set can have"""


@dataclass(frozen=True, slots=True)
class Check:
    """The least, or the most, that every gauge may have on one data set."""

    side: Side
    """which side of the bound fails"""
    data: str
    figure: str
    threshold: str | None
    """name of the stored threshold at which; None is each gauge's border"""
    bound: float

    def resolved(self, sets: Sequence[DataSet]) -> Check:
        """The same of the data set as it is shown; it may be named by its path, or the end of it.

        Raises:
            RecipeError: that is none of the data sets that are measured, or several.
        """
        found = _named(self.data, sets)
        option = f"--fail-{self.side} names {self.data}"
        if not found:
            known = ", ".join(data.shown for data in sets)
            raise RecipeError(f"{option}, which is not measured: {known}")
        if len(found) > 1:
            raise RecipeError(f"{option}, which may be any of these: {', '.join(found)}; give one")
        return replace(self, data=found[0])

    def check_stored(self, thresholds: Mapping[str, Collection[str]]) -> None:
        """See that its threshold is there, before hours of scoring say that it is not.

        Args:
            thresholds: names of those stored in each gauge.

        Raises:
            RecipeError: a gauge has no threshold of that name.
        """
        for gauge, stored in thresholds.items():
            if self.threshold is not None and self.threshold not in stored:
                raise RecipeError(
                    f"--fail-{self.side}: {gauge} has no threshold {self.threshold!r}; give one of "
                    f"its names ({', '.join(stored) or 'it has none'})"
                )

    def failures(self, measurements: Sequence[Measurement]) -> Iterator[str]:
        """A sentence for each gauge beyond the bound, without such a figure, or that failed on some
        of the texts, which could have taken it beyond."""
        (found,) = (each for each in measurements if each.contents.data == self.data)
        name = f"{self.figure}@{self.threshold}" if self.threshold else self.figure
        for gauge, scores in found.gauges.items():
            figure = self._figure(scores)
            if figure is None or figure.value is None:
                yield f"{gauge} has no {name} on {self.data}{_why(found, scores, figure)}, " + (
                    f"which must be at {'least' if self.side == 'under' else 'most'} {self.bound:g}"
                )
                continue
            if (figure.value < self.bound) if self.side == "under" else figure.value > self.bound:
                beyond = "below" if self.side == "under" else "above"
                yield f"{gauge} has {name} {figure.value:.4f} on {self.data}, " + (
                    f"{beyond} {self.bound:g}"
                )
            if scores.failed:
                lost = failures(
                    gauge, scores.failed, found.contents.items, scores.counts, scores.first_failed
                )
                yield f"{name} on {self.data} is not of all its texts: {lost}"

    def _figure(self, scores: Scores) -> Figure | None:
        if self.threshold is not None:
            return scores.thresholds.get(self.threshold, {}).get(self.figure)
        return scores.figures.get(self.figure) or scores.ranking.get(self.figure)


def _named(given: str, sets: Sequence[DataSet]) -> list[str]:
    """Names as shown of the data sets that may be meant."""
    if given in (data.shown for data in sets):
        return [given]
    path = Path(given)
    typed = [data.shown for data in sets if Path(data.path) == path]
    n = len(path.parts)
    return typed or [
        data.shown for data in sets if n and Path(data.path).absolute().parts[-n:] == path.parts
    ]


def without_figures(measurements: Sequence[Measurement]) -> list[str]:
    """Gauges of which no data set gave any figure."""
    gauges = dict.fromkeys(name for each in measurements for name in each.gauges)
    return [
        name
        for name in gauges
        if all(
            figure.value is None
            for each in measurements
            for figure in replace(each, gauges={name: each.gauges[name]}).figures
        )
    ]


def _why(measurement: Measurement, scores: Scores, figure: Figure | None) -> str:
    """Why there is no such figure, in brackets; blank where that is not known."""
    items = measurement.contents.items
    if scores.failed == items:
        return f" (all its {items} texts failed: {reason(items, items, scores.counts)})"
    return f" ({figure.reason})" if figure and figure.reason else ""


def parse_check(text: str, side: Side) -> Check:
    """A check from `SET:FIGURE=VALUE` or `SET:FIGURE@THRESHOLD=VALUE`; the set may hold colons.

    Raises:
        RecipeError: it is not of that form, or the figure is unknown or better on that side.
    """
    option = f"--fail-{side}"
    place, sign, value = text.rpartition("=")
    data, colon, name = place.rpartition(":")
    figure, _, threshold = name.partition("@")
    try:
        bound = float(value)
    except ValueError:
        bound = math.nan
    if not (sign and colon and data and figure) or math.isnan(bound):
        raise RecipeError(
            f"{option} {text!r} is not of the form SET:FIGURE=VALUE, such as "
            "beavertails/test.jsonl:auroc=0.8 or toxicchat/test.jsonl:recall@fpr1=0.3"
        )
    if figure not in FIGURES:
        what = "of a group or a category, and of no data set" if figure in LABELS else "no figure"
        raise RecipeError(f"{option}: {figure} is {what}; the figures are {', '.join(FIGURES)}")
    if "@" in name and figure not in AT_THRESHOLD:
        raise RecipeError(
            f"{option}: {figure} is of no threshold; leave out @{threshold}. Of a threshold are "
            f"{', '.join(AT_THRESHOLD)}"
        )
    if (figure in LOWER_IS_BETTER) != (side == "over"):
        better, other = ("less", "over") if side == "under" else ("more", "under")
        raise RecipeError(f"{option}: of {figure} {better} is better; use --fail-{other}")
    return Check(side, data, figure, threshold or None, bound)
