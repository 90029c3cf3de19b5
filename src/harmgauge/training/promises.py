"""Thresholds with a promise, from safe texts that neither training nor validation has seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data.hub import data_sha256
from ..data.normalise import normalise
from ..data.row import Row
from ..gauge import Gauge
from ..recalibration import Labelled
from ..scales import Scales
from ..thresholds import SORTS, Threshold, safe_items_needed, threshold_at
from .examples import LoadedSource

RATES = (0.01, 0.05)
"""what is promised: at most so large a share of safe texts is called unsafe"""
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class SafeTexts:
    """Safe texts of one sort, one a prompt."""

    sort: str
    """prompts or responses"""
    texts: Labelled
    data: str
    sha256: tuple[str, ...]
    """of the files they come from"""
    licences: tuple[str, ...]
    """of their sources"""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of input that the thresholds are for."""
        return SORTS[self.sort]

    def find(self, gauge: Gauge, scales: Scales) -> tuple[list[Threshold], list[dict[str, Any]]]:
        """The thresholds that they are enough for, and an entry of `Manifest.metrics` for each
        that they are too few for.

        Args:
            gauge: gives the raw scores.
            scales: make costs of them.
        """
        raw = gauge.raw_scores(self.texts.exchanges)[:, 0]
        costs = scales.cost(raw, self.texts.kinds)
        judged = int(np.isfinite(costs).sum())
        missing = self._missing(judged)
        found = [
            threshold_at(
                rate,
                costs,
                data=self.data,
                confidence=CONFIDENCE,
                name=self._name(rate),
                sha256=self.sha256,
                licences=self.licences,
                kinds=self.texts.held_kinds,
            )
            for rate in RATES
            if self._name(rate) not in missing
        ]
        data = f"safe {self.sort}, one a prompt"
        return found, [
            {"data": data, "threshold": name, "n": judged, "takes": takes}
            for name, takes in missing.items()
        ]

    def _missing(self, n: int) -> dict[str, int]:
        """Each threshold that `n` texts are too few for, and how many it takes."""
        takes = {self._name(rate): safe_items_needed(rate, CONFIDENCE) for rate in RATES}
        return {name: needed for name, needed in takes.items() if n < needed}

    def _name(self, rate: float) -> str:
        return f"{self.sort}_fpr{100 * rate:g}"

    def __str__(self) -> str:
        n = len(self.texts.exchanges)
        lacking = (
            f"; too few for {name}, which takes {takes}" for name, takes in self._missing(n).items()
        )
        return f"{self.sort}: {n} safe texts, one a prompt{''.join(lacking)}"


def safe_texts(sources: Sequence[LoadedSource], seen: Iterable[LoadedSource]) -> list[SafeTexts]:
    """The safe texts of the sources of thresholds, by sort.

    Rows whose prompt stands in `seen`, whatever its case, spaces and punctuation, are left out of
    `sources` and counted: a promise needs texts on which nothing was fitted or chosen.

    Args:
        sources: of `data.thresholds`; changed in place.
        seen: those of training and validation.
    """
    _drop_seen(sources, {normalise(row.group) for loaded in seen for row in loaded.rows})
    return [_of_sort(sort, sources) for sort in SORTS] if sources else []


def _drop_seen(sources: Iterable[LoadedSource], prompts: set[str]) -> None:
    for loaded in sources:
        kept = [row for row in loaded.rows if normalise(row.group) not in prompts]
        loaded.report.leaked = len(loaded.rows) - len(kept)
        loaded.report.used = len(kept)
        loaded.report.unsafe = int(Labelled.of(kept).unsafe.sum())
        loaded.rows[:] = kept


def _of_sort(sort: str, sources: Sequence[LoadedSource]) -> SafeTexts:
    found = [(loaded, row) for loaded in sources for row in loaded.rows]
    texts = Labelled.of(row for _, row in found)
    kinds = np.isin(texts.kinds, SORTS[sort])
    chosen = texts.take(np.flatnonzero(kinds & ~texts.unsafe).tolist())
    from_these = [loaded for loaded in sources if any(_has(row, sort) for row in loaded.rows)]
    digests = (data_sha256(loaded.file) for loaded in from_these)
    return SafeTexts(
        sort,
        chosen.take(chosen.one_a_prompt()),
        ", ".join(dict.fromkeys(loaded.report.source for loaded in from_these)),
        tuple(dict.fromkeys(digest for digest in digests if digest)),
        tuple(dict.fromkeys(loaded.report.licence for loaded in from_these)),
    )


def _has(row: Row, sort: str) -> bool:
    return any(
        item.exchange.kind in SORTS[sort] and item.unsafe is not None and item.unsafe < 0.5
        for item in row.items
    )
