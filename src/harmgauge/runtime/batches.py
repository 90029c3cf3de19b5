"""Token id sequences of many lengths to batches with little padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import Ids

# Enough for full speed on a CPU, small enough for its caches.
BATCH_TOKENS = 2048
# A call costs about as much as this many tokens; a batch is cut where padding costs more.
_CALL_TOKENS = 64


def batches(lengths: Sequence[int], batch_tokens: int = BATCH_TOKENS) -> Iterator[list[int]]:
    """Group sequences of like length, longest first.

    Args:
        lengths: tokens of each sequence.
        batch_tokens: most tokens of a batch, padding included; a longer sequence goes alone.

    Yields:
        Lists of indices, each index in exactly one.
    """
    batch: list[int] = []
    longest = padding = 0
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        padding += longest - lengths[index]
        if batch and ((len(batch) + 1) * longest > batch_tokens or padding > _CALL_TOKENS):
            yield batch
            batch = []
        if not batch:
            longest, padding = lengths[index], 0
        batch.append(index)
    if batch:
        yield batch


def pad(sequences: Sequence[NDArray[Any]]) -> tuple[Ids, Ids]:
    """Ids and attention mask of a batch, `[batch, longest]`, padded on the right.

    The id used for padding is of no matter: the mask decides what is read.
    """
    shape = (len(sequences), max(map(len, sequences)))
    ids, mask = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = sequence
        mask[row, : len(sequence)] = 1
    return ids, mask
