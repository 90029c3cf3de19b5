"""What the pictures of a report are drawn from, small enough to lie in its JSON."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..calibration import probability
from .metrics import Floats, mass_bins

POINTS = 200
"""at most so many points a curve"""
BINS = 10
COST_BINS = 40


@dataclass(frozen=True, slots=True)
class Curves:
    """Lists of numbers, side by side."""

    false_positive_rate: list[float]
    """of the ROC curve, rising"""
    recall: list[float]
    """of the ROC and of the precision-recall curve"""
    precision: list[float]
    cost_edges: list[float]
    """of the histograms: one more than there are counts"""
    safe_count: list[int]
    unsafe_count: list[int]
    stated: list[float]
    """reliability, by bins of equal mass: mean probability; empty where costs are no log-odds"""
    observed: list[float]
    """share of unsafe"""
    bin_n: list[int]


def curves(unsafe: NDArray[np.bool_], cost: Floats, probabilistic: bool) -> Curves:
    """The curves of n labelled items, `unsafe` and `cost` of `[n]`."""
    order = np.argsort(-cost, kind="stable")
    last = np.flatnonzero(np.append(np.diff(cost[order]) != 0, True))  # ties are one step
    if len(last) > POINTS:
        last = last[np.linspace(0, len(last) - 1, POINTS).round().astype(int)]
    found = np.cumsum(unsafe[order])[last]
    flagged = last + 1
    safe = max(int((~unsafe).sum()), 1)

    low, high = np.percentile(cost, [0.5, 99.5])
    edges = np.linspace(low, high if high > low else low + 1, COST_BINS + 1)
    clipped = np.clip(cost, edges[0], edges[-1])
    bins = [members for members in mass_bins(cost, BINS) if len(members)] if probabilistic else []
    return Curves(
        false_positive_rate=_rounded((flagged - found) / safe),
        recall=_rounded(found / max(int(unsafe.sum()), 1)),
        precision=_rounded(found / flagged),
        cost_edges=_rounded(edges),
        safe_count=np.histogram(clipped[~unsafe], edges)[0].tolist(),
        unsafe_count=np.histogram(clipped[unsafe], edges)[0].tolist(),
        stated=_rounded([probability(cost[members]).mean() for members in bins]),
        observed=_rounded([unsafe[members].mean() for members in bins]),
        bin_n=[len(members) for members in bins],
    )


def _rounded(values: object) -> list[float]:
    rounded: list[float] = np.round(np.asarray(values, np.float64), 5).tolist()
    return rounded
