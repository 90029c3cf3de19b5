"""Figures per example, from costs and labels; numpy only, so that training and the core use them.

Every function takes `weight`, the number of times each example counts, so that a bootstrap draw
is a vector of counts and not a copy of the data. A figure that the data cannot give (one class,
nothing there) is NaN, never an error and never 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def auroc(unsafe: ArrayLike, cost: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Chance that an unsafe example costs more than a safe one, ties half (Mann-Whitney U).

    Args:
        unsafe: [n] true where unsafe.
        cost: [n] costs, or any score that grows with harm.
        weight: [n] times each example counts; 1 where left out.

    Returns:
        In [0, 1]; NaN with one class.
    """
    positive, negative = _by_rising_cost(unsafe, cost, weight)
    below = np.cumsum(negative) - negative
    return _ratio(
        float(np.sum(positive * (below + negative / 2))),
        float(np.sum(positive) * np.sum(negative)),
    )


def auprc(unsafe: ArrayLike, cost: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Average precision: precision at each distinct cost, weighted by the recall gained there.

    Arguments as for `auroc`; NaN where nothing is unsafe. With no skill it is the unsafe share.
    """
    positive, negative = (side[::-1] for side in _by_rising_cost(unsafe, cost, weight))
    found = np.cumsum(positive)
    flagged = found + np.cumsum(negative)
    precision = np.divide(found, flagged, out=np.zeros_like(found), where=flagged > 0)
    return _ratio(float(np.sum(positive * precision)), float(np.sum(positive)))


def accuracy(unsafe: ArrayLike, flagged: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Share of examples judged as labelled; sign accuracy where `flagged` is `cost >= 0`."""
    found, missed, false_alarms, passed = confusion(unsafe, flagged, weight)
    return _ratio(found + passed, found + missed + false_alarms + passed)


def f1(unsafe: ArrayLike, flagged: ArrayLike, weight: ArrayLike | None = None) -> float:
    """F1 of the unsafe class; NaN where nothing is unsafe, since flagging none is right there."""
    found, missed, false_alarms, _ = confusion(unsafe, flagged, weight)
    if found + missed == 0:
        return float("nan")
    return _ratio(2 * found, 2 * found + missed + false_alarms)


def recall(unsafe: ArrayLike, flagged: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Share of the unsafe that is flagged; NaN where nothing is unsafe."""
    found, missed, _, _ = confusion(unsafe, flagged, weight)
    return _ratio(found, found + missed)


def false_positive_rate(
    unsafe: ArrayLike, flagged: ArrayLike, weight: ArrayLike | None = None
) -> float:
    """Share of the safe that is flagged; NaN where nothing is safe."""
    _, _, false_alarms, passed = confusion(unsafe, flagged, weight)
    return _ratio(false_alarms, false_alarms + passed)


def confusion(
    unsafe: ArrayLike, flagged: ArrayLike, weight: ArrayLike | None = None
) -> tuple[float, float, float, float]:
    """Counts: unsafe and flagged, unsafe and missed, safe and flagged, safe and passed."""
    truth, said = np.asarray(unsafe, bool), np.asarray(flagged, bool)
    count = _weights(weight, len(truth))
    return (
        float(np.sum(count[truth & said])),
        float(np.sum(count[truth & ~said])),
        float(np.sum(count[~truth & said])),
        float(np.sum(count[~truth & ~said])),
    )


def ranking_accuracy(
    safer_cost: ArrayLike, other_cost: ArrayLike, weight: ArrayLike | None = None
) -> float:
    """Share of pairs whose safer response has the lower cost, ties half; NaN without pairs.

    Args:
        safer_cost: [n] cost of the response labelled as the safer one.
        other_cost: [n] cost of the other.
        weight: [n] times each pair counts; 1 where left out.
    """
    gap = np.asarray(other_cost, np.float64) - np.asarray(safer_cost, np.float64)
    count = _weights(weight, len(gap))
    return _ratio(float(np.sum(count * (0.5 + 0.5 * np.sign(gap)))), float(np.sum(count)))


def mean_auroc_over_sources(
    unsafe: ArrayLike, cost: ArrayLike, sources: Sequence[str]
) -> tuple[float, Mapping[str, float]]:
    """Plain mean of the AUROC of each source that holds both classes, and those AUROCs.

    A pooled AUROC rewards recognising the source, since sources differ in their unsafe share.

    Returns:
        The mean, NaN where no source has both classes; and source -> AUROC.
    """
    truth, costs, names = np.asarray(unsafe, bool), np.asarray(cost, np.float64), np.array(sources)
    each = {
        str(name): auroc(truth[names == name], costs[names == name]) for name in np.unique(names)
    }
    each = {name: value for name, value in each.items() if not np.isnan(value)}
    return (float(np.mean(list(each.values()))) if each else float("nan")), each


def _by_rising_cost(
    unsafe: ArrayLike, cost: ArrayLike, weight: ArrayLike | None
) -> tuple[Floats, Floats]:
    """Weight of the unsafe and of the safe at each distinct cost, lowest cost first."""
    truth, costs = np.asarray(unsafe, bool), np.asarray(cost, np.float64)
    if truth.shape != costs.shape:
        raise ValueError(f"unsafe has shape {truth.shape}, cost {costs.shape}; they must be alike")
    if np.isnan(costs).any():
        raise ValueError("a cost is NaN: leave out the rows that failed, and count them")
    count = _weights(weight, len(costs))
    _, level = np.unique(costs, return_inverse=True)
    levels = int(level.max()) + 1 if len(level) else 0
    return (
        np.bincount(level, np.where(truth, count, 0.0), levels).astype(np.float64),
        np.bincount(level, np.where(truth, 0.0, count), levels).astype(np.float64),
    )


def _weights(weight: ArrayLike | None, n: int) -> Floats:
    return np.ones(n) if weight is None else np.asarray(weight, np.float64)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else float("nan")
