"""A report for people: a page, and Markdown with its pictures. Needs the extra `train`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import HarmgaugeError
from ..results import FORMAT_VERSION
from .folder import check_folder, replace_folder
from .intro import read_intro

__all__ = ["check_folder", "read_intro", "write_report"]


def write_report(
    results: Mapping[str, Any], folder: Path, *, title: str | None = None, intro: str = ""
) -> None:
    """Write a folder with the page, the Markdown and its pictures; an older report is replaced.

    Args:
        results: figures of a run, see `evaluation.results.to_json`.
        folder: new, empty, or an older report.
        title: its heading; None says what was measured.
        intro: Markdown to stand first, see `read_intro`.

    Raises:
        HarmgaugeError: the figures are of another format version, the folder holds something else
            or cannot be written, or matplotlib or PyYAML is not installed.
    """
    if results["format_version"] != FORMAT_VERSION:
        raise HarmgaugeError(
            f"these figures have format version {results['format_version']}, and this harmgauge "
            f"reads {FORMAT_VERSION}; measure anew, which scores nothing that is kept"
        )
    from .blocks import Picture, Pictures
    from .document import document
    from .markdown import markdown
    from .page import page
    from .svg import standalone

    check_folder(folder)
    said = document(results, title, intro)
    pictures: list[Picture] = [
        picture
        for block in said.blocks
        if isinstance(block, Pictures)
        for picture in block.pictures
    ]
    files = {f"pictures/{each.name}.svg": standalone(each.svg) for each in pictures}
    files["report.html"] = page(said)
    files["report.md"] = markdown(said, "pictures")
    replace_folder(folder, files)
