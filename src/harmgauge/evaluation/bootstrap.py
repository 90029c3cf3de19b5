"""Draws of whole prompts, since answers to one prompt are not independent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .metrics import Floats
from .sample import Indices

Metric = Callable[[Floats], Floats]
"""a figure of n examples as a function of how often each counts, `[..., n]` to `[...]`"""

_AT_ONCE = 4_000_000
"""counts held in memory at a time; bounds the memory, never changes a draw"""


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Draws of whole prompts with replacement (Field and Welsh, 2007).

    The same seed draws the same prompts for every scorer, so that gauges can be compared.
    """

    draws: int = 1000
    seed: int = 0

    def of(self, metrics: Mapping[str, Metric], group: Indices) -> dict[str, Floats]:
        """Each figure in each draw, `[draws]`; empty with fewer than two prompts.

        Args:
            metrics: figures of the same n examples.
            group: [n] prompt number of each example.
        """
        names, member = np.unique(group, return_inverse=True)
        drawn: dict[str, list[Floats]] = {name: [] for name in metrics}
        random = np.random.default_rng(self.seed)
        rows = max(1, _AT_ONCE // max(len(group), 1))
        for start in range(0, self.draws if len(names) > 1 else 0, rows):
            taken = random.integers(0, len(names), (min(rows, self.draws - start), len(names)))
            weight = _count(taken, len(names))[:, member]
            for name, metric in metrics.items():
                drawn[name].append(metric(weight))
        return {name: np.concatenate(parts or [np.empty(0)]) for name, parts in drawn.items()}


def _count(taken: NDArray[np.int64], names: int) -> Floats:
    """How often each name was taken, a row a draw."""
    rows = len(taken)
    flat = taken + (np.arange(rows) * names)[:, None]
    return np.bincount(flat.ravel(), minlength=rows * names).reshape(rows, names).astype(np.float64)
