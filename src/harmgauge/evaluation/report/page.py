"""A report as one page that asks no host for anything and needs no script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

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
    slug,
)
from .folder import MARK
from .intro import as_html
from .svg import inline

STYLE = Path(__file__).with_name("page.css")


def page(document: Document) -> str:
    """The document as HTML, style and pictures within."""
    headings = [block for block in document.blocks if isinstance(block, Heading)]
    contents = "".join(_link(each) for each in headings if each.level <= LISTED)
    body = "\n".join(_blocks(document.blocks))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
{MARK}
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(document.title)}</title>
<style>
{STYLE.read_text(encoding="utf-8")}</style>
</head>
<body>
<main>
<h1>{escape(document.title)}</h1>
{as_html(document.intro) if document.intro else ""}
<nav aria-label="Contents"><details><summary>Contents</summary><ul>{contents}</ul></details></nav>
{body}
</main>
</body>
</html>
"""


def _blocks(blocks: Sequence[Block]) -> Iterator[str]:
    for block in blocks:
        match block:
            case Heading(level, text):
                name = f' id="{slug(text)}"' if level <= LISTED else ""
                yield f"<h{level}{name}>{escape(text)}</h{level}>"
            case Text(text):
                yield f"<p>{escape(text)}</p>"
            case Warn(text):
                yield f'<p class="warning" role="note"><strong>Warning.</strong> {escape(text)}</p>'
            case Code(text):
                yield f'<pre tabindex="0"><code>{escape(text)}</code></pre>'
            case Listing(items):
                yield f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>"
            case Table():
                yield _table(block)
            case Pictures(pictures):
                yield '<div class="pictures">'
                for each in pictures:
                    svg = inline(each.svg, each.name, each.alt)
                    yield f"<figure>{svg}<figcaption>{escape(each.caption)}</figcaption></figure>"
                yield "</div>"
            case Folded(title, folded):
                yield f"<details><summary>{escape(title)}</summary>"
                yield from _blocks(folded)
                yield "</details>"


def _table(table: Table) -> str:
    cells = zip(table.head, table.rows[0], strict=True) if table.rows else ()
    head = "".join(f'<th scope="col"{_kind(below)}>{escape(cell)}</th>' for cell, below in cells)
    rows = "\n".join(
        f'<tr><th scope="row">{_cell(row[0])}</th>{"".join(map(_data, row[1:]))}</tr>'
        for row in table.rows
    )
    caption = escape(table.caption)
    # A wide table scrolls within its frame, which the keyboard can reach.
    return (
        f'<div class="table" role="region" aria-label="{caption}" tabindex="0"><table>'
        f"<caption>{caption}</caption>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{rows}\n</tbody></table></div>"
    )


def _data(cell: Cell) -> str:
    return f"<td{_kind(cell)}>{_cell(cell)}</td>"


def _kind(cell: Cell) -> str:
    """Text to the left, numbers to the right."""
    return ' class="text"' if isinstance(cell, str) else ""


def _cell(cell: Cell) -> str:
    if not isinstance(cell, Figure):
        return escape(plain(cell)).replace("/", "/<wbr>")
    drawn = interval(cell)
    reason = f" <small>{escape(cell.reason)}</small>" if cell.value is None and cell.reason else ""
    return number(cell.value) + (f" <small>{drawn}</small>" if drawn else reason)


def _link(heading: Heading) -> str:
    kind = ' class="sub"' if heading.level > 2 else ""
    return f'<li{kind}><a href="#{slug(heading.text)}">{escape(heading.text)}</a></li>'
