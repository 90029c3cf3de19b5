"""Files that are whole or not there, and the folder of what is kept between runs."""

from __future__ import annotations

import os
import tempfile
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


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A new folder beside `path` to fill, which takes its place once the block has ended well.

    What stood there is removed then, or put back where the exchange fails halfway. No system
    replaces a folder in one step: a kill between the two leaves both beside it, in a hidden folder
    as `new` and `old`.
    """
    place = path.resolve()  # of a link what it leads to
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{place.name}.") as scratch:
        new, old = Path(scratch) / "new", Path(scratch) / "old"
        new.mkdir()
        yield new
        try:
            if place.exists():
                os.replace(place, old)
            os.replace(new, place)
        finally:
            if old.exists() and not place.exists():
                os.replace(old, place)


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
