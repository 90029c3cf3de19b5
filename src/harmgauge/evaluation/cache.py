"""What was already scored and measured, kept by the hashes of all that it follows from.

No text is in it: an entry is costs or figures. An interrupted suite goes on where it stopped, and a
second run reads what the first one wrote.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile

import numpy as np

from ..files import cache_root, whole_file
from .scorers import Scored

PACKAGE = Path(__file__).parent.parent


def default_folder() -> Path:
    """Where entries lie if not told otherwise."""
    return cache_root() / "evaluation"


class Cache:
    """Entries in a folder; without one, nothing is kept.

    What cannot be read is computed anew, and what cannot be written is not kept: no figure is lost
    for want of a place to keep it.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self.failure: OSError | None = None
        """why the last entry that could not be written was not kept"""

    def costs(self, facts: Mapping[str, Any], compute: Callable[[], Scored]) -> Scored:
        """Costs that follow from `facts`, computed where they are not kept.

        The code that makes costs, ours and that of the libraries below it, is part of the facts.
        """
        key = {**facts, "code": _digest(*_SCORING), "libraries": _versions()}
        path = self._path("costs", key, ".npz")
        known: Scored | None = _read(path, _read_scored)
        if known is not None:
            return known
        scored = compute()
        kept: dict[str, Any] = {
            "costs": scored.values,
            "counts": json.dumps(dict(scored.counts)),
            "names": json.dumps(list(scored.categories)),
            "categories": list(scored.categories.values()),
        }
        if scored.uncertainty is not None:
            kept["uncertainty"] = scored.uncertainty
        self._write(path, lambda file: np.savez(file, **kept))
        return scored

    def figures(
        self, facts: Mapping[str, Any], compute: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """Figures that follow from `facts`, as plain JSON types; all code is part of the facts."""
        key = {**facts, "code": _digest("."), "libraries": _versions()}
        path = self._path("figures", key, ".json")
        known: dict[str, Any] | None = _read(path, lambda kept: json.loads(kept.read_bytes()))
        if known is None:
            text = json.dumps(compute())
            self._write(path, lambda file: file.write(text.encode()))
            known = json.loads(text)  # the same types, kept or not
            assert known is not None
        return known

    def _path(self, kind: str, facts: Mapping[str, Any], suffix: str) -> Path | None:
        if self._folder is None or None in facts.values():  # something cannot be told apart
            return None
        key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
        return self._folder / kind / f"{key}{suffix}"

    def _write(self, path: Path | None, write: Callable[[IO[bytes]], Any]) -> None:
        if path is None:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(path) as scratch, scratch.open("wb") as file:
                write(file)
        except OSError as error:
            self.failure = error


def _read(path: Path | None, read: Callable[[Path], Any]) -> Any:
    """What is kept there; None where nothing is, or nothing whole."""
    if path is None:
        return None
    try:
        return read(path)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None


def _read_scored(path: Path) -> Scored:
    with np.load(path, allow_pickle=False) as kept:
        categories = zip(json.loads(str(kept["names"])), kept["categories"], strict=True)
        return Scored(
            np.asarray(kept["costs"], np.float64),
            json.loads(str(kept["counts"])),
            dict(categories),
            np.asarray(kept["uncertainty"], np.float64) if "uncertainty" in kept else None,
        )


_LIBRARIES = (
    *("numpy", "onnxruntime", "tokenizers", "torch", "transformers"),
    *("scikit-learn", "scipy"),  # of the bag of words
)


@cache
def _versions() -> dict[str, str]:
    """Of the libraries that costs may depend on, those that are there."""
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


_SCORING = (
    *("exchange.py", "windows.py", "scoring.py", "calibration.py", "scales.py", "gauge.py"),
    *("members.py", "verdict.py", "training/model.py", "training/heads.py"),
    *("runtime", "evaluation/scorers"),
)
"""modules between a text and its cost"""


@cache
def _digest(*places: str) -> str:
    """Hash of the source of modules and packages of harmgauge."""
    digest = hashlib.sha256()
    for place in places:
        path = PACKAGE / place
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return digest.hexdigest()
