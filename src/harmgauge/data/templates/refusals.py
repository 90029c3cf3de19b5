"""A refusal before an answer says nothing of what follows: rows that teach so."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from ..row import Item, Row
from .family import shared_slots
from .grammar import Draw


def put_refusals_first(rows: Sequence[Row], share: float, seed: int) -> list[Row]:
    """The rows with a refusal before a share of their responses, safe or unsafe.

    Labels stay, since a refusal takes back nothing that follows it. Were it put before unsafe ones
    more often, a gauge would learn that refusals like these are unsafe.

    Args:
        rows: singles and pairs; prompts, and responses without a label, stay as they are.
        share: of the labelled responses, from 0 to 1.
        seed: the same seed chooses the same responses and refusals.
    """
    slots, rng = shared_slots("train"), random.Random(f"{seed} refusals")

    def with_refusal(item: Item) -> Item:
        response = item.exchange.response
        if response is None or item.unsafe is None or rng.random() >= share:
            return item
        refusal, gap = Draw(slots, rng).fill("{refusal} {turn}"), rng.choice((" ", "\n\n"))
        exchange = replace(item.exchange, response=f"{refusal}{gap}{response}")
        return replace(item, exchange=exchange)

    return [replace(row, items=tuple(map(with_refusal, row.items))) for row in rows]
