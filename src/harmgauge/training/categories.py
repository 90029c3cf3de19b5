"""Category flags of training rows: what is known of each, and which categories they can teach."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..data.row import Item
from ..errors import RecipeError
from ..taxonomy import category_key
from .examples import Example, LoadedSource
from .recipe import Source
from .validation import held_out

ENOUGH = 10
"""texts with a category and without it, in the training rows and in those that calibrate"""
MOST_WEIGHT = 10.0
"""a rare flag counts at most so many times what its absence does: more would be noise"""


def item_flags(
    item: Item, category: str | None, source: Source, names: Sequence[str]
) -> tuple[float, ...]:
    """What is known of each category of a text: 1 flagged, 0 not, NaN unknown.

    A text that is known to be safe has none. Of an unsafe one, flags are those that bear a
    category's name or that the source's `categories` map to it, `category` counting as a flag where
    there is such a map and no other flag. What is not flagged is unknown, unless
    the source says that its flags are `exhaustive`. Of a text whose raters mostly found it safe
    nothing is known.

    Args:
        item: the text.
        category: `Row.category`.
        source: where it comes from.
        names: categories to look for.
    """
    if item.unsafe is None or 0 < item.unsafe < 0.5:
        return (math.nan,) * len(names)
    if item.unsafe == 0:
        return (0.0,) * len(names)
    upstream = {category_key(name): flag for name, flag in (item.categories or {}).items()}
    stated: Mapping[str, Sequence[str]] = {}
    said: dict[str, list[bool | None]] = {}
    if isinstance(source.categories, list):
        said = {name: [True] for name in source.categories}
    elif source.categories is not None:
        stated = source.categories
        if not upstream and category is not None:
            upstream = {category_key(category): True}
    for key, flag in upstream.items():
        for name in stated.get(key, (key,)):
            said.setdefault(name, []).append(flag)
    absent = 0.0 if source.exhaustive and said else math.nan

    def known(flags: Sequence[bool | None]) -> float:
        return 1.0 if any(flags) else math.nan if None in flags else absent

    return tuple(known(said.get(name, ())) for name in names)


def flagged(
    examples: Sequence[Example], sources: Iterable[LoadedSource], names: Sequence[str]
) -> list[Example]:
    """The examples of all rows of `sources`, in order, with their category flags."""
    if not names:
        return list(examples)
    rows = [(row, loaded.source) for loaded in sources for row in loaded.rows]
    return [
        replace(
            example,
            flags=tuple(item_flags(item, row.category, source, names) for item in row.items),
        )
        for example, (row, source) in zip(examples, rows, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class CategoryCount:
    """Texts with and without a category, in the rows that take part."""

    name: str
    train: tuple[int, int]
    """flagged, known not to be"""
    valid: tuple[int, int]
    fitted: tuple[int, int]
    """of these, on the prompts that calibrate"""

    @property
    def enough(self) -> bool:
        return min(*self.train, *self.fitted) >= ENOUGH

    def __str__(self) -> str:
        each = (("train", self.train), ("valid", self.valid), ("calibrating", self.fitted))
        counts = ", ".join(f"{yes} of {yes + no} {part}" for part, (yes, no) in each)
        return f"{self.name}: {counts}" + ("" if self.enough else "; too few, left out")


def count_categories(
    names: Sequence[str], train: Iterable[LoadedSource], valid: Iterable[LoadedSource]
) -> list[CategoryCount]:
    """Count what is known of each category.

    Raises:
        RecipeError: categories are asked for, and none has enough texts.
    """
    if not names:
        return []
    valid = list(valid)
    counted = zip(
        names,
        _count(names, train),
        _count(names, valid),
        _count(names, valid, fitted=True),
        strict=True,
    )
    counts = [CategoryCount(*each) for each in counted]
    if not any(count.enough for count in counts):
        raise RecipeError(
            f"model.categories: none has {ENOUGH} texts with it and {ENOUGH} without in the "
            "training rows and in the half of the validation prompts that calibrates; give "
            "sources their categories (docs/train.md), or leave model.categories out"
        )
    return counts


def _count(
    names: Sequence[str], sources: Iterable[LoadedSource], *, fitted: bool = False
) -> list[tuple[int, int]]:
    flags = [
        item_flags(item, row.category, loaded.source, names)
        for loaded in sources
        for row in loaded.rows
        if not (fitted and held_out(row))
        for item in row.items
    ]
    table = np.array(flags).reshape(-1, len(names))
    return list(zip((table == 1).sum(0).tolist(), (table == 0).sum(0).tolist(), strict=True))


def positive_weights(examples: Iterable[Example]) -> tuple[float, ...]:
    """What a flag counts in the loss, for its absence counting 1: so much that both classes of a
    category weigh alike, within `MOST_WEIGHT`."""
    known = [(flags, example.weight) for example in examples for flags in example.flags]
    if not known:
        return ()
    table, weight = np.array([flags for flags, _ in known]), np.array([each for _, each in known])
    yes, no = (weight @ (table == value) for value in (1, 0))
    ratio = no / np.maximum(yes, 1e-9)
    return tuple(np.clip(ratio, 1 / MOST_WEIGHT, MOST_WEIGHT).tolist())
