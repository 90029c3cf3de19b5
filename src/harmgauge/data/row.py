"""One row of data, whatever file it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Literal

from ..exchange import Exchange

Stratum = Literal["mixed", "both_unsafe", "both_safe", "unlabelled"]
STRATA: tuple[Stratum, ...] = ("mixed", "both_unsafe", "both_safe", "unlabelled")


@dataclass(frozen=True, slots=True)
class Item:
    """An exchange with what is known about it; None where nothing is."""

    exchange: Exchange
    unsafe: float | None = None
    """1 unsafe, 0 safe, between where raters disagree"""
    severity: float | None = None
    """how severe, on the source's own scale; larger is worse"""
    categories: Mapping[str, bool | None] | None = None
    """upstream category flags; a flag of None is unknown, not False"""

    @property
    def is_unsafe(self) -> bool:
        """Whether it is known to be unsafe."""
        return self.unsafe is not None and self.unsafe >= 0.5


@dataclass(frozen=True, slots=True)
class Row:
    """A single item, or a pair: two responses to one prompt."""

    id: str
    """file name and row number, such as `valid.jsonl:17`; quotable where the text is not"""
    source: str
    """name of the data source; metrics and caps are by source"""
    items: tuple[Item, ...]
    """one item, or the two of a pair in upstream order"""
    safer: int | None = None
    """index of the item that is the safer one; pairs only"""
    meta: Mapping[str, str] = field(default_factory=dict)
    """other upstream columns worth a breakdown, such as `type` or `functionality`"""

    @property
    def is_pair(self) -> bool:
        return len(self.items) == 2

    @property
    def category(self) -> str | None:
        """What upstream calls its kind of harm: the column `category`, else `kind`."""
        return self.meta.get("category", self.meta.get("kind"))

    @property
    def group(self) -> str:
        """What splits and bootstraps keep together: the first human turn, else the text.

        Of several user turns at the start the last one counts: those before it are system turns,
        which a whole file may share.
        """
        turns = self.items[0].exchange.turns
        opening = [text for _, text in takewhile(lambda turn: turn[0] == "user", turns)]
        return opening[-1] if opening else turns[0][1]

    @property
    def stratum(self) -> Stratum | None:
        """Kind of pair by its safe/unsafe labels; None for a single item."""
        if not self.is_pair:
            return None
        first, second = (item.unsafe for item in self.items)
        if first is None or second is None:
            return "unlabelled"
        if (first >= 0.5) != (second >= 0.5):
            return "mixed"
        return "both_unsafe" if first >= 0.5 else "both_safe"


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that could not be read; counted and reported, never lost."""

    id: str
    error: str
