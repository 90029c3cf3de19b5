"""What a bundle reaches on validation data: raw scores, and the figures that its card shows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..calibration import Floats
from ..error_curve import ErrorCurve, error_curves
from ..evaluation.metrics import (
    accuracy,
    auroc,
    calibration_error,
    false_negative_rate,
    false_positive_rate,
    ranking_accuracy,
    recall,
)
from ..exchange import KINDS, Kind
from ..gauge import Gauge
from ..scales import Scales
from ..thresholds import Threshold
from .categories import item_flags
from .examples import LoadedSource, row_weights
from .validation import held_out

Pairs = dict[str, tuple[list[float], list[float]]]
"""raw scores of the safer and of the other response of each pair, by source"""

NOT_CALIBRATED_ON = "validation, prompts not used for the calibration"


@dataclass(frozen=True, slots=True)
class Measured:
    """Validation items with a label, side by side, `[n]` each."""

    source: NDArray[np.str_]
    kind: NDArray[np.str_]
    """as `Exchange.kind`"""
    held_out: NDArray[np.bool_]
    """not used for the calibration"""
    unsafe: Floats
    weight: Floats
    """as in the recipe: `weight`, and `balance`, of the validation sources"""
    raw: Floats
    flags: Floats
    """`[n, categories]`, NaN unknown"""
    category_raw: Floats


def measure(gauge: Gauge, sources: Sequence[LoadedSource]) -> tuple[Measured, Pairs]:
    """Raw scores of all validation items."""
    names = gauge.manifest.category_names
    rows, weights, flags = [], [], []
    for loaded in sources:
        weigh = row_weights(loaded)
        flags += [
            item_flags(item, row.category, loaded.source, names)
            for row in loaded.rows
            for item in row.items
        ]
        rows += loaded.rows
        weights += [weigh(row) for row in loaded.rows for _ in row.items]
    items = [(row, item) for row in rows for item in row.items]
    scores = gauge.raw_scores([item.exchange for _, item in items])
    raw = scores[:, 0]
    known = np.array([item.unsafe is not None for _, item in items])
    labels = np.array([math.nan if i.unsafe is None else i.unsafe for _, i in items])
    measured = Measured(
        source=np.array([row.source for row, _ in items])[known],
        kind=np.array([item.exchange.kind for _, item in items])[known],
        held_out=np.array([held_out(row) for row, _ in items])[known],
        unsafe=labels[known],
        weight=np.array(weights)[known],
        raw=raw[known],
        flags=np.array(flags).reshape(len(items), len(names))[known],
        category_raw=scores[known, 1 : 1 + len(names)],
    )
    pairs: Pairs = {}
    start = 0
    for row in rows:
        if row.safer is not None:
            safer, other = pairs.setdefault(row.source, ([], []))
            safer.append(raw[start + row.safer])
            other.append(raw[start + 1 - row.safer])
        start += len(row.items)
    return measured, pairs


def figures(measured: Measured, pairs: Pairs, scales: Scales) -> list[dict[str, Any]]:
    """Validation figures, an entry of `Manifest.metrics` each: of the prompts that the calibration
    has not seen, together and by kind of input, and of each source."""
    cost = scales.cost(measured.raw, measured.kind)
    test, unsafe = measured.held_out, measured.unsafe >= 0.5
    found = [{"data": NOT_CALIBRATED_ON, **_calibrated(measured, cost, test)}]
    kinds = [kind for kind in KINDS if (measured.kind == kind).any()]
    for kind in kinds if len(kinds) > 1 else ():
        figure = _calibrated(measured, cost, test & (measured.kind == kind))
        found.append({"data": NOT_CALIBRATED_ON, "kind": kind, **figure})
    for source in sorted(set(measured.source)):
        here = measured.source == source
        found.append({"data": f"{source} validation", **_figures(unsafe[here], cost[here])})
    found += [
        {
            "data": f"{source} validation, pairs",
            "n": len(safer),
            "ranking_accuracy": float(ranking_accuracy(safer, other)),
        }
        for source, (safer, other) in sorted(pairs.items())
    ]
    return found


def measured_curves(measured: Measured, scales: Scales, name: str) -> Mapping[Kind, ErrorCurve]:
    """What a threshold costs, by kind of input, on the prompts that the calibration has not seen.

    Args:
        measured: validation items.
        scales: make costs of them.
        name: of the recipe, for the record.
    """
    test = measured.held_out
    unsafe, raw, kind = measured.unsafe[test] >= 0.5, measured.raw[test], measured.kind[test]
    return error_curves(unsafe, scales.cost(raw, kind), kind, data=f"{name} {NOT_CALIBRATED_ON}")


def reached(
    measured: Measured, scales: Scales, thresholds: Sequence[Threshold], kinds: Sequence[str]
) -> list[dict[str, Any]]:
    """What share of the unsafe validation texts of these kinds reaches each threshold, an entry of
    `Manifest.metrics` each; nothing is chosen on it."""
    here = np.isin(measured.kind, kinds) & (measured.unsafe >= 0.5)
    cost = scales.cost(measured.raw[here], measured.kind[here])
    return [
        {
            "data": "validation, unsafe texts",
            "threshold": threshold.name,
            "n": int(here.sum()),
            "recall": _or_none(recall(np.ones(len(cost), bool), cost >= threshold.cost)),
        }
        for threshold in thresholds
    ]


def _calibrated(measured: Measured, cost: Floats, here: NDArray[np.bool_]) -> dict[str, Any]:
    unsafe, weight = measured.unsafe[here], measured.weight[here]
    return {
        "n": int(here.sum()),
        "ece": _or_none(calibration_error(unsafe, cost[here], weight)),
        "sign_accuracy": _or_none(accuracy(unsafe >= 0.5, cost[here] >= 0)),
    }


def _figures(unsafe: NDArray[np.bool_], cost: Floats) -> dict[str, Any]:
    flagged = cost >= 0
    return {
        "n": len(unsafe),
        "auroc": _or_none(auroc(unsafe, cost)),
        "sign_accuracy": _or_none(accuracy(unsafe, flagged)),
        "false_positive_rate": _or_none(false_positive_rate(unsafe, flagged)),
        "false_negative_rate": _or_none(false_negative_rate(unsafe, flagged)),
    }


def _or_none(value: Floats) -> float | None:
    return None if np.isnan(value) else float(value)
