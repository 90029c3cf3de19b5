"""Files that are whole or not there, and the folder of what is kept between runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import HarmgaugeError

SCRATCH = ".*.part"
"""what names of files match that are being written"""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A file beside `path` to write, which takes its place once the block has ended well.

    Where it has not, `path` is as it was and nothing is left beside it, but for a kill.
    """
    scratch = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield scratch
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


def cache_root() -> Path:
    """Where harmgauge keeps what it can make again; HARMGAUGE_CACHE moves it.

    Raises:
        HarmgaugeError: that is not set, and the user has no home.
    """
    if root := os.environ.get("HARMGAUGE_CACHE"):
        return Path(root)
    try:
        return Path.home() / ".cache" / "harmgauge"
    except RuntimeError:
        raise HarmgaugeError(
            "there is no home folder to keep a cache in; have HARMGAUGE_CACHE name a folder"
        ) from None
