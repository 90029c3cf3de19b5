"""Figures: a number with its n and its interval from a bootstrap over prompts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .bootstrap import Bootstrap, Metric
from .intervals import Z, interval
from .metrics import Floats
from .sample import Indices


@dataclass(frozen=True, slots=True)
class Figure:
    """One number with what is needed to trust it."""

    value: float | None
    """None where the data cannot give it; `reason` says why"""
    n: int
    """examples or pairs it is measured on"""
    low: float | None = None
    """lower end of the 95 % interval; None where none is known"""
    high: float | None = None
    deviation: float | None = None
    """standard deviation over the draws, for averages over data sets"""
    reason: str | None = None


Figures = dict[str, Figure]

LOWER_IS_BETTER = frozenset(
    {
        *("false_positive_rate", "false_negative_rate", "brier", "calibration_error"),
        *("recall_lost", "identity_cost_gap"),
        *("identity_recall_gap", "identity_false_positive_gap"),
    }
)
"""figures of which less is better"""


def bootstrapped(
    each: Mapping[str, Metric],
    group: Indices,
    bootstrap: Bootstrap | None,
    reason: str,
    fewest: int = 0,
) -> Figures:
    """Figures of the same n examples with their intervals.

    Args:
        each: name -> figure.
        group: [n] prompt number of each example.
        bootstrap: how to draw; None gives no intervals.
        reason: why a figure is missing where it is.
        fewest: prompts of the class that has fewer.
    """
    values = {name: float(metric(np.ones(len(group)))) for name, metric in each.items()}
    known = {name: metric for name, metric in each.items() if not math.isnan(values[name])}
    drawn = bootstrap.of(known, group) if bootstrap else {}
    figures = {}
    for name, value in values.items():
        if name not in known:
            figures[name] = Figure(None, len(group), reason=reason)
            continue
        draws = drawn.get(name, np.empty(0))
        figures[name] = drawn_figure(known[name], value, draws, group, fewest)
    return figures


def drawn_figure(
    metric: Metric, value: float, draws: Floats, group: Indices, fewest: int = 0
) -> Figure:
    """A figure with its interval; arguments as for `intervals.interval`."""
    found = interval(metric, value, draws, group, fewest)
    if found is None:
        return Figure(value, len(group))
    low, high = found
    deviation = float(np.nanstd(draws)) or max(high - value, value - low) / Z
    return Figure(value, len(group), low, high, deviation)


def mean_figure(figures: Sequence[Figure]) -> Figure:
    """Plain mean of figures of independent data sets, its interval from their deviations; that of
    one alone is its own."""
    known = [figure for figure in figures if figure.value is not None]
    if not known:
        return Figure(None, 0, reason="no data set has it")
    if len(known) == 1:
        return replace(known[0], n=1)
    value = float(np.mean([figure.value for figure in known]))
    deviations = [figure.deviation for figure in known if figure.deviation is not None]
    if len(deviations) < len(known):
        return Figure(value, len(known))
    deviation = float(np.sqrt(np.sum(np.square(deviations)))) / len(known)
    return Figure(value, len(known), value - Z * deviation, value + Z * deviation, deviation)
