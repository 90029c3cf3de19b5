"""Heads of classifiers that were trained elsewhere: a dense layer, labels, and their log-odds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers.activations import ACT2FN


@dataclass(frozen=True, slots=True)
class Head:
    """How a pooled vector becomes a raw score."""

    labels: tuple[str, ...]
    """what each output of the classifier means"""
    unsafe: tuple[str, ...]
    """which of them are unsafe"""
    independent: bool
    """whether labels are independent of each other (sigmoids), not exclusive (softmax)"""
    activation: str = ""
    """of a dense layer before the outputs, by its name in transformers; blank: there is none"""


class ClassifierHead(nn.Module):  # type: ignore[misc]  # torch is not followed, see pyproject
    """Dense layer where there is one, logits of the labels, and the log-odds of the unsafe ones."""

    def __init__(self, size: int, head: Head) -> None:
        super().__init__()
        self.dense: Any = nn.Linear(size, size) if head.activation else None
        self._activation: Any = ACT2FN[head.activation] if head.activation else None
        self.labels = nn.Linear(size, len(head.labels))
        self._unsafe = [head.labels.index(name) for name in head.unsafe]
        self._independent = head.independent

    def forward(self, pooled: Tensor) -> Tensor:
        """Raw scores, `[batch, size]` to `[batch, 1]`."""
        if self.dense is not None:
            pooled = self._activation(self.dense(pooled))
        odds = log_odds(self.labels(pooled), self._unsafe, independent=self._independent)
        return odds.unsqueeze(1)


def log_odds(logits: Tensor, unsafe: Sequence[int], *, independent: bool) -> Tensor:
    """One score of several labels, `[batch, labels]` to `[batch]`.

    Of exclusive labels the log-odds that it is one of the unsafe ones; of two labels that is the
    difference of their logits. Of independent labels, or a single one, the highest logit of those
    that are unsafe.

    Args:
        logits: of all labels.
        unsafe: numbers of the unsafe ones; of exclusive labels not all.
        independent: whether each label has a sigmoid of its own.
    """
    chosen = logits[:, list(unsafe)]
    if independent or logits.shape[1] == 1:
        return chosen.amax(1)
    others = [label for label in range(logits.shape[1]) if label not in unsafe]
    return torch.logsumexp(chosen, 1) - torch.logsumexp(logits[:, others], 1)
