"""Parts of a sample worth a figure of their own: a category, a source, texts of one length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..data.row import Item
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
    """Labelled items, or pairs, that have something in common."""

    by: str
    """what they are grouped by: `category`, `length`, `opening` or a column of the data"""
    value: str
    members: Indices
    """positions in `Sample.labelled`, of pairs in `Sample.pairs`"""


def slices(sample: Sample) -> Iterator[Slice]:
    """All slices of the labelled items that are not the whole sample."""
    groupings = _columns([sample.meta[item] for item in sample.labelled])
    exchanges = [sample.items[item].exchange for item in sample.labelled]
    if any(exchange.response is not None for exchange in exchanges):
        groupings["opening"] = [_opening(exchange.response) for exchange in exchanges]
    groupings["length"] = [_band(len(exchange.on_trial.split())) for exchange in exchanges]
    yield from _grouped(groupings)
    for name, flagged in _flagged([sample.items[item] for item in sample.labelled]):
        if (flagged & sample.unsafe).any():  # those flagged, against all that are safe
            yield Slice("category", name, np.flatnonzero(flagged | ~sample.unsafe))


def pair_slices(sample: Sample, judged: NDArray[np.bool_]) -> Iterator[tuple[str, Slice]]:
    """Stratum and slice, of the pairs whose items were both judged, `judged` of `[items]`."""
    if len(sample.pairs.safer) == 0:
        return
    strata = sample.pairs.strata(judged)
    for each in _of_pairs(sample):
        for stratum, pairs in strata.items():
            if len(members := np.intersect1d(each.members, pairs)):
                yield stratum, replace(each, members=members)


def _of_pairs(sample: Sample) -> Iterator[Slice]:
    safer, other = sample.pairs.safer, sample.pairs.other
    groupings = _columns([sample.meta[item] for item in safer])
    length = np.array([len(exchange.on_trial) for exchange in sample.exchanges])
    longer = np.sign(length[safer] - length[other])
    groupings["length"] = [_LENGTHS[int(each)] for each in longer]
    yield from _grouped(groupings)
    for name, flagged in _flagged(sample.items):
        if (either := flagged[safer] | flagged[other]).any():
            yield Slice("category", name, np.flatnonzero(either))


_LENGTHS = {-1: "safer is shorter", 0: "both as long", 1: "safer is longer"}
"""the safer answer beside the other, in characters"""


def _columns(meta: Sequence[Mapping[str, str]]) -> dict[str, list[str]]:
    """Columns that group, with the value of each row; empty where it has none."""
    return {
        column: values
        for column in sorted({key for each in meta for key in each})
        if _groups(values := [each.get(column, "") for each in meta])
    }


def _grouped(groupings: Mapping[str, Sequence[str]]) -> Iterator[Slice]:
    """A slice for each value, where there are several."""
    for by, values in groupings.items():
        names, where = np.unique(np.array(values, np.str_), return_inverse=True)
        present = [number for number, name in enumerate(names) if name]
        if len(present) > 1:
            for number in present:
                yield Slice(by, str(names[number]), np.flatnonzero(where == number))


def _flagged(items: Sequence[Item]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Each category of harm with the items that are flagged with it, `[items]`."""
    flags = [item.categories or {} for item in items]
    for name in sorted({name for each in flags for name in each}):
        yield name, np.array([bool(each.get(name)) for each in flags])


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
