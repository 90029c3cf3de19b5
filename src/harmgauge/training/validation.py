"""What rows must be there, checked before the first step and not after the last one."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence

from ..data.row import Row
from ..errors import RecipeError
from .examples import Example, LoadedSource


def check_training(examples: Sequence[Example], sources: Sequence[LoadedSource]) -> None:
    """See that training rows are left once those of validation and unread ones are gone.

    Raises:
        RecipeError: none is.
    """
    if examples:
        return
    leaked = sum(loaded.report.leaked for loaded in sources)
    unread = sum(loaded.report.unread for loaded in sources)
    if unread:
        raise RecipeError(
            f"no training row is left: the base's tokenizer reads nothing of {unread}, and the "
            f"prompts of {leaked} stand in validation data too; take a base for their language"
        )
    raise RecipeError(
        f"no training row is left: the prompts of all {leaked} stand in validation data too; "
        "split by prompt (harmgauge data split)"
    )


def check_classes(examples: Iterable[Example]) -> None:
    """See that rows that are learnt from by their labels alone are not all of one kind.

    Raises:
        RecipeError: they are, so that a gauge would learn to say the same of everything.
    """
    labels = {label >= 0.5 for each in examples for label in each.unsafe if not math.isnan(label)}
    if len(labels) == 1:
        kind, other = ("unsafe", "safe") if labels == {True} else ("safe", "unsafe")
        raise RecipeError(
            f"all training rows are {kind}, so that nothing tells a text from another; add "
            f"{other} rows, pairs or teachers to the recipe"
        )


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
