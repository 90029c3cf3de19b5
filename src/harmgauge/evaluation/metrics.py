"""Figures per example, from costs and labels; numpy only, so that training and the core use them.

Every function takes `weight`, the number of times each example counts, of shape `[..., n]`, and
gives one value for each leading index: a bootstrap of a thousand draws is one call, and no copy of
the data. A figure that the data cannot give (one class, nothing there) is NaN, never an error and
never 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..calibration import probability

Floats = NDArray[np.float64]


def auroc(unsafe: ArrayLike, cost: ArrayLike, weight: ArrayLike | None = None) -> Floats:
    """Chance that an unsafe example costs more than a safe one, ties half (Mann-Whitney U).

    Args:
        unsafe: [n] true where unsafe.
        cost: [n] costs, or any score that grows with harm.
        weight: [..., n] times each example counts; 1 where left out.

    Returns:
        [...] in [0, 1]; NaN with one class.
    """
    positive, negative = _by_rising_cost(unsafe, cost, weight)
    below = np.cumsum(negative, -1) - negative
    return _ratio(
        np.sum(positive * (below + negative / 2), -1),
        np.sum(positive, -1) * np.sum(negative, -1),
    )


def auprc(unsafe: ArrayLike, cost: ArrayLike, weight: ArrayLike | None = None) -> Floats:
    """Average precision: precision at each distinct cost, weighted by the recall gained there.

    Arguments as for `auroc`; NaN where nothing is unsafe. With no skill it is the unsafe share.
    """
    positive, negative = (side[..., ::-1] for side in _by_rising_cost(unsafe, cost, weight))
    found = np.cumsum(positive, -1)
    flagged = found + np.cumsum(negative, -1)
    precision = np.divide(found, flagged, out=np.zeros_like(found), where=flagged > 0)
    return _ratio(np.sum(positive * precision, -1), np.sum(positive, -1))


def best_f1(unsafe: ArrayLike, cost: ArrayLike, weight: ArrayLike | None = None) -> Floats:
    """F1 at the threshold that is best on these very examples, and therefore optimistic."""
    positive, negative = (side[..., ::-1] for side in _by_rising_cost(unsafe, cost, weight))
    found, alarms = np.cumsum(positive, -1), np.cumsum(negative, -1)
    total = np.sum(positive, -1)
    each = np.divide(
        2 * found,
        found + alarms + total[..., None],
        out=np.zeros_like(found),
        where=found + alarms + total[..., None] > 0,
    )
    best: Floats = np.where(total > 0, each.max(-1, initial=0.0), np.nan)
    return best


def accuracy(unsafe: ArrayLike, flagged: ArrayLike, weight: ArrayLike | None = None) -> Floats:
    """Share of examples judged as labelled; sign accuracy where `flagged` is `cost >= 0`."""
    found, missed, false_alarms, passed = confusion(unsafe, flagged, weight)
    return _ratio(found + passed, found + missed + false_alarms + passed)


def f1(unsafe: ArrayLike, flagged: ArrayLike, weight: ArrayLike | None = None) -> Floats:
    """F1 of the unsafe class; NaN where nothing is unsafe, since flagging none is right there."""
    found, missed, false_alarms, _ = confusion(unsafe, flagged, weight)
    return np.where(
        found + missed > 0, _ratio(2 * found, 2 * found + missed + false_alarms), np.nan
    )


def precision(unsafe: ArrayLike, flagged: ArrayLike, weight: ArrayLike | None = None) -> Floats:
    """Share of what is flagged that is unsafe; NaN where nothing is flagged."""
    found, _, false_alarms, _ = confusion(unsafe, flagged, weight)
    return _ratio(found, found + false_alarms)


def recall(unsafe: ArrayLike, flagged: ArrayLike, weight: ArrayLike | None = None) -> Floats:
    """Share of the unsafe that is flagged; NaN where nothing is unsafe."""
    found, missed, _, _ = confusion(unsafe, flagged, weight)
    return _ratio(found, found + missed)


def false_negative_rate(
    unsafe: ArrayLike, flagged: ArrayLike, weight: ArrayLike | None = None
) -> Floats:
    """Share of the unsafe that passes: 1 - recall."""
    return 1 - recall(unsafe, flagged, weight)


def false_positive_rate(
    unsafe: ArrayLike, flagged: ArrayLike, weight: ArrayLike | None = None
) -> Floats:
    """Share of the safe that is flagged; NaN where nothing is safe."""
    _, _, false_alarms, passed = confusion(unsafe, flagged, weight)
    return _ratio(false_alarms, false_alarms + passed)


def confusion(
    unsafe: ArrayLike, flagged: ArrayLike, weight: ArrayLike | None = None
) -> tuple[Floats, Floats, Floats, Floats]:
    """Counts: unsafe and flagged, unsafe and missed, safe and flagged, safe and passed."""
    truth, said = np.asarray(unsafe, bool), np.asarray(flagged, bool)
    count = _weights(weight, len(truth))
    cells = np.stack([truth & said, truth & ~said, ~truth & said, ~truth & ~said], axis=1)
    sums = count @ cells.astype(np.float64)
    return sums[..., 0], sums[..., 1], sums[..., 2], sums[..., 3]


def mean(values: ArrayLike, weight: ArrayLike | None = None) -> Floats:
    """Mean of n values; NaN of none."""
    each = np.asarray(values, np.float64)
    count = _weights(weight, len(each))
    return _ratio(count @ each, np.sum(count, -1))


def brier(unsafe: ArrayLike, cost: ArrayLike, weight: ArrayLike | None = None) -> Floats:
    """Mean squared gap of `sigmoid(cost)` from the label (Brier, 1950); lower is better.

    It holds at the prior of these examples: a gauge calibrated at another prior pays for that.
    """
    gap = probability(cost) - np.asarray(unsafe, np.float64)
    count = _weights(weight, len(gap))
    return _ratio(count @ gap**2, np.sum(count, -1))


def calibration_error(
    unsafe: ArrayLike, cost: ArrayLike, weight: ArrayLike | None = None, *, bins: int = 15
) -> Floats:
    """Mean gap of stated probability and observed share of unsafe over bins of equal mass.

    ECE of Naeini et al. (2015), bins as Nguyen and O'Connor (2015). The bins are those of the
    unweighted examples, so that bootstrap draws differ in their counts and not in their bins.
    """
    truth, costs = np.asarray(unsafe, np.float64), np.asarray(cost, np.float64)
    count = _weights(weight, len(costs))
    if len(costs) == 0:
        return _ratio(np.sum(count, -1), np.sum(count, -1))
    gaps = np.zeros((len(costs), bins))
    for number, members in enumerate(mass_bins(costs, bins)):
        gaps[members, number] = (probability(costs) - truth)[members]
    return _ratio(np.sum(np.abs(count @ gaps), -1), np.sum(count, -1))


def mass_bins(cost: ArrayLike, bins: int) -> list[NDArray[np.intp]]:
    """Indices of the examples of each of `bins` bins of equal mass, lowest costs first.

    Examples of one cost share a bin, so that a figure does not depend on the order of rows.
    """
    costs = np.asarray(cost, np.float64)
    if len(costs) == 0:
        return [np.empty(0, np.intp)] * bins
    bin_of = np.floor(mid_ranks(costs) * bins / len(costs))
    return [np.flatnonzero(bin_of == number) for number in range(bins)]


def ranking_accuracy(
    safer_cost: ArrayLike, other_cost: ArrayLike, weight: ArrayLike | None = None
) -> Floats:
    """Share of pairs whose safer response has the lower cost, ties half; NaN without pairs.

    Args:
        safer_cost: [n] cost of the response labelled as the safer one.
        other_cost: [n] cost of the other.
        weight: [..., n] times each pair counts; 1 where left out.
    """
    gap = np.asarray(other_cost, np.float64) - np.asarray(safer_cost, np.float64)
    count = _weights(weight, len(gap))
    return _ratio(count @ (0.5 + 0.5 * np.sign(gap)), np.sum(count, -1))


def spearman(severity: ArrayLike, cost: ArrayLike, weight: ArrayLike | None = None) -> Floats:
    """Spearman's rank correlation, ties at their mean rank; NaN where either is constant."""
    count = _weights(weight, len(np.asarray(cost)))
    total = np.sum(count, -1, keepdims=True)
    if count.shape[-1] == 0:
        return _ratio(total[..., 0], total[..., 0])
    first, second = mid_ranks(severity, count), mid_ranks(cost, count)
    first = first - np.sum(count * first, -1, keepdims=True) / total
    second = second - np.sum(count * second, -1, keepdims=True) / total
    spread = np.sum(count * first**2, -1) * np.sum(count * second**2, -1)
    return _ratio(np.sum(count * first * second, -1), np.sqrt(spread))


