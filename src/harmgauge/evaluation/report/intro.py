"""What someone wants said before a report's own words: a Markdown file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import HarmgaugeError, needs_extra

if TYPE_CHECKING:
    from markdown_it import MarkdownIt


def read_intro(path: Path) -> str:
    """The text of an introduction, to be known before anything is scored.

    Raises:
        HarmgaugeError: it cannot be read, has a heading of level 1, or markdown-it-py is not
            installed.
    """
    try:
        text = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise HarmgaugeError(f"cannot read --intro {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise HarmgaugeError(f"--intro {path} is no UTF-8 text; give a Markdown file") from None
    if any(token.tag == "h1" for token in _parser().parse(text)):
        raise HarmgaugeError(
            f"--intro {path} has a heading of level 1, which is the report's title (--title); "
            "begin with ##"
        )
    return text


def as_html(intro: str) -> str:
    """HTML of an introduction: what is HTML in it stands as text, and no picture is fetched."""
    html: str = _parser().render(intro)
    return html


def _parser() -> MarkdownIt:
    try:
        from markdown_it import MarkdownIt
    except ImportError:
        raise needs_extra("train", "an introduction of a report") from None
    return MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
