"""Length-bucketed batches by token budget: little padding, seeded order, stable across resumes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def bucketed_batches(
    sizes: Sequence[tuple[int, int]], batch_tokens: int, rng: np.random.Generator
) -> list[list[int]]:
    """Group examples of like length, then shuffle the groups.

    Args:
        sizes: for each example its number of sequences (1, or 2 for a pair, which stays
            together) and the length of the longest.
        batch_tokens: most tokens in a batch, padding included; an example longer than this gets
            a batch of its own.
        rng: source of the order; the same state gives the same batches.

    Returns:
        Lists of example indices, each example in exactly one.
    """
    # A little noise on lengths mixes neighbours anew each epoch, at hardly any padding.
    noisy = [length * rng.uniform(0.9, 1.1) for _, length in sizes]
    batches: list[list[int]] = []
    batch: list[int] = []
    sequences = longest = 0
    for index in sorted(range(len(sizes)), key=lambda i: noisy[i]):
        count, length = sizes[index]
        grown = max(longest, length)
        if batch and (sequences + count) * grown > batch_tokens:
            batches.append(batch)
            batch, sequences, grown = [], 0, length
        batch.append(index)
        sequences += count
        longest = grown
    if batch:
        batches.append(batch)
    rng.shuffle(batches)
    return batches
