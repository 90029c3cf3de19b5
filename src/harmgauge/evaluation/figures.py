"""Figures: a number with its n and its interval from a bootstrap over prompts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from .bootstrap import Bootstrap, Metric, interval, not_ruled_out, prompts_that_give
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
    """lower end of the 95 % bootstrap interval; None where none was drawn"""
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

OF_ORDER = frozenset({"auroc", "auprc", "best_f1"})
"""figures of which one prompt alone, mostly of one class, gives nothing"""


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
        prompts = partial(rests_on, name, known[name], group, fewest)
        figures[name] = drawn_figure(value, len(group), drawn.get(name, np.empty(0)), prompts)
    return figures


def rests_on(name: str, metric: Metric, group: Indices, fewest: int) -> int:
    """Number of prompts that a figure rests on: those that give it by themselves, or of a figure
    of order those of the class that has fewer."""
    return fewest if name in OF_ORDER else prompts_that_give(metric, group)


def drawn_figure(
    value: float, n: int, draws: Floats, prompts: Callable[[], int], *, gap: bool = False
) -> Figure:
    """A figure of n examples with the interval of its bootstrap draws, if there are any.

    Where nothing was missed, or everything, all draws agree, and so they do where two scorers
    differ on nothing. The interval is then what that many prompts do not rule out; there is none
    where the figure rests on no prompt.

    Args:
        value: of the examples as they are.
        n: how many they are.
        draws: [draws] the figure in each draw, empty without.
        prompts: how many prompts it rests on.
        gap: the difference of two figures, between -1 and 1, and not a share.
    """
    low, high = interval(draws)
    if low is None or high is None:
        return Figure(value, n)
    if low < high or not (gap or value in (0, 1)):
        return Figure(value, n, low, high, float(np.nanstd(draws)))
    if not (count := prompts()):
        return Figure(value, n)
    by = not_ruled_out(count)
    low, high = max(value - by, -1.0 if gap else 0.0), min(value + by, 1.0)
    return Figure(value, n, low, high, (high - low) / (2 * 1.96))


def mean_figure(figures: Sequence[Figure]) -> Figure:
    """Plain mean of figures of independent data sets, its interval from their deviations."""
    known = [figure for figure in figures if figure.value is not None]
    if not known:
        return Figure(None, 0, reason="no data set has it")
    value = float(np.mean([figure.value for figure in known]))
    deviations = [figure.deviation for figure in known if figure.deviation is not None]
    if len(deviations) < len(known):
        return Figure(value, len(known))
    deviation = float(np.sqrt(np.sum(np.square(deviations)))) / len(known)
    return Figure(value, len(known), value - 1.96 * deviation, value + 1.96 * deviation, deviation)
