"""What a threshold costs, at any place: false alarms and misses of labelled texts, by cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from .calibration import Calibration, Floats
from .exchange import KINDS, Kind

OF_EACH = 10
"""texts of each class that a curve takes: fewer say little of a share"""
_QUANTILES = 50  # of the costs of each class: the tail of one lies among those of the other


@dataclass(frozen=True, slots=True)
class ErrorCurve:
    """False alarms and misses of the texts of one kind, side by side; shares are of these texts,
    and promise nothing of others (a stored `Threshold` does)."""

    data: str
    safe: int
    """how many safe texts it rests on"""
    unsafe: int
    cost: tuple[float, ...]
    """rising, on the scale of costs at the stored prior"""
    false_alarms: tuple[float, ...]
    """share of safe texts with this cost or a higher one"""
    misses: tuple[float, ...]
    """share of unsafe texts with a lower cost"""

    def rescaled(self, old: Calibration, new: Calibration) -> Self:
        """The same texts on another scale of costs, which changes no order."""
        return replace(self, cost=tuple(new.cost([old.raw(cost) for cost in self.cost]).tolist()))

    def shifted(self, by: float) -> Self:
        """The same texts where another prior adds `by` to every cost."""
        return replace(self, cost=tuple(cost + by for cost in self.cost))

    @property
    def rises(self) -> bool:
        """Whether its lists go together and its costs rise."""
        return len(self.cost) == len(self.false_alarms) == len(self.misses) > 0 and bool(
            (np.diff(self.cost) > 0).all()
        )


def error_curves(
    unsafe: NDArray[np.bool_], cost: Floats, kinds: NDArray[np.str_], *, data: str
) -> Mapping[Kind, ErrorCurve]:
    """The curve of each kind of input that has enough texts of each class, at up to 100 costs.

    Args:
        unsafe: labels, `[n]`.
        cost: costs at the stored prior, `[n]`; those that failed (NaN) are left out.
        kinds: of each, as `exchange.Kind`, `[n]`.
        data: what the texts are, for the record.
    """
    found = {}
    for kind in KINDS:
        here = (kinds == kind) & np.isfinite(cost)
        safe, harmful = np.sort(cost[here & ~unsafe]), np.sort(cost[here & unsafe])
        if min(safe.size, harmful.size) >= OF_EACH:
            found[kind] = _curve(safe, harmful, data)
    return found


def _curve(safe: Floats, unsafe: Floats, data: str) -> ErrorCurve:
    """Of sorted costs: at quantiles of each class, so that points lie where texts do."""
    at = np.linspace(0, 1, _QUANTILES)
    chosen = [np.quantile(costs, at, method="lower") for costs in (safe, unsafe)]
    cost = np.unique(np.floor(np.concatenate(chosen) * 1e4) / 1e4)  # none above its text
    false_alarms = 1 - np.searchsorted(safe, cost) / safe.size
    misses = np.searchsorted(unsafe, cost) / unsafe.size
    return ErrorCurve(
        data,
        int(safe.size),
        int(unsafe.size),
        tuple(cost.tolist()),
        tuple(np.round(false_alarms, 5).tolist()),
        tuple(np.round(misses, 5).tolist()),
    )
