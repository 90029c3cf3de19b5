"""Texts that stand in several training sources, and what these say of them.

They are counted and kept. A repeat is what the weights of sources make of it; and of two rows that
say the opposite the sign term is that of one row with the mean of their labels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from .examples import LoadedSource

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Overlap:
    """Distinct texts, each with all that is read before it, in more than one source."""

    repeated: int
    contradictory: int
    """of these, texts that one source calls safe and another unsafe"""
    most: tuple[Pair, int] | None
    """the two sources that contradict each other most often, or repeat, and on how many texts"""

    def __str__(self) -> str:
        if self.most is None:
            return "no text stands in two sources"
        (one, other), count = self.most
        return (
            f"{self.repeated} texts stand in several sources, {self.contradictory} of them called "
            f"safe by one and unsafe by another (most in {one} and {other}: {count})"
        )


def overlap(sources: Sequence[LoadedSource]) -> Overlap:
    """What training sources have in common, text for text."""
    said: dict[tuple[tuple[str, str], ...], dict[str, set[bool]]] = {}
    for loaded in sources:
        for row in loaded.rows:
            for item in row.items:
                labels = said.setdefault(item.exchange.turns, {})
                known = labels.setdefault(loaded.report.source, set())
                if item.unsafe is not None:
                    known.add(item.unsafe >= 0.5)
    repeated = [labels for labels in said.values() if len(labels) > 1]
    opposed = [pairs for labels in repeated if (pairs := _opposed(labels))]
    met = opposed or [list(combinations(labels, 2)) for labels in repeated]
    counts = Counter(pair for pairs in met for pair in pairs)
    return Overlap(len(repeated), len(opposed), next(iter(counts.most_common(1)), None))


def _opposed(labels: Mapping[str, set[bool]]) -> list[Pair]:
    """The pairs of sources of which one calls a text safe and the other unsafe."""
    return [
        (one, other)
        for one, other in combinations(labels, 2)
        if labels[one] and labels[other] and len(labels[one] | labels[other]) > 1
    ]
