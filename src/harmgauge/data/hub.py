"""Data sets of the Hugging Face Hub: the one part of reading that touches the network."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import DataError, needs_extra
from ..files import whole_file
from .templates.family import TEMPLATES

HUB = "hub:"
"""Prefix by which a Hub id is asked for, so that a mistyped path never goes out."""


def hub_records(address: str) -> tuple[str, str, list[dict[str, Any]]]:
    """Load `hub:OWNER/NAME[:SPLIT]` (split train where none is named).

    Returns:
        The Hub id, the split and its records.

    Raises:
        DataError: the address is malformed, or the data set cannot be reached or has no such split.
    """
    hub_id, _, split = address.removeprefix(HUB).partition(":")
    split = split or "train"
    return hub_id, split, list(_load(hub_id, split=split))


def fetch(hub_id: str, folder: Path, splits: Sequence[str] = (), **options: Any) -> dict[Path, int]:
    """Write splits of a data set to `folder/SPLIT.jsonl`; without names, all of them.

    Args:
        hub_id: OWNER/NAME.
        folder: where the files go; it is made.
        splits: names of the splits.
        options: `name` (configuration), `data_dir` and `revision` of `datasets.load_dataset`.

    Returns:
        The rows of each file written.

    Raises:
        DataError: the data set cannot be reached, has no such split, or a file exists.
    """
    if splits:
        parts = {split: _load(hub_id, split=split, **options) for split in splits}
    else:
        parts = dict(_load(hub_id, **options))
    written = {}
    for split, records in parts.items():
        file = folder / f"{split}.jsonl"
        if file.exists():
            raise DataError(f"{file} exists; name another folder, or remove it first")
        folder.mkdir(parents=True, exist_ok=True)
        with whole_file(file) as scratch, scratch.open("w", encoding="utf-8") as lines:
            for record in records:
                lines.write(json.dumps(record, default=str) + "\n")
        written[file] = len(records)
    return written


def _load(hub_id: str, **options: Any) -> Any:
    owner, _, name = hub_id.partition("/")
    if not owner or not name or "/" in name:
        raise DataError(f"{hub_id!r} is no Hub id; write OWNER/NAME")
    try:
        import datasets
    except ImportError as error:
        raise needs_extra("train", "reading from the Hub") from error
    # Its retries and warnings would bury the one line that says what is wrong.
    logging.getLogger("huggingface_hub").setLevel(logging.CRITICAL)
    datasets.utils.logging.set_verbosity(logging.CRITICAL)
    try:
        return datasets.load_dataset(hub_id, **options)
    except Exception as error:  # dozens of types, most for want of a network or of the name
        what = " ".join([hub_id, *(f"{key} {value}" for key, value in options.items() if value)])
        raise DataError(
            f"{what} could not be fetched from the Hub ({type(error).__name__}): "
            "check the name and the network, or use a local file"
        ) from error


def is_address(path: str) -> bool:
    """True of what is no file: a Hub id, or templates."""
    return path.startswith((HUB, TEMPLATES))


def data_name(file: str) -> str:
    """Folder and file, since many sets are called test.jsonl; an address stays as it is."""
    return file if is_address(file) else "/".join(Path(os.path.abspath(file)).parts[-2:])


def data_sha256(file: str) -> str | None:
    """Digest of a file; None of what is no file."""
    from ..bundle import sha256  # brings numpy, which --help does without

    return None if is_address(file) else sha256(Path(file))
