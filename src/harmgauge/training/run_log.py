"""The log of a run: a line a record in its folder, and the same figures to trackers."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from accelerate import Accelerator
from accelerate.tracking import get_available_trackers
from accelerate.utils import LoggerType

from ..errors import RecipeError


def check_trackers(names: Sequence[str]) -> None:
    """See that each of `report_to` is known and installed.

    Raises:
        RecipeError: one is not.
    """
    known = [name for name in LoggerType.list() if name != LoggerType.ALL]
    for name in names:
        problem = None
        if name not in known:
            problem = f"is not supported, only {', '.join(known)} are"
        elif LoggerType(name) not in get_available_trackers():
            problem = f"is not installed; install it, such as by pip install {name}"
        if problem:
            raise RecipeError(f"report_to={', '.join(names)}: {name} {problem}")


class RunLog:
    """Records of a run, written by the main process alone."""

    def __init__(self, path: Path, accelerator: Accelerator) -> None:
        self._accelerator = accelerator
        self._file = (path if accelerator.is_main_process else Path(os.devnull)).open(
            "a", buffering=1, encoding="utf-8"
        )

    def write(self, record: Mapping[str, Any]) -> None:
        """Add a record, which has `step`, or `evaluated_at` and `weights`."""
        self._file.write(json.dumps(record) + "\n")
        step = record["step"] if "step" in record else record["evaluated_at"]
        prefix = "average/" if record.get("weights") == "average" else ""
        self._accelerator.log(dict(_figures(record, prefix)), step=step)

    def flush(self) -> None:
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()


def _figures(record: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, float]]:
    """Numbers by flat names, such as auroc/SOURCE; no text."""
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from _figures(value, f"{prefix}{name}/")
        elif isinstance(value, (int, float)) and name not in ("step", "evaluated_at"):
            yield f"{prefix}{name}", float(value)
