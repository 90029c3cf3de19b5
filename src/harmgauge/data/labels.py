"""What the values of a label column mean: 1 unsafe, 0 safe, None leave the row out."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import DataError

LabelMap = Mapping[str, "float | None"]
"""label value, as `label_key` writes it, to unsafe (1.0), safe (0.0) or leave out (None)"""

IS_SAFE: LabelMap = {"true": 0.0, "1": 0.0, "false": 1.0, "0": 1.0}
IS_UNSAFE: LabelMap = {"true": 1.0, "1": 1.0, "false": 0.0, "0": 0.0}
WORDS: LabelMap = {
    **dict.fromkeys(("unsafe", "harmful", "toxic", "hateful", "sexist", "flagged"), 1.0),
    **dict.fromkeys(("safe", "harmless", "unharmful", "benign"), 0.0),
    **dict.fromkeys(("not toxic", "non-toxic", "non-hateful", "not hateful", "not sexist"), 0.0),
}
"""values that explain themselves, whatever the column is called"""

# Columns whose name says what true means.
_NAMED: Mapping[str, LabelMap] = {
    **dict.fromkeys(("is_safe", "safe", "is_response_safe"), IS_SAFE),
    **dict.fromkeys(
        ("is_unsafe", "unsafe", "is_toxic", "is_harmful", "moderation_flag"), IS_UNSAFE
    ),
}
_WHOLE = re.compile(r"-?\d+\.0")
_SHOWN_LABELS = 12
_SHOWN_LENGTH = 24


def label_key(value: Any) -> str:
    """A label value as label maps name it: `true`, `1`, `not toxic`."""
    key = str(value).strip().casefold()
    # Whole numbers are written as 1.0 where a column of a data frame has gaps.
    return key.removesuffix(".0") if _WHOLE.fullmatch(key) else key


def is_missing(value: Any) -> bool:
    """True for null, NaN and blank cells: nothing was said."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return True
    return isinstance(value, float) and math.isnan(value)


def default_map(column: str) -> LabelMap:
    """What can be known of a label column from its name and from self-explaining values."""
    return {**WORDS, **_NAMED.get(column.casefold(), {})}


def stated_map(labels: Mapping[str, float | None]) -> LabelMap:
    """A map given by the user, checked.

    Raises:
        DataError: a value is not between 0 (safe) and 1 (unsafe), nor null.
    """
    for key, value in labels.items():
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if value is not None and not (number and 0 <= value <= 1):
            raise DataError(
                f"label {key!r} is mapped to {value!r}; "
                "use 1 (unsafe), 0 (safe) or null (leave out)"
            )
    return {label_key(key): value for key, value in labels.items()}


def unknown_labels(column: str, found: Iterable[str]) -> str:
    """The error for label values that no map explains; long values may be text, and stay out."""
    keys = sorted(set(found))
    short = [repr(key) for key in keys if len(key) <= _SHOWN_LENGTH and len(key.split()) <= 3]
    listed = ", ".join(short[:_SHOWN_LABELS])
    hidden = len(keys) - len(short[:_SHOWN_LABELS])
    if hidden:
        listed = f"{listed} and {hidden} more" if listed else f"{hidden} values"
    return (
        f"column {column!r} has labels without a meaning ({listed}); say of each whether it is "
        "unsafe (1), safe (0) or to be left out (null): with labels in a recipe or suite, else "
        """with --labels, such as --labels '{"bad": 1, "fine": 0, "unsure": null}'"""
    )
