"""Typed access to the columns of one record, with errors that name the column."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import DataError
from ..exchange import Exchange
from .labels import IS_SAFE, is_missing, label_key
from .row import Item

# Columns that are kept for breakdowns wherever they occur.
META = frozenset(
    {
        "id",
        "type",
        "kind",
        "category",
        "subcategory",
        "functionality",
        "target_ident",
        "focus",
        "hazard",
        "harm_area",
        "model",
        "split",
        "source",
        "lang",
        "final_label",
        "identity",
        "template",
        "title",
        "prompt_source",
        "response_source",
        "conv_id",
    }
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a schema's reader makes of a record: the part of a `Row` that is in the record."""

    items: tuple[Item, ...]
    safer: int | None = None
    meta: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fields:
    """A record, and the unsafe value that its label column was mapped to.

    All getters raise `DataError`, naming the column, where it is missing or of a wrong type.
    """

    record: Mapping[str, Any]
    unsafe: float | None = None

    def text(self, column: str) -> str:
        value = self._value(column)
        if not isinstance(value, str):
            raise DataError(f"column {column!r} must be text, found {_kind(value)}")
        return value

    def optional_text(self, column: str) -> str | None:
        return None if is_missing(self.record.get(column)) else self.text(column)

    def unsafe_flag(self, column: str) -> float | None:
        """Unsafe from a column that says whether something is safe."""
        value = self.record.get(column)
        if is_missing(value):
            return None
        key = label_key(value)
        if key not in IS_SAFE:
            raise DataError(f"column {column!r} must be true or false, found {_kind(value)}")
        return IS_SAFE[key]

    def number(self, column: str) -> float | None:
        value = self.record.get(column)
        if is_missing(value):
            return None
        try:
            return float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            raise DataError(f"column {column!r} must be a number, found {_kind(value)}") from None

    def flags(self, column: str) -> Mapping[str, bool | None] | None:
        """Category flags from an object of booleans; None where the column holds none."""
        value = self._structure(self.record.get(column))
        if not isinstance(value, Mapping):
            return None
        return {str(name): _flag(flag) for name, flag in value.items()}

    def sequence(self, column: str) -> list[Any]:
        value = self._structure(self._value(column))
        if not isinstance(value, (list, tuple)):
            raise DataError(f"column {column!r} must be a list, found {_kind(value)}")
        return list(value)

    def item(
        self,
        exchange: Exchange,
        *,
        severity: float | None = None,
        categories: Mapping[str, bool | None] | None = None,
    ) -> Item:
        """An item with the row's own label."""
        return Item(exchange, self.unsafe, severity, categories)

    def single(
        self,
        exchange: Exchange,
        *,
        severity: float | None = None,
        categories: Mapping[str, bool | None] | None = None,
    ) -> Reading:
        """A row of one item with the row's own label."""
        return Reading(
            (self.item(exchange, severity=severity, categories=categories),), None, self.meta
        )

    @property
    def meta(self) -> dict[str, str]:
        """The columns worth a breakdown that this record has."""
        return self.scalars(META)

    def scalars(self, names: Iterable[str]) -> dict[str, str]:
        """What this record has of these columns, texts and numbers alone."""
        values = ((name, self.record.get(name)) for name in sorted(names))
        return {
            name: str(value)
            for name, value in values
            if isinstance(value, (str, int, float)) and not is_missing(value)
        }

    def _value(self, column: str) -> Any:
        if column not in self.record:
            raise DataError(f"column {column!r} is missing")
        return self.record[column]

    @staticmethod
    def _structure(value: Any) -> Any:
        """Lists and objects arrive as JSON text in csv."""
        if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
            try:
                return json.loads(value)
            except (ValueError, RecursionError):
                return value
        return value


def _flag(value: Any) -> bool | None:
    return None if is_missing(value) else label_key(value) not in ("false", "0")


def _kind(value: Any) -> str:
    return "null" if value is None else type(value).__name__
