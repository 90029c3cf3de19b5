"""Teachers: what other gauges say of the training texts, as targets beside the labels.

A text is scored once by each teacher; its cost is kept in the cache folder under the teacher's id
and the text's hash, for every later run. No text is kept. Such a file can itself be the teacher, so
that a large one need only ever run where there is a GPU.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from tqdm import tqdm

from ..bundle import Manifest, read_bundle
from ..errors import HarmgaugeError
from ..exchange import Exchange
from ..files import cache_root, whole_file
from ..gauge import Floats, load
from ..gauges import find
from .examples import Example, LoadedSource

CHUNK = 2048
"""texts between two writes of the cache: what a kill loses at most"""


def provenance(names: Iterable[str]) -> tuple[Mapping[str, Any], ...]:
    """What a bundle says of its teachers, and of theirs: `gauge`, `licence`, `base`, `data`.

    Raises:
        BundleError: there is no such gauge, or it is damaged.
    """
    return tuple(entry for name in names for entry in _said(name))


def _said(name: str) -> list[dict[str, Any]]:
    """What a teacher says of its own teachers and then of itself."""
    if _is_file_of_costs(name):
        return _read_file(Path(name)).said
    return _said_by(read_bundle(find(name)))


def _said_by(manifest: Manifest) -> list[dict[str, Any]]:
    itself = {
        "gauge": manifest.id,
        "licence": manifest.licence,
        "base": manifest.base["name"],
        "data": [dict(source) for source in manifest.data],
    }
    return [*map(dict, manifest.teachers), itself]


def taught(
    examples: Sequence[Example],
    sources: Iterable[LoadedSource],
    names: Sequence[str],
    *,
    quiet: bool = False,
) -> list[Example]:
    """The examples with their teachers' mean cost, of those that give one.

    Sources with `taught: false` get none.

    Args:
        examples: of all rows of `sources`, in order.
        sources: where the examples' texts are.
        names: installed gauges, folders of bundles, or files of costs.
        quiet: no progress bar.

    Returns:
        As many examples, less those that now teach nothing: neither label, pair nor cost.

    Raises:
        BundleError: a teacher is missing or damaged.
        HarmgaugeError: its costs cannot be kept.
    """
    asked = [
        (item.exchange, loaded.source.taught)
        for loaded in sources
        for row in loaded.rows
        for item in row.items
    ]
    exchanges = [exchange for exchange, is_taught in asked if is_taught]
    each = np.full((len(names), len(asked)), np.nan)
    each[:, [is_taught for _, is_taught in asked]] = [
        _costs(name, exchanges, quiet) for name in names
    ]
    given = np.isfinite(each)
    total = np.where(given, each, 0.0).sum(0)
    costs = iter(np.where(given.any(0), total / given.sum(0).clip(1), np.nan).tolist())
    told = [
        replace(example, teacher=tuple(next(costs) for _ in example.ids)) for example in examples
    ]
    return [example for example in told if _teaches(example)]


def _teaches(example: Example) -> bool:
    return example.safer is not None or not all(map(math.isnan, example.unsafe + example.teacher))


def _costs(name: str, exchanges: Sequence[Exchange], quiet: bool) -> Floats:
    if not _is_file_of_costs(name):
        return teacher_costs(find(name), exchanges, quiet=quiet)
    known = _read_file(Path(name)).costs
    return np.array([known.get(_key(exchange), math.nan) for exchange in exchanges])


def teacher_costs(folder: Path, exchanges: Sequence[Exchange], *, quiet: bool = False) -> Floats:
    """Calibrated costs by the gauge in `folder`, `[n]`; NaN where it could give none.

    The gauge is loaded only if a text is new to the cache.
    """
    manifest = read_bundle(folder)
    path = cache_root() / "teachers" / f"{manifest.id}.npz"
    known = _known(path)
    keys = [_key(exchange) for exchange in exchanges]
    new = {key: exchange for key, exchange in zip(keys, exchanges, strict=True) if key not in known}
    if new:
        gauge = load(folder, threads=torch.get_num_threads())
        waiting = list(new)
        with tqdm(total=len(new), unit="text", desc=gauge.name, disable=quiet) as bar:
            for start in range(0, len(waiting), CHUNK):
                chunk = waiting[start : start + CHUNK]
                costs = gauge.score([new[key] for key in chunk])
                known.update(zip(chunk, costs.tolist(), strict=True))
                _write(Kept(known, _said_by(manifest)), path)
                bar.update(len(chunk))
    return np.array([known[key] for key in keys])


def _key(exchange: Exchange) -> str:
    return hashlib.sha256(json.dumps(exchange.turns).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Kept:
    """A file of costs, by no text but its hash."""

    costs: dict[str, float]
    said: list[dict[str, Any]]
    """of the teacher that gave them, see `provenance`"""


def _is_file_of_costs(name: str) -> bool:
    return name.endswith(".npz")


def _read_file(path: Path) -> Kept:
    try:
        return _read(path)
    except FileNotFoundError:
        raise HarmgaugeError(f"there is no file of a teacher's costs at {path}") from None
    except _BROKEN:
        raise HarmgaugeError(
            f"{path} is not whole, or no file of a teacher's costs; copy it again from the folder "
            "teachers of the cache where the teacher ran"
        ) from None


def _known(path: Path) -> dict[str, float]:
    try:
        return _read(path).costs
    except _BROKEN:  # not there, or not whole
        return {}


def _read(path: Path) -> Kept:
    with np.load(path, allow_pickle=False) as kept:
        keys, costs = kept["keys"].astype(str).tolist(), kept["costs"].tolist()
        return Kept(dict(zip(keys, costs, strict=True)), json.loads(str(kept["said"])))


_BROKEN = (OSError, ValueError, EOFError, KeyError, BadZipFile)


def _write(kept: Kept, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as scratch, scratch.open("wb") as file:
            np.savez(
                file,
                keys=np.array(list(kept.costs), "S32"),
                costs=np.array(list(kept.costs.values())),
                said=np.array(json.dumps(kept.said)),
            )
    except OSError as error:
        raise HarmgaugeError(
            f"the costs of a teacher cannot be written to {path} ({error.strerror}); make room, "
            "or have HARMGAUGE_CACHE name another folder"
        ) from None
