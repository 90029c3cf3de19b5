"""What an upstream schema is: the columns that tell it, and how a record becomes a row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from .fields import META
from .labels import LabelMap
from .readers import Reader


@dataclass(frozen=True, slots=True)
class Schema:
    """An upstream layout of columns."""

    name: str
    what: str
    required: frozenset[str]
    """columns that must all be there"""
    read: Reader
    one_of: frozenset[str] = frozenset()
    """columns of which at least one must be there"""
    optional: frozenset[str] = frozenset()
    """other columns that the reader uses or that are known to say nothing of use"""
    label: str | None = None
    """the column whose values `labels` explains; None where the reader finds labels itself"""
    labels: LabelMap = field(default_factory=dict)
    """what the values of `label` mean where the user states nothing"""
    strict: bool = False
    """True where an unknown column is refused: it might hold the label where none need be there,
    or the other half of a labelled prompt or response"""
    bare: bool = False
    """True where of the columns that are kept for breakdowns `id` alone is allowed beside, since
    `category` or `type` may well be the label of a file that has no other"""

    def fits(self, columns: frozenset[str]) -> bool:
        if not self.required <= columns or (self.one_of and not self.one_of & columns):
            return False
        return not (self.strict and self.unused(columns))

    def unused(self, columns: frozenset[str]) -> list[str]:
        """Columns of a file that this schema does not know."""
        kept = frozenset({"id"}) if self.bare else META
        return sorted(columns - self.known_columns - kept)

    @property
    def signature(self) -> str:
        """The columns that tell this schema, in words."""
        choice = f", and {' or '.join(sorted(self.one_of))}" if self.one_of else ""
        return ", ".join(sorted(self.required)) + choice

    @property
    def known_columns(self) -> frozenset[str]:
        return self.required | self.one_of | self.optional

    def contains(self, other: Schema) -> bool:
        """True when a file of this schema would also look like one of the other."""
        return other.required < self.known_columns and not self.required < other.known_columns


def shown(columns: Iterable[str]) -> str:
    """Column names for a message. Of a csv without a header they are texts, which stay out."""
    names = sorted(columns)
    short = [name for name in names if len(name) <= 40 and len(name.split()) <= 3]
    hidden = len(names) - len(short)
    if hidden:
        short.append(f"and {hidden} too long for a name (has the file a header?)")
    return ", ".join(short) or "none"
