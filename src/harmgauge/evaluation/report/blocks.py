"""What a report consists of, whatever it is written as: a page and Markdown say the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..figures import Figure

Cell = str | int | float | Figure | None
"""a float is a share, shown in percent; a figure is shown with its interval; None is empty"""


@dataclass(frozen=True, slots=True)
class Heading:
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Warn:
    """What must not be overlooked."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    text: str


@dataclass(frozen=True, slots=True)
class Listing:
    items: Sequence[str]


@dataclass(frozen=True, slots=True)
class Table:
    """The first column names the rows."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True, slots=True)
class Picture:
    name: str
    """of its file, without ending"""
    svg: str
    """as matplotlib drew it"""
    alt: str
    """what it shows, for those who do not see it"""
    caption: str


@dataclass(frozen=True, slots=True)
class Pictures:
    """Side by side where there is room."""

    pictures: Sequence[Picture]


@dataclass(frozen=True, slots=True)
class Folded:
    """Shown when asked for, where the medium can."""

    title: str
    blocks: Sequence[Block]


Block = Heading | Text | Warn | Code | Listing | Table | Pictures | Folded


@dataclass(frozen=True, slots=True)
class Document:
    title: str
    blocks: list[Block] = field(default_factory=list)
    intro: str = ""
    """Markdown of someone's own, to stand first"""


LISTED = 3
"""headings of deeper levels are alike in all data sets, and not in the contents"""


def slug(text: str) -> str:
    """A name for files and anchors."""
    return re.sub(r"\W+", "-", text.lower()).strip("-")


def plain(cell: str | int | float | None) -> str:
    """A cell that is no figure, as shown."""
    if isinstance(cell, float):
        return f"{cell:.1%}"
    return "" if cell is None else str(cell)


def number(value: float | None) -> str:
    """As shown: three decimals, a dash for what the data cannot give."""
    return "–" if value is None else f"{value:.3f}".replace("-", "−")


def interval(figure: Figure) -> str:
    """The 95 % interval as shown; blank where none was drawn."""
    if figure.value is None or figure.low is None or figure.high is None:
        return ""
    return f"[{number(figure.low)}, {number(figure.high)}]"


def with_intervals(figures: Iterable[Figure | None]) -> str:
    """To follow the name of what is shown; blank where no figure has an interval."""
    drawn = any(each is not None and interval(each) for each in figures)
    return " with 95 % intervals" if drawn else ""


def listed(names: Iterable[str]) -> str:
    """`a, b and c`."""
    *rest, last = names
    return f"{', '.join(rest)} and {last}" if rest else last
