"""The scales of a gauge's costs: which kinds of input can have their own, and the fit of all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..calibration import Calibration, Floats, fit
from ..exchange import KINDS, Kind
from ..scales import ENOUGH, Scales
from .examples import LoadedSource
from .validation import held_out


@dataclass(frozen=True, slots=True)
class KindCount:
    """Labelled validation texts of a kind, on the prompts that calibrate."""

    kind: Kind
    safe: int
    unsafe: int

    @property
    def enough(self) -> bool:
        return min(self.safe, self.unsafe) >= ENOUGH

    def __str__(self) -> str:
        has = "a scale of its own" if self.enough else f"the common scale (takes {ENOUGH} of each)"
        return f"{self.kind}: {self.safe} safe and {self.unsafe} unsafe texts calibrate; {has}"


def count_kinds(sources: Iterable[LoadedSource]) -> list[KindCount]:
    """What each kind has to be calibrated on; kinds without a labelled text are left out."""
    items = [
        item
        for loaded in sources
        for row in loaded.rows
        if not held_out(row)
        for item in row.items
        if item.unsafe is not None
    ]
    kinds = np.array([item.exchange.kind for item in items], np.str_)
    return _count(kinds, np.array([item.unsafe for item in items], np.float64))


def fit_scales(
    raw: Floats, unsafe: Floats, weight: Floats, kinds: NDArray[np.str_], *, data: str
) -> Scales:
    """Platt scaling of all texts together, and of each kind that has enough of them.

    A kind that all texts are of has the common scale.

    Args:
        raw: raw scores, `[n]`.
        unsafe: labels from 0 to 1, `[n]`.
        weight: `[n]`.
        kinds: as `Exchange.kind`, `[n]`.
        data: what the texts are, for the record.

    Raises:
        DataError: one class is missing.
    """
    counts = _count(kinds, unsafe)
    by_kind: dict[str, Calibration] = {}
    for count in counts if len(counts) > 1 else ():
        if count.enough:
            here = kinds == count.kind
            by_kind[count.kind] = fit(raw[here], unsafe[here], weight[here], data=data)
    return Scales(fit(raw, unsafe, weight, data=data), by_kind)


def _count(kinds: NDArray[np.str_], unsafe: Floats) -> list[KindCount]:
    counts = []
    for kind in KINDS:
        flagged = unsafe[kinds == kind] >= 0.5
        if flagged.size:
            counts.append(KindCount(kind, int((~flagged).sum()), int(flagged.sum())))
    return counts
