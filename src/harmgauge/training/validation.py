"""What validation data must hold, checked before the first step and not after the last one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from ..data.row import Row
from ..errors import RecipeError
from .examples import LoadedSource


def held_out(row: Row) -> bool:
    """True for prompts on which the calibration is measured, False for those it is fitted on.

    A coin thrown by the prompt's hash: all rows of a prompt fall on one side.
    """
    return bool(hashlib.sha256(row.group.encode()).digest()[0] & 1)


def check_calibration(sources: Iterable[LoadedSource]) -> None:
    """See that the half of the validation prompts that calibrates holds both classes.

    Raises:
        RecipeError: it does not, so that the run would fail at its end.
    """
    labels = [
        item.unsafe
        for loaded in sources
        for row in loaded.rows
        if not held_out(row)
        for item in row.items
        if item.unsafe is not None
    ]
    if not 0 < sum(labels) < len(labels):
        unsafe = sum(label >= 0.5 for label in labels)
        raise RecipeError(
            f"the half of the validation prompts that calibrates holds {len(labels) - unsafe} safe "
            f"and {unsafe} unsafe texts, and needs both; add rows to data.valid"
        )
