"""Scores and metrics of examples while training."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import torch
from accelerate.utils import gather_object
from torch import Tensor

from ..evaluation.metrics import auroc, ranking_accuracy
from ..runtime.batches import BATCH_TOKENS
from .batching import bucketed_batches
from .examples import Example
from .model import CostModel
from .processes import dealt

MIN_PER_CLASS = 10
GPU_BATCH_TOKENS = 16384


def score_examples(
    model: CostModel, examples: Sequence[Example], *, together: bool = False
) -> list[np.ndarray]:
    """Raw costs of each example's sequences, in order, in evaluation mode.

    Batches stay in the caches of a CPU, or fill a GPU. With `together` every process of
    the run must call it: each scores a part and gets all.
    """
    model.eval()
    device = next(model.parameters()).device
    batch_tokens = BATCH_TOKENS if device.type == "cpu" else GPU_BATCH_TOKENS
    sizes = [example.size for example in examples]
    batches = bucketed_batches(sizes, batch_tokens, np.random.default_rng(0))
    costs: dict[int, np.ndarray] = {}
    with torch.no_grad():  # FSDP cannot train on what inference mode has gathered
        for place in dealt(len(batches)) if together else range(len(batches)):
            batch = batches[min(place, len(batches) - 1)]  # scored twice does no harm
            chosen = [examples[i] for i in batch]
            ids, mask = collate([s for example in chosen for s in example.ids])
            scores = model(ids.to(device), mask.to(device))[:, 0].float().cpu().numpy()
            start = 0
            for index, example in zip(batch, chosen, strict=True):
                costs[index] = scores[start : start + len(example.ids)]
                start += len(example.ids)
    if together:
        costs = {i: cost for part in gather_object([costs]) for i, cost in part.items()}
    return [costs[i] for i in range(len(examples))]


def collate(sequences: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Right-padded ids and mask, `[n, longest]`. The pad id is 0: the mask hides it everywhere."""
    lengths = np.fromiter(map(len, sequences), np.int64, len(sequences))
    mask = np.arange(lengths.max()) < lengths[:, None]
    ids = np.zeros(mask.shape, np.int64)
    ids[mask] = np.fromiter(chain.from_iterable(sequences), np.int64, lengths.sum())
    return torch.from_numpy(ids), torch.from_numpy(mask.astype(np.int64))


def capped(
    examples: Sequence[Example], cap: int, seed: int, caps: Mapping[str, int] | None = None
) -> list[Example]:
    """At most `cap` examples of each source, or as many as `caps` says of it, drawn with `seed`."""
    seen: Counter[str] = Counter()
    kept = []
    for index in np.random.default_rng(seed).permutation(len(examples)):
        source = examples[index].source
        seen[source] += 1
        if seen[source] <= (caps or {}).get(source, cap):
            kept.append(examples[index])
    return kept


def validation_metrics(examples: Sequence[Example], costs: Sequence[np.ndarray]) -> dict[str, Any]:
    """AUROC of each source with both classes, their mean, and ranking accuracy of pair sources.

    A source with fewer than `MIN_PER_CLASS` rows of a class would add noise to the choice, not
    sense, and is left out of it.
    """
    by_source: dict[str, list[int]] = {}
    for index, example in enumerate(examples):
        by_source.setdefault(example.source, []).append(index)
    aurocs: dict[str, float] = {}
    rankings: dict[str, float] = {}
    for source, indices in sorted(by_source.items()):
        labels = np.concatenate([examples[i].unsafe for i in indices])
        values = np.concatenate([costs[i] for i in indices])
        known = ~np.isnan(labels)
        positive = labels[known] >= 0.5
        if min(positive.sum(), (~positive).sum()) >= MIN_PER_CLASS:
            aurocs[source] = float(auroc(positive, values[known]))
        pairs = [(costs[i], s) for i in indices if (s := examples[i].safer) is not None]
        if pairs:
            safer = [cost[index] for cost, index in pairs]
            other = [cost[1 - index] for cost, index in pairs]
            rankings[source] = float(ranking_accuracy(safer, other))
    mean = float(np.mean(list(aurocs.values()))) if aurocs else math.nan
    return {"auroc_mean": mean, "auroc": aurocs, "ranking": rankings}
