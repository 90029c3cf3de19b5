"""Any file with named columns as a schema of its own."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

from ..errors import DataError
from ..exchange import Exchange
from .fields import Fields, Reading
from .labels import default_map
from .schema import Schema

ColumnRole = Literal["prompt", "response", "messages", "label", "category", "id"]


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column of a file holds what; None where it has no such column."""

    prompt: str | None = None
    response: str | None = None
    messages: str | None = None
    """a list of chat messages; with `response`, the turns before it"""
    label: str | None = None
    """values such as safe and unsafe explain themselves, all others need a label map"""
    category: str | None = None
    """a name, or an object of flags"""
    id: str | None = None


def column_schema(columns: Columns) -> Schema:
    """The schema that reads these columns.

    Raises:
        DataError: neither a prompt, a response nor messages is named, or prompt and messages are.
    """
    if columns.prompt is columns.response is columns.messages is None:
        raise DataError(
            "name a column to judge: --prompt-column, --response-column or --messages-column"
        )
    if columns.prompt is not None and columns.messages is not None:
        raise DataError("name a prompt column or a messages column, not both")
    named = (columns.prompt, columns.response, columns.messages, columns.label, columns.category)
    return Schema(
        name="columns",
        what="columns named by the user",
        required=frozenset(name for name in (*named, columns.id) if name is not None),
        read=lambda fields: _read(fields, columns),
        label=columns.label,
        labels=default_map(columns.label or ""),
    )


def _read(fields: Fields, columns: Columns) -> Reading:
    response = None if columns.response is None else fields.text(columns.response)
    if columns.messages is not None:
        messages = fields.sequence(columns.messages)
        if response is not None:
            messages.append({"role": "assistant", "content": response})
        exchange = Exchange.from_messages(messages)
    else:
        exchange = Exchange(
            None if columns.prompt is None else fields.text(columns.prompt), response
        )
    categories = None if columns.category is None else fields.flags(columns.category)
    reading = fields.single(exchange, categories=categories)
    named = {"category": None if categories else columns.category, "id": columns.id}
    meta = {
        key: str(fields.record[column])
        for key, column in named.items()
        if column is not None and fields.record.get(column) is not None
    }
    # Of a layout that is not known, any other column may be worth a breakdown.
    others = fields.record.keys() - set(asdict(columns).values())
    return Reading(reading.items, None, {**fields.scalars(others), **reading.meta, **meta})
