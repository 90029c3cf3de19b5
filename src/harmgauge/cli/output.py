"""Files that several verbs write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import HarmgaugeError
from ..files import whole_file


def write_json(path: Path, value: Any) -> None:
    """Write JSON, whole or not at all.

    Raises:
        HarmgaugeError: the file cannot be written.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        with whole_file(path) as scratch:
            scratch.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise HarmgaugeError(f"cannot write {path}: {error.strerror}") from None
