"""A table laid out for measuring: what is judged, what is known of it, which items make pairs."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ..data.row import STRATA, Item, Row
from ..exchange import Exchange

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Items of one prompt of which one is known to be the safer; `[pairs]` each."""

    safer: Indices
    """item labelled as the safer one"""
    other: Indices
    """the other item"""
    stratum: NDArray[np.str_]
    """kind of pair; `graded` for two answers of different severity"""

    def judged(self, judged: NDArray[np.bool_]) -> Indices:
        """Numbers of the pairs of which both items were; `judged` of `[items]`."""
        return np.flatnonzero(judged[self.safer] & judged[self.other])

    def strata(self, judged: NDArray[np.bool_]) -> dict[str, Indices]:
        """Of each stratum, empty ones too, the numbers of its pairs that were judged."""
        whole = self.judged(judged)
        return {stratum: whole[self.stratum[whole] == stratum] for stratum in STRATA}


@dataclass(frozen=True, slots=True)
class Sample:
    """The items of all rows in one list; labels and pairs point into it.

    `group` numbers the prompt of each item: bootstrap draws take prompts, not items, since
    answers to one prompt are not independent.
    """

    ids: list[str]
    """[items] row id, for the two of a pair with /0 and /1"""
    items: list[Item]
    """[items] each exchange with its severity and categories"""
    meta: list[Mapping[str, str]]
    """[items] other columns of its row"""
    group: Indices
    """[items] number of the prompt"""
    labelled: Indices
    """[n] items that have a safe/unsafe label"""
    unsafe: NDArray[np.bool_]
    """[n] labels of these; a mean of raters of 0.5 or more is unsafe"""
    pairs: Pairs
    """pairs of the data"""
    graded: Pairs
    """singles of one prompt that differ in severity"""

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Sample:
        """Lay out rows; a pair of which no item is marked as safer gives only its labels."""
        ids: list[str] = []
        items: list[Item] = []
        meta: list[Mapping[str, str]] = []
        group: list[int] = []
        pairs: list[tuple[int, int, str]] = []
        singles: dict[int, list[int]] = {}
        numbers: dict[str, int] = {}
        for row in rows:
            first = len(items)
            prompt = numbers.setdefault(row.group, len(numbers))
            if row.is_pair and row.safer is not None:
                pairs.append((first + row.safer, first + 1 - row.safer, str(row.stratum)))
            if not row.is_pair and row.items[0].severity is not None:
                singles.setdefault(prompt, []).append(first)
            for number, item in enumerate(row.items):
                ids.append(f"{row.id}/{number}" if row.is_pair else row.id)
                items.append(item)
                meta.append(row.meta)
                group.append(prompt)
        labels = np.array([np.nan if i.unsafe is None else i.unsafe for i in items], np.float64)
        labelled = np.flatnonzero(~np.isnan(labels))
        return cls(
            ids=ids,
            items=items,
            meta=meta,
            group=np.array(group, np.int64),
            labelled=labelled,
            unsafe=labels[labelled] >= 0.5,
            pairs=_pairs(pairs),
            graded=_pairs(_graded(items, singles.values())),
        )

    def drawn_by(self, keys: Sequence[Hashable]) -> Sample:
        """The same, but items of one key are drawn together; those of None by their prompt."""
        numbers: dict[Hashable, int] = {}
        each = zip(keys, self.group.tolist(), strict=True)
        names = (prompt if key is None else (key,) for key, prompt in each)
        group = [numbers.setdefault(name, len(numbers)) for name in names]
        return replace(self, group=np.array(group, np.int64))

    @property
    def exchanges(self) -> list[Exchange]:
        """What is judged, `[items]`."""
        return [item.exchange for item in self.items]

    @property
    def blank(self) -> NDArray[np.bool_]:
        """Where there is nothing to judge, `[items]`: a gauge gives no verdict."""
        return np.array([exchange.blank for exchange in self.exchanges], bool)

    @property
    def severity(self) -> NDArray[np.float64]:
        """Severity of each item on the source's own scale, NaN where unknown; `[items]`."""
        return np.array([np.nan if i.severity is None else i.severity for i in self.items])

    @property
    def one_class(self) -> str | None:
        """Why there is no AUROC: the one class that all labelled items have; None with both."""
        if len(self.unsafe) == 0:
            return "no labels"
        if self.unsafe.all():
            return "all unsafe"
        return None if self.unsafe.any() else "all safe"


def _graded(items: Sequence[Item], singles: Iterable[list[int]]) -> Iterator[tuple[int, int, str]]:
    for same_prompt in singles:
        for one, other in combinations(same_prompt, 2):
            first, second = items[one].severity or 0.0, items[other].severity or 0.0
            if first != second:
                yield (one, other, "graded") if first < second else (other, one, "graded")


def _pairs(pairs: Iterable[tuple[int, int, str]]) -> Pairs:
    listed = list(pairs)
    return Pairs(
        safer=np.array([pair[0] for pair in listed], np.int64),
        other=np.array([pair[1] for pair in listed], np.int64),
        stratum=np.array([pair[2] for pair in listed], np.str_),
    )
