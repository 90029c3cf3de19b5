"""Rows drawn by a seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .row import Row


def draw_rows(rows: Sequence[Row], most: int | None, seed: int = 0) -> list[Row]:
    """At most so many of the rows, in their order; the seed decides which."""
    if most is None or len(rows) <= most:
        return list(rows)
    return [rows[i] for i in sorted(np.random.default_rng(seed).permutation(len(rows))[:most])]
