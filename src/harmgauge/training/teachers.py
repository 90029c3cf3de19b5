"""Teachers: what other gauges say of the training texts, as targets beside the labels.

A text is scored once by each teacher; its cost is kept in the cache folder under the teacher's id
and the text's hash, for every later run. No text is kept.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from tqdm import tqdm

from ..bundle import Manifest, read_bundle
from ..errors import HarmgaugeError
from ..exchange import Exchange
from ..gauge import Floats, load
from ..gauges import find
from .bases import cache_folder
from .examples import Example, LoadedSource

CHUNK = 2048
"""texts between two writes of the cache: what a kill loses at most"""


def provenance(names: Iterable[str]) -> tuple[Mapping[str, Any], ...]:
    """What a bundle says of its teachers, and of theirs: `gauge`, `licence`, `base`, `data`.

    Raises:
        BundleError: there is no such gauge, or it is damaged.
    """
    manifests = [read_bundle(find(name)) for name in names]
    return tuple(entry for manifest in manifests for entry in (*manifest.teachers, _said(manifest)))


def _said(manifest: Manifest) -> dict[str, Any]:
    return {
        "gauge": manifest.id,
        "licence": manifest.licence,
        "base": manifest.base["name"],
        "data": [dict(source) for source in manifest.data],
    }


def taught(
    examples: Sequence[Example],
    sources: Iterable[LoadedSource],
    names: Sequence[str],
    *,
    quiet: bool = False,
) -> list[Example]:
    """The examples with their teachers' mean cost.

    Args:
        examples: of all rows of `sources`, in order.
        sources: where the examples' texts are.
        names: installed gauges, or folders of bundles.
        quiet: no progress bar.

    Raises:
        BundleError: a teacher is missing or damaged.
        HarmgaugeError: its costs cannot be kept.
    """
    exchanges = [item.exchange for loaded in sources for row in loaded.rows for item in row.items]
    each = [teacher_costs(find(name), exchanges, quiet=quiet) for name in names]
    costs = iter(np.mean(each, axis=0).tolist())
    return [
        replace(example, teacher=tuple(next(costs) for _ in example.ids)) for example in examples
    ]


def fastest_device(runtime: str) -> str:
    """Where a bundle of this runtime is scored: on a GPU where there is one and it can use it."""
    return "cuda" if runtime == "torch" and torch.cuda.is_available() else "cpu"


def teacher_costs(folder: Path, exchanges: Sequence[Exchange], *, quiet: bool = False) -> Floats:
    """Calibrated costs by the gauge in `folder`, `[n]`; NaN where it could give none.

    The gauge is loaded only if a text is new to the cache.
    """
    manifest = read_bundle(folder)
    path = cache_folder().parent / "teachers" / f"{manifest.id}.npz"
    known = _read(path)
    keys = [_key(exchange) for exchange in exchanges]
    new = {key: exchange for key, exchange in zip(keys, exchanges, strict=True) if key not in known}
    if new:
        gauge = load(
            folder, threads=torch.get_num_threads(), device=fastest_device(manifest.runtime)
        )
        waiting = list(new)
        with tqdm(total=len(new), unit="text", desc=gauge.name, disable=quiet) as bar:
            for start in range(0, len(waiting), CHUNK):
                chunk = waiting[start : start + CHUNK]
                costs = gauge.score([new[key] for key in chunk])
                known.update(zip(chunk, costs.tolist(), strict=True))
                _write(known, path)
                bar.update(len(chunk))
    return np.array([known[key] for key in keys])


def _key(exchange: Exchange) -> str:
    return hashlib.sha256(json.dumps(exchange.turns).encode()).hexdigest()[:32]


def _read(path: Path) -> dict[str, float]:
    try:
        with np.load(path, allow_pickle=False) as kept:
            keys, costs = kept["keys"].astype(str).tolist(), kept["costs"].tolist()
            return dict(zip(keys, costs, strict=True))
    except (OSError, ValueError, EOFError, KeyError, BadZipFile):  # not there, or not whole
        return {}


def _write(known: Mapping[str, float], path: Path) -> None:
    scratch = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(scratch, keys=np.array(list(known), "S32"), costs=np.array(list(known.values())))
        os.replace(scratch, path)
    except OSError as error:
        raise HarmgaugeError(
            f"the costs of a teacher cannot be written to {path} ({error.strerror}); make room, "
            "or have HARMGAUGE_CACHE name another folder"
        ) from None
