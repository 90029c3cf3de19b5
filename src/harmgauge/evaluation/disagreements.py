"""The items on which two scorers differ most: by id, and their texts only where asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .metrics import Floats, mid_ranks
from .sample import Sample

Turns = Sequence[tuple[str, str]]
"""role and text of each turn of an exchange"""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """An item that two scorers rank apart; its text stays in the data."""

    id: str
    """row id, such as `test.jsonl:17`, of the two of a pair `test.jsonl:17/0`"""
    unsafe: bool | None
    """its label; None where it has none"""
    cost_a: float
    cost_b: float
    rank_a: float
    """share of the items that cost less for a, ties half, in (0, 1)"""
    rank_b: float


def disagreements(
    sample: Sample, a: Floats, b: Floats, counted: NDArray[np.bool_], most: int
) -> list[Disagreement]:
    """The items of which the ranks are farthest apart, these first.

    Ranks and not costs, since two scorers rarely share a scale, and a scale that is wider
    throughout is no disagreement.

    Args:
        sample: what was judged.
        a: [items] costs of the first scorer.
        b: [items] costs of the second.
        counted: [items] which of them to rank.
        most: at most so many.
    """
    items = np.flatnonzero(counted)
    rank_a, rank_b = (mid_ranks(cost[items]) / max(len(items), 1) for cost in (a, b))
    apart = np.abs(rank_b - rank_a)
    farthest = np.argsort(-apart, kind="stable")[:most]
    label = dict(zip(sample.labelled.tolist(), sample.unsafe.tolist(), strict=True))
    return [
        Disagreement(
            sample.ids[items[at]],
            label.get(int(items[at])),
            cost_a=float(a[items[at]]),
            cost_b=float(b[items[at]]),
            rank_a=float(rank_a[at]),
            rank_b=float(rank_b[at]),
        )
        for at in farthest[apart[farthest] > 0]
    ]


def texts(sample: Sample, rows: Iterable[Disagreement]) -> dict[str, Turns]:
    """Row id -> the turns of its exchange, each a role and a text."""
    place = {id: item for item, id in enumerate(sample.ids)}
    return {row.id: sample.items[place[row.id]].exchange.turns for row in rows}
