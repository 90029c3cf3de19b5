"""What a run says that Ctrl-C or a full disk stops."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from ..errors import HarmgaugeError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_SIGNS = (*(f"os error {code}" for code in _FULL), "PytorchStreamWriter", "inline_container")
"""what Rust libraries and torch say instead of an OSError"""


@contextmanager
def resumable(folder: Path) -> Iterator[None]:
    """Tell how a run in `folder` goes on after Ctrl-C (exit status 130) or a full disk.

    Raises:
        HarmgaugeError: the disk is full.
    """
    try:
        yield
    except KeyboardInterrupt:
        again = "give the same command again, nothing was trained yet"
        if (folder / "recipe.json").is_file():
            again = f"the same command with --resume goes on from the last checkpoint in {folder}"
        if os.environ.get("RANK", "0") == "0":  # of a launcher's processes one tells it
            click.echo(f"\nharmgauge: stopped; {again}", err=True)
        raise SystemExit(130) from None
    except HarmgaugeError:
        raise
    except Exception as error:
        if not _is_full(error):
            raise
        raise HarmgaugeError(
            f"{folder} cannot be written to, its disk or quota is full; make room there or move "
            "the folder, then give the same command with --resume: what it held before is kept"
        ) from error


def _is_full(error: Exception) -> bool:
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    return any(sign in str(error) for sign in _SIGNS)
