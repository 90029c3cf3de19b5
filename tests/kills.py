"""A process that is killed, played in this one: from some write on, none below a folder happens."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WRITES = {"open", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "shutil.rmtree"}


class Kill(BaseException):
    """No handler of errors catches it, and what handlers would clean up stays as it is."""


class _Death:
    """Counts writes below a folder, as Python's audit hooks tell of them; raises from one on."""

    def __init__(self, folder: Path, at: float) -> None:
        self.folder, self.at, self.count = str(folder), at, 0

    def see(self, event: str, args: tuple) -> None:
        if event not in WRITES or (event == "open" and not args[2] & (os.O_WRONLY | os.O_RDWR)):
            return
        if any(str(each).startswith(self.folder) for each in args if isinstance(each, str | Path)):
            self.count += 1
        if self.count > self.at:
            raise Kill


_now: _Death | None = None
_hooked = False


def _hook(event: str, args: tuple) -> None:
    if _now is not None:
        _now.see(event, args)


@contextmanager
def killed(folder: Path, at: float) -> Iterator[_Death]:
    """Let `at` writes below `folder` happen, then raise `Kill` at each, which ends here."""
    global _now, _hooked
    if not _hooked:
        sys.addaudithook(_hook)  # can never be taken away
        _hooked = True
    _now = _Death(folder, at)
    try:
        yield _now
    except Kill:
        pass
    finally:
        _now = None
