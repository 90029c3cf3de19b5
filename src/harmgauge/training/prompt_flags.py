"""Category flags that stand in another file, by prompt (`categories_from` of a recipe's source)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ..data.row import Row
from .recipe import Source

Flags = Mapping[str, bool | None]


def flags_by_prompt(rows: Iterable[Row]) -> dict[str, Flags]:
    """What all rows of a prompt flag, those that are known to be safe left out: True where any
    does, else None where any does not know."""
    found: dict[str, dict[str, bool | None]] = {}
    for row in rows:
        for item in row.items:
            if item.categories and (item.unsafe is None or item.is_unsafe):
                known = found.setdefault(row.group, {})
                for name, flag in item.categories.items():
                    said = (known.get(name, False), flag)
                    known[name] = True if True in said else None if None in said else False
    return dict(found)


def take_flags(
    rows: Sequence[Row], prompts: Mapping[str, str], flags: Mapping[str, Flags], source: Source
) -> tuple[list[Row], int]:
    """The rows, and how many of them took flags: unsafe items that have none of their own.

    Args:
        rows: of the source.
        prompts: of each row by its id, since the row may be read without it.
        flags: as of `flags_by_prompt`.
        source: whose `categories` say whether a row names its kind of harm in a column.
    """
    named = isinstance(source.categories, dict)
    taken = [
        row
        if named and row.category is not None
        else _with_flags(row, flags.get(prompts[row.id], {}))
        for row in rows
    ]
    return taken, sum(new is not old for new, old in zip(taken, rows, strict=True))


def _with_flags(row: Row, flags: Flags) -> Row:
    items = tuple(
        replace(item, categories=flags) if item.is_unsafe and not item.categories else item
        for item in row.items
    )
    return replace(row, items=items) if flags and items != row.items else row
