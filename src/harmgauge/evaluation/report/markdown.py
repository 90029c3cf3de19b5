"""A report as Markdown, its pictures in files beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape

from ..figures import Figure
from .blocks import (
    LISTED,
    Block,
    Cell,
    Code,
    Document,
    Folded,
    Heading,
    Listing,
    Pictures,
    Table,
    Text,
    Warn,
    interval,
    number,
    plain,
)


def markdown(document: Document, pictures: str) -> str:
    """The document, its pictures linked as `pictures/NAME.svg`."""
    parts = [f"# {_escape(document.title)}", document.intro, contents(document.blocks)]
    parts += _blocks(document.blocks, pictures)
    return "\n\n".join(part for part in parts if part) + "\n"


def contents(blocks: Sequence[Block]) -> str:
    """Links to the headings that are listed, by the anchors that GitHub gives them."""
    lines = []
    seen: dict[str, int] = {}
    for block in blocks:
        if isinstance(block, Heading):
            anchor = re.sub(r"[^\w\- ]", "", block.text.lower()).replace(" ", "-")
            number = seen[anchor] = seen.get(anchor, -1) + 1
            if block.level <= LISTED:
                indent = "  " * (block.level - 2)
                target = f"{anchor}-{number}" if number else anchor
                lines.append(f"{indent}- [{_escape(block.text)}](#{target})")
    return "\n".join(lines)


def _blocks(blocks: Sequence[Block], folder: str) -> Iterator[str]:
    for block in blocks:
        match block:
            case Heading():
                yield f"{'#' * block.level} {_escape(block.text)}"
            case Text():
                yield _escape(block.text)
            case Warn():
                yield f"> **Warning.** {_escape(block.text)}"
            case Code():
                yield f"```sh\n{block.text}\n```"
            case Listing():
                yield "\n".join(f"- {_escape(item)}" for item in block.items)
            case Table():
                yield _table(block)
            case Pictures():
                for each in block.pictures:
                    alt = _escape(each.alt)
                    yield f"![{alt}]({folder}/{each.name}.svg)\n\n*{_escape(each.caption)}*"
            case Folded():
                yield f"<details>\n<summary>{escape(block.title)}</summary>"
                yield from _blocks(block.blocks, folder)
                yield "</details>"


def _table(table: Table) -> str:
    lines = [
        [_escape(cell) for cell in table.head],
        ["---" if isinstance(cell, str) else "--:" for cell in _first(table)],
        *([_cell(cell) for cell in row] for row in table.rows),
    ]
    rows = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"*{_escape(table.caption)}*\n\n{rows}"


def _first(table: Table) -> Sequence[Cell]:
    return table.rows[0] if table.rows else table.head


def _cell(cell: Cell) -> str:
    if not isinstance(cell, Figure):
        return _escape(plain(cell))
    why = f"({cell.reason})" if cell.value is None and cell.reason else ""
    return f"{number(cell.value)} {_escape(interval(cell) or why)}".strip()


def _escape(text: str) -> str:
    """Text that Markdown takes as it is, on one line."""
    return re.sub(r"([\\`*_\[\]<>|#~&])", r"\\\1", " ".join(text.split()))
