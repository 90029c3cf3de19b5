"""Refusals before answers say nothing of what follows; refusals as answers are safe."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from ..row import Item, Row
from .family import Part, shared_slots
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
        refusal, gap = Draw(slots, rng).fill("{refusal_first}"), rng.choice((" ", "\n\n"))
        exchange = replace(item.exchange, response=f"{refusal}{gap}{response}")
        return replace(item, exchange=exchange)

    return [replace(row, items=tuple(map(with_refusal, row.items))) for row in rows]


def answer_with_refusals(rows: Sequence[Row], part: Part, seed: int) -> list[Row]:
    """The rows with a refusal for an answer, and safe, whatever they were before.

    A gauge that saw refusals of few wordings takes others for harm, or the prompt before them.

    Args:
        rows: a prompt gets a response, a response makes room for it; of a pair one single is left.
        part: whose wordings; the unusual ones of validation stand in no training row.
        seed: with the row it decides which refusal; sources draw apart from each other.
    """
    slots = shared_slots(part)

    def refused(row: Row) -> Row:
        draw = Draw(slots, random.Random(f"{seed} refused {row.id} {row.group}"))
        exchange = replace(row.items[0].exchange, response=draw.fill("{refused}"))
        return replace(row, items=(Item(exchange, unsafe=0.0),), safer=None)

    return list(map(refused, rows))
