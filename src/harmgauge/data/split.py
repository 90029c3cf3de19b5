"""Split a file by prompt, the same way however many rows are added later."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import DataError, HarmgaugeError
from ..files import whole_file
from .columns import Columns
from .fields import Fields
from .normalise import normalise
from .read import open_data
from .row import BadRow, Row


@dataclass(frozen=True, slots=True)
class Split:
    """How many rows and prompts went where, and which rows went nowhere."""

    files: Mapping[str, Path]
    rows: Mapping[str, int]
    prompts: Mapping[str, int]
    bad: list[BadRow]


def split(
    path: str | Path,
    folder: Path,
    shares: Mapping[str, float],
    *,
    seed: int = 0,
    schema: str | None = None,
    columns: Columns | None = None,
) -> Split:
    """Write the records of a file, unchanged and in order, to `folder/PART.jsonl`.

    A part is chosen by a hash of the seed and of the prompt (`Row.group`, normalised, so that
    near-exact prompts stay together). It depends on nothing else: rows added later move no other,
    and one seed splits several files alike.

    Raises:
        DataError: shares are not between 0 and 1 with sum 1, a file exists, or `path` or all of
            its rows cannot be read.
    """
    if min(shares.values()) < 0 or not abs(sum(shares.values()) - 1) < 1e-6:
        stated = ", ".join(f"{part} {share:g}" for part, share in shares.items())
        raise DataError(f"shares must be positive and sum to 1, found {stated}")
    files = {part: folder / f"{part}.jsonl" for part, share in shares.items() if share > 0}
    for file in files.values():
        if file.exists():
            raise DataError(f"{file} exists; name another folder, or remove it first")

    opened = open_data(path, schema=schema, columns=columns)
    lines: dict[str, list[str]] = {part: [] for part in files}
    prompts: dict[str, set[str]] = {part: set() for part in files}
    bad = []
    for row_id, record in opened.records:
        try:
            if isinstance(record, DataError):
                raise record
            reading = opened.schema.read(Fields(record))
        except HarmgaugeError as error:
            bad.append(BadRow(row_id, str(error)))
            continue
        prompt = normalise(Row(row_id, opened.source, reading.items).group)
        part = part_of(prompt, {part: shares[part] for part in files}, seed)
        prompts[part].add(prompt)
        lines[part].append(json.dumps(record, default=str) + "\n")

    if len(bad) == len(opened.records):
        raise DataError(
            f"{path}: none of its {len(bad)} rows can be read as {opened.schema.name}; the first: "
            f"{bad[0].error}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for part, file in files.items():
        with whole_file(file) as scratch:
            scratch.write_text("".join(lines[part]), encoding="utf-8")
    return Split(
        files,
        {part: len(lines[part]) for part in files},
        {part: len(prompts[part]) for part in files},
        bad,
    )


def part_of(prompt: str, shares: Mapping[str, float], seed: int) -> str:
    """The part of a prompt: its hash, read as a number from 0 to 1, falls into a share."""
    digest = hashlib.sha256(f"{seed}\n{prompt}".encode()).digest()
    position = int.from_bytes(digest[:8], "big") / 2**64
    end = 0.0
    for part, share in shares.items():
        end += share
        if position < end:
            return part
    return part  # shares sum to 1 but for rounding
