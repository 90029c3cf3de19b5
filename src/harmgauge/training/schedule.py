"""Every batch of a run, known before it starts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from .batching import bucketed_batches
from .categories import positive_weights
from .examples import Example
from .packing import Packing, row_length
from .recipe import Optim


@dataclass(frozen=True, slots=True)
class Schedule:
    """Every batch of a run, known before it starts."""

    steps: list[list[list[int]]]
    """for each optimiser step its forward passes, each a list of example indices"""
    padding: float
    """share of `tokens` that are padding"""
    tokens: int
    """tokens that are computed in all steps, padding included"""
    shared: float = 0.0
    """share of the sequences' tokens that is not computed, since another begins alike"""
    norms: dict[str, float] = field(default_factory=dict)
    """mean weight of each loss term a step"""
    positive_weights: tuple[float, ...] = ()
    """what a flag of each category counts in the loss, its absence counting 1"""

    def __str__(self) -> str:
        return (
            f"{len(self.steps):,} steps, {self.tokens:,} tokens ({self.padding:.1%} padding, "
            f"{self.shared:.1%} spared)"
        )


def make_schedule(
    examples: Sequence[Example], optim: Optim, seed: int, packing: Packing = "padded"
) -> Schedule:
    """All batches of all epochs, from the seed alone, so that a resumed run sees the same.

    How the model reads batches, `packing`, changes what they cost but not what is in them: a
    recipe takes the same steps on every machine.
    """
    sizes = [example.size for example in examples]
    batches: list[list[int]] = []
    for epoch in range(math.ceil(optim.epochs)):
        rng = np.random.default_rng((seed, epoch))
        epoch_batches = bucketed_batches(sizes, optim.batch_tokens, rng)
        share = min(1.0, optim.epochs - epoch)
        batches += epoch_batches[: math.ceil(share * len(epoch_batches))]
    steps = [batches[i : i + optim.accumulate] for i in range(0, len(batches), optim.accumulate)]
    if optim.max_steps is not None:
        steps = steps[: optim.max_steps]
    flat = [batch for step in steps for batch in step]
    sequences = [[ids for i in batch for ids in examples[i].ids] for batch in flat]
    tokens = sum(row_length(each, packing) for each in sequences)
    real = sum(len(ids) for each in sequences for ids in each)
    positive = positive_weights(examples)
    norms = _norms(examples, flat, len(steps), positive)
    return Schedule(
        steps,
        padding=max(0.0, 1 - real / tokens),
        tokens=tokens,
        shared=max(0.0, 1 - tokens / real),
        norms=norms,
        positive_weights=positive,
    )


def _norms(
    examples: Sequence[Example],
    batches: Sequence[Sequence[int]],
    steps: int,
    positive: Sequence[float],
) -> dict[str, float]:
    rank = sign = l2 = distil = category = 0.0
    for index in (i for batch in batches for i in batch):
        example = examples[index]
        rank += example.weight * (example.safer is not None)
        sign += example.weight * sum(not math.isnan(label) for label in example.unsafe)
        l2 += example.weight * len(example.ids)
        distil += example.weight * sum(not math.isnan(cost) for cost in example.teacher)
        for flags in example.flags:
            each = (1 + flag * (high - 1) for flag, high in zip(flags, positive, strict=True))
            category += example.weight * sum(value for value in each if not math.isnan(value))
    sums = {"rank": rank, "sign": sign, "l2": l2, "distil": distil, "category": category}
    return {name: value / steps for name, value in sums.items()}
