"""The folder of a report: nothing in it is lost that is not a report, and none is half written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ...errors import HarmgaugeError, needs_extra
from ...files import whole_folder

PAGE = "report.html"
CONTENTS = (PAGE, "report.md", "pictures")
MARK = '<meta name="generator" content="harmgauge report">'
"""by which a page is known as ours"""


def check_folder(folder: Path) -> None:
    """Whether a report can be written there, to be known before anything is scored.

    Raises:
        HarmgaugeError: it is no folder, or one that holds something other than a report; or the
            extra is not installed.
    """
    try:
        import matplotlib  # noqa: F401
        import yaml  # noqa: F401
    except ImportError:
        raise needs_extra("train", "writing a report") from None
    if not folder.exists():
        return
    if not folder.is_dir():
        raise HarmgaugeError(f"{folder} is a file; give --report a folder")
    held = sorted(each.name for each in folder.iterdir())
    strange = [name for name in held if name not in CONTENTS]
    if not strange and (not held or MARK in _start(folder / PAGE)):
        return
    example = strange[0] if strange else held[0]
    raise HarmgaugeError(
        f"{folder} holds {example}, which is no part of a report; give --report a folder of its own"
    )


def replace_folder(folder: Path, files: Mapping[str, str]) -> None:
    """Write files, whole or not at all, in place of what the folder held.

    Args:
        folder: where; what it held is removed.
        files: path below it -> text.

    Raises:
        HarmgaugeError: it cannot be written.
    """
    try:
        with whole_folder(folder) as new:
            for name, text in files.items():
                path = new / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise HarmgaugeError(f"cannot write {folder}: {error.strerror}") from None


def _start(page: Path) -> str:
    try:
        with page.open(encoding="utf-8") as file:
            return file.read(500)
    except (OSError, UnicodeDecodeError):
        return ""
