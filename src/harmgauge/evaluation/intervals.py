"""95 % intervals of figures, from bootstrap draws of prompts.

Percentiles of draws alone claim too much where little was seen to go wrong: no draw of twenty
prompts without a false alarm has one, and a difference that shows on a single prompt is missing
from a third of all draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import metrics
from .bootstrap import Metric
from .metrics import Floats
from .sample import Indices

Interval = tuple[float, float]
Z = 1.959964
"""97.5 % point of the normal distribution"""


@dataclass(frozen=True, slots=True)
class Gap:
    """A figure less another of the same kind."""

    of: Metric
    less: Metric

    def __call__(self, weight: Floats) -> Floats:
        return np.asarray(self.of(weight) - self.less(weight))


@dataclass(frozen=True, slots=True)
class LargestGap:
    """The largest difference between two groups in a mean; `[n]` each."""

    values: Floats | NDArray[np.bool_]
    """where they are true or false the means are shares"""
    group: NDArray[np.str_]
    counted: NDArray[np.bool_]

    def __call__(self, weight: Floats) -> Floats:
        if not self.counted.any():
            return np.full(weight.shape[:-1], np.nan)
        means = [
            metrics.mean(self.values[chosen], weight[..., chosen])
            for name in np.unique(self.group)
            if (chosen := self.counted & (self.group == name)).any()
        ]
        return np.asarray(np.max(means, axis=0) - np.min(means, axis=0))


def interval(
    metric: Metric, value: float, draws: Floats, group: Indices, fewest: int = 0
) -> Interval | None:
    """The interval of a figure; None where nothing was drawn, or nothing is known of its spread.

    Of shares see `share_interval`, of differences of shares `gap_interval`, of what noise makes
    larger `unbiased_interval`. All others have the 2.5 % and 97.5 % points of the draws. Where no
    draw differs, what ranks counts as a share of the prompts of the class that has fewer, and the
    largest gap between shares as a difference of two.

    Args:
        metric: the figure as a function of weights.
        value: of the examples as they are.
        draws: [draws] the figure in each draw, empty without.
        group: [n] prompt number of each example.
        fewest: prompts of the class that has fewer.
    """
    draws = draws[~np.isnan(draws)]
    if len(draws) == 0:
        return None
    variance = float(np.var(draws))
    first = metric.of if isinstance(metric, Gap) else metric
    counted = _counted(first)
    if counted is not None:
        prompts = len(np.unique(group[counted]))
        if isinstance(metric, Gap):
            return gap_interval(value, variance, prompts)
        return share_interval(value, variance, int(counted.sum()), prompts)
    if isinstance(metric, LargestGap):
        if metric.values.dtype == bool and np.ptp(draws) == 0:
            prompts = len(np.unique(group[metric.counted]))
            low, high = gap_interval(value, 0.0, prompts)
            return max(low, 0.0), high
        return unbiased_interval(value, draws)
    if getattr(metric, "func", None) is metrics.calibration_error:
        return unbiased_interval(value, draws)
    low, high = (float(end) for end in np.percentile(draws, [2.5, 97.5]))
    if low < high or getattr(first, "func", None) not in _RANKS:
        return low, high
    if isinstance(metric, Gap):
        return gap_interval(value, 0.0, fewest) if fewest else None
    if value not in (0, 1):  # it cannot move, as the AUROC of one cost for all
        return low, high
    return share_interval(value, 0.0, fewest, fewest) if fewest else None


def share_interval(share: float, variance: float, examples: int, prompts: int) -> Interval:
    """Wilson's score interval (1927) of a share, at the effective number of examples.

    That is the number of independent ones which would have this variance, as surveys with clusters
    do it (Korn and Graubard, 1998; Dean and Pagano, 2015): at most `examples`, and where no draw
    differs `prompts`.

    Args:
        share: in [0, 1].
        variance: over draws of prompts.
        examples: that the share is of.
        prompts: that these belong to.
    """
    effective = min(share * (1 - share) / variance, examples) if variance else prompts
    middle = (share + Z**2 / (2 * effective)) / (1 + Z**2 / effective)
    half = Z * math.sqrt(share * (1 - share) / effective + Z**2 / (4 * effective**2))
    half /= 1 + Z**2 / effective
    return min(max(middle - half, 0.0), share), max(min(middle + half, 1.0), share)


def unbiased_interval(value: float, draws: Floats) -> Interval:
    """Interval of a mean or maximum of absolute gaps, which noise makes larger; it holds `value`.

    What was measured holds the noise once, a draw of it twice. By how much the draws lie higher is
    therefore an estimate of its bias (Efron and Tibshirani, 1993, chapter 10), right where the
    figure is mostly signal. Where it is all noise, draws are larger by the square root of 2, and
    the bias is 1 + sqrt(2) times that. Each end takes that of the two which moves it outwards.
    """
    middle = float(np.mean(draws))
    least, most = sorted((middle - value, (1 + math.sqrt(2)) * (middle - value)))
    low, high = (float(end) for end in np.percentile(draws, [2.5, 97.5]))
    upper = max(value - least + (middle - low), value)
    return max(min(value - most - (high - middle), value), 0.0), upper


def auroc_interval(auroc: float, prompts: int) -> Interval:
    """Normal interval of an AUROC from its closed form (Hanley and McNeil, 1982), without draws.

    Args:
        auroc: in [0, 1].
        prompts: of the class that has fewer; both count as having so many.
    """
    above, below = auroc / (2 - auroc), 2 * auroc**2 / (1 + auroc)
    variance = auroc * (1 - auroc) + (prompts - 1) * (above + below - 2 * auroc**2)
    half = Z * math.sqrt(variance) / prompts
    return max(auroc - half, 0.0), min(auroc + half, 1.0)


def gap_interval(gap: float, variance: float, prompts: int) -> Interval:
    """Normal interval of the difference of two shares of the same examples.

    To the variance over draws comes that of about two prompts (z²/2) on which the two would differ
    although they do on none here, much as Agresti and Min (2005) add discordant pairs: what was
    seen on few prompts, or on none, rules little out.
    """
    half = Z * math.sqrt(variance + Z**2 / 2 / prompts**2)
    return max(gap - half, -1.0), min(gap + half, 1.0)


def _counted(metric: Metric) -> NDArray[np.bool_] | None:
    """Which of its examples a share is of, `[n]`; None for a figure that is no share."""
    if not isinstance(metric, partial):
        return None
    counts = _SHARES.get(metric.func)
    return None if counts is None else counts(*map(np.asarray, metric.args))


def _all(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.bool_]:
    return np.ones(len(first), bool)


_SHARES: Mapping[Callable[..., Floats], Callable[..., NDArray[np.bool_]]] = {
    metrics.accuracy: _all,
    metrics.recall: lambda unsafe, flagged: unsafe,
    metrics.false_negative_rate: lambda unsafe, flagged: unsafe,
    metrics.false_positive_rate: lambda unsafe, flagged: ~unsafe,
    metrics.precision: lambda unsafe, flagged: flagged,
    metrics.ranking_accuracy: _all,
}
_RANKS = frozenset({metrics.auroc, metrics.auprc, metrics.best_f1, metrics.f1})
