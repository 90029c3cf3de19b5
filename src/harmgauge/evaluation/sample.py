"""A table laid out for measuring: what is judged, which of it is labelled, which are pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..data.row import STRATA, Row, Stratum
from ..exchange import Exchange

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sample:
    """The items of all rows in one list; labels and pairs point into it.

    `group` numbers the prompt of each item: bootstrap draws take prompts, not items, since
    answers to one prompt are not independent.
    """

    exchanges: list[Exchange]
    group: Indices
    """[items] number of the prompt"""
    labelled: Indices
    """[n] items that have a safe/unsafe label"""
    unsafe: NDArray[np.bool_]
    """[n] labels of these; a mean of raters of 0.5 or more is unsafe"""
    safer: Indices
    """[pairs] item labelled as the safer one"""
    other: Indices
    """[pairs] the other item of the pair"""
    stratum: NDArray[np.str_]
    """[pairs] kind of pair"""

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Sample:
        """Lay out rows; a pair of which no item is marked as safer gives only its labels."""
        exchanges: list[Exchange] = []
        group: list[int] = []
        labels: list[float] = []
        pairs: list[tuple[int, int, str]] = []
        numbers: dict[str, int] = {}
        for row in rows:
            if row.is_pair and row.safer is not None:
                first = len(exchanges)
                pairs.append((first + row.safer, first + 1 - row.safer, str(row.stratum)))
            for item in row.items:
                exchanges.append(item.exchange)
                group.append(numbers.setdefault(row.group, len(numbers)))
                labels.append(np.nan if item.unsafe is None else item.unsafe)
        values = np.array(labels, np.float64)
        labelled = np.flatnonzero(~np.isnan(values))
        return cls(
            exchanges=exchanges,
            group=np.array(group, np.int64),
            labelled=labelled,
            unsafe=values[labelled] >= 0.5,
            safer=np.array([pair[0] for pair in pairs], np.int64),
            other=np.array([pair[1] for pair in pairs], np.int64),
            stratum=np.array([pair[2] for pair in pairs], np.str_),
        )

    @property
    def one_class(self) -> str | None:
        """Why there is no AUROC: the one class that all labelled items have; None with both."""
        if len(self.unsafe) == 0:
            return "no labels"
        if self.unsafe.all():
            return "all unsafe"
        return None if self.unsafe.any() else "all safe"

    def strata(self) -> Iterator[tuple[Stratum, Indices]]:
        """Each stratum, empty ones too, with the numbers of its pairs."""
        for stratum in STRATA:
            yield stratum, np.flatnonzero(self.stratum == stratum)