def mid_ranks(values: ArrayLike, weight: ArrayLike | None = None) -> Floats:
    """Examples below each, and half of those alike, itself among them, `[..., n]`.

    It is the usual rank, ties at their mean, less one half.
    """
    order, starts = _levels(np.asarray(values, np.float64))
    count = _weights(weight, len(order))
    mass = np.add.reduceat(count[..., order], starts, axis=-1)
    middle = np.cumsum(mass, -1) - mass / 2
    level = np.zeros(len(order), np.int64)
    level[order] = np.repeat(np.arange(len(starts)), np.diff([*starts, len(order)]))
    return np.asarray(middle[..., level])


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
    if len(costs) == 0:
        return count, count
    order, starts = _levels(costs)
    count, truth = count[..., order], truth[order]
    return (
        np.add.reduceat(np.where(truth, count, 0.0), starts, axis=-1),
        np.add.reduceat(np.where(truth, 0.0, count), starts, axis=-1),
    )


def _levels(values: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rising order, and where in it each distinct value begins."""
    order = np.argsort(values, kind="stable")
    rising = values[order]
    first = np.ones(len(rising), bool)
    first[1:] = rising[1:] != rising[:-1]
    return order, np.flatnonzero(first)


def _weights(weight: ArrayLike | None, n: int) -> Floats:
    return np.ones(n) if weight is None else np.asarray(weight, np.float64)


def _ratio(part: ArrayLike, whole: ArrayLike) -> Floats:
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    ratio: Floats = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
    return ratio
