"""Scores made elsewhere, in a file."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from ...bundle import sha256
from ...data.formats import iter_records
from ...data.labels import is_missing
from ...errors import DataError
from .base import Batch, Scored


class StoredSource:
    """A csv or jsonl file with the columns `id`, `score` and, where it covers several data files,
    `data`.

    An id is that of the batch (`test.jsonl:17`, of a pair `test.jsonl:17/0`) or the row number
    alone (`17`, `17/0`).
    """

    def __init__(self, name: str, path: Path) -> None:
        """Read the file.

        Raises:
            DataError: it cannot be read, lacks a column, or has a score that is no number.
        """
        self._name = name
        self._path = path
        self._by_data: dict[str | None, list[tuple[str, float]]] = {}
        self._unnamed_for: str | None = None
        self.facts: dict[str, Any] = {"scores": path.name}
        for number, record in iter_records(path):
            if isinstance(record, DataError):
                raise DataError(f"{path}: row {number}: {record}")
            if "id" not in record:
                raise DataError(f"{path}: row {number} has no column id")
            id = str(record["id"]).strip()
            if "score" not in record:
                raise DataError(f"{path}: row {number}, id {id}, has no column score")
            data = None if is_missing(record.get("data")) else str(record["data"])
            score = _score(record["score"], f"{path}: row {number}, id {id},")
            self._by_data.setdefault(data, []).append((id, score))
        self.identity = sha256(path)

    def scores(self, batch: Batch, *, progress: bool) -> Scored:
        """Raises:
        DataError: an id stands twice, or for no row of the batch.
        """
        named = self._by_data.get(batch.data, [])
        rows = named or self._of_the_only_set(batch.data)
        place = {id: row for row, id in enumerate(batch.ids)}
        numbers = [id.rpartition(":")[2] for id in batch.ids]
        alike = Counter(numbers)  # a set of several files has rows of one number
        place |= {number: row for row, number in enumerate(numbers) if alike[number] == 1}
        scores = np.full(len(batch.ids), np.nan)
        seen = np.zeros(len(batch.ids), bool)
        doubled = unknown = 0
        for id, score in rows:
            row = place.get(id)
            if row is None:
                unknown += 1
            elif seen[row]:
                doubled += 1
            else:
                scores[row], seen[row] = score, True
        # Rows that the harness leaves out are as good as unknown, unless the file names its data.
        if doubled or (unknown and not named):
            raise DataError(
                f"{self._path}: of {len(rows)} scores for {batch.data}, {unknown} have an id that "
                f"is no row measured there and {doubled} one that stood before; remove those, and "
                "where some rows are left out on purpose add a column data that says "
                f"{batch.data}"
            )
        if named and not seen.any():
            raise DataError(
                f"{self._path}: none of the {len(rows)} scores for {batch.data} has the id of a "
                f"row; ids look like {next(iter(batch.ids), 'test.jsonl:1')}"
            )
        return Scored(scores, {"missing": int(np.isnan(scores).sum()), "unused": unknown})

    def _of_the_only_set(self, data: str) -> list[tuple[str, float]]:
        """Scores that name no data: they are of one set, since row numbers are alike in all."""
        if self._unnamed_for not in (None, data):
            raise DataError(
                f"{self._path} has no column data, so it covers one data set, and {data} "
                f"is another than {self._unnamed_for}; add the column, or measure one at a time"
            )
        self._unnamed_for = data
        return self._by_data.get(None, [])


def _score(value: Any, where: str) -> float:
    if is_missing(value):
        return math.nan
    try:
        score = float(value)
    except (TypeError, ValueError, OverflowError):
        raise DataError(f"{where} has a score that is no number; leave it blank if none") from None
    return score if math.isfinite(score) else math.nan
