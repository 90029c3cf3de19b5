"""Parts of a sample worth a figure of their own: a category, a source, texts of one length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .refusals import opens_with_refusal
from .sample import Indices, Sample

MOST_VALUES = 60
"""a column with more values than this names items, it does not group them"""
MOST_CHARACTERS = 60
"""a column with a longer value may hold texts, which belong in no report"""
LENGTH_BANDS = (0, 25, 100, 300)
"""words of the text on trial from which on a band begins"""


@dataclass(frozen=True, slots=True)
class Slice:
    """Labelled items that have something in common."""

    by: str
    """what they are grouped by: `category`, `length`, `opening` or a column of the data"""
    value: str
    members: Indices
    """positions in `Sample.labelled`"""


def slices(sample: Sample) -> Iterator[Slice]:
    """All slices of the labelled items that are not the whole sample."""
    for by, values in _groupings(sample).items():
        names, where = np.unique(np.array(values, np.str_), return_inverse=True)
        present = [number for number, name in enumerate(names) if name]
        if len(present) > 1:
            for number in present:
                yield Slice(by, str(names[number]), np.flatnonzero(where == number))
    yield from _categories(sample)


def _groupings(sample: Sample) -> dict[str, list[str]]:
    """What to group by, with the value of each labelled item; empty where it has none."""
    columns = {key for item in sample.labelled for key in sample.meta[item]}
    groupings = {
        column: values
        for column in sorted(columns)
        if _groups(values := [sample.meta[item].get(column, "") for item in sample.labelled])
    }
    exchanges = [sample.items[item].exchange for item in sample.labelled]
    if any(exchange.response is not None for exchange in exchanges):
        groupings["opening"] = [_opening(exchange.response) for exchange in exchanges]
    groupings["length"] = [_band(len(exchange.on_trial.split())) for exchange in exchanges]
    return groupings


def _groups(values: list[str]) -> bool:
    """Whether a column groups items, and does not name them or hold texts."""
    given = [value for value in values if value]
    names = set(given)
    repeated = 2 * len(names) <= len(given)
    short = all(len(name) <= MOST_CHARACTERS for name in names)
    return repeated and short and len(names) <= MOST_VALUES


def _opening(response: str | None) -> str:
    if response is None:
        return ""
    return "refusal" if opens_with_refusal(response) else "no refusal"


def _band(words: int) -> str:
    at = max(start for start in LENGTH_BANDS if words >= start)
    later = [start for start in LENGTH_BANDS if start > at]
    return f"{at:3d} to {later[0] - 1} words" if later else f"{at} words or more"


def _categories(sample: Sample) -> Iterator[Slice]:
    """The items flagged with each category, against all safe items."""
    flags = [sample.items[item].categories or {} for item in sample.labelled]
    for name in sorted({name for each in flags for name in each}):
        flagged = np.array([bool(each.get(name)) for each in flags]) & sample.unsafe
        if flagged.any():
            yield Slice("category", name, np.flatnonzero(flagged | ~sample.unsafe))
