"""Files that several verbs write."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ..errors import HarmgaugeError


def write_json(path: Path, value: Any) -> None:
    """Write JSON, whole or not at all.

    Raises:
        HarmgaugeError: the file cannot be written.
    """
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        scratch.write_text(f"{text}\n", encoding="utf-8")
        os.replace(scratch, path)
    except OSError as error:
        raise HarmgaugeError(f"cannot write {path}: {error.strerror}") from None
    finally:
        scratch.unlink(missing_ok=True)
