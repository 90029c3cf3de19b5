"""Where base models are found: a folder, the local cache, or the Hub."""

from __future__ import annotations

import os
from pathlib import Path

from ..bundle import sha256


def cache_folder() -> Path:
    """Folder of base models made by `scripts/base_from_package.py`; HARMGAUGE_CACHE moves it."""
    root = os.environ.get("HARMGAUGE_CACHE")
    return (Path(root) if root else Path.home() / ".cache" / "harmgauge") / "bases"


def resolve_base(base: str) -> str:
    """The folder of a base where there is one; anything else is left to be a Hub id."""
    for folder in (Path(base).expanduser(), cache_folder() / base):
        if (folder / "config.json").is_file():
            return str(folder)
    return base


def weights_sha256(base: str) -> str | None:
    """Hash of a base folder's weights; None for a Hub id or sharded weights."""
    path = Path(base) / "model.safetensors"
    return sha256(path) if path.is_file() else None
