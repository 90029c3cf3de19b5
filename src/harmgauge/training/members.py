"""Teaching the members of an ensemble: each sees a draw of the rows of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np
import torch
from torch import Tensor

from .examples import Example
from .losses import Targets, Terms, cost_terms


def draws(examples: Sequence[Example], members: int, seed: int) -> Tensor:
    """How often each member sees each sequence, `[n, members]`: a Poisson draw of mean 1 a row, by
    its id and the seed, the same in every epoch (the bootstrap of a stream, as Oza and Russell,
    2001, "Online bagging and boosting")."""
    counts = []
    for example in examples:
        digest = hashlib.sha256(example.id.encode()).digest()
        random = np.random.default_rng((seed, int.from_bytes(digest[:8], "big")))
        counts += [random.poisson(1.0, members)] * len(example.ids)
    return torch.from_numpy(np.array(counts, np.float32))


def member_terms(
    cost: Tensor,
    deviations: Tensor,
    targets: Targets,
    counts: Tensor,
    label_smoothing: float = 0.0,
    temperature: float = 1.0,
) -> Terms:
    """Mean over the members of the terms of the cost loss.

    Args:
        cost: raw costs, the mean of the members, `[n]`.
        deviations: of the members, `[n, members]`, see `harmgauge.members`.
        targets: as for `cost_terms`, `[n]`.
        counts: as `draws` gives, `[n, members]`.
        label_smoothing, temperature: as for `cost_terms`.
    """
    scores = cost[:, None] + deviations - deviations.mean(1, keepdim=True)
    each = [
        cost_terms(
            score,
            replace(targets, weight=targets.weight * count),
            label_smoothing,
            temperature,
        )
        for score, count in zip(scores.T, counts.T, strict=True)
    ]
    names = [entry.name for entry in fields(Terms)]
    return Terms(*(torch.stack([getattr(own, name) for own in each]).mean() for name in names))
