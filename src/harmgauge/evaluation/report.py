"""Measurements as a text table for people and as JSON with all figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import __version__
from ..verdict import DIRECTION
from .evaluate import Measurement
from .measure import Figure, Scores

FORMAT_VERSION = 1

_LABELS = {
    "sign_accuracy": "sign accuracy",
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "f1": "F1 of unsafe",
    "recall": "recall",
    "false_positive_rate": "false positives",
    "mixed": "mixed",
    "both_unsafe": "both unsafe",
    "both_safe": "both safe",
    "unlabelled": "unlabelled",
    "overall": "all strata",
}


def to_json(
    measurements: Sequence[Measurement],
    gauges: Mapping[str, Mapping[str, Any]],
    command: str,
    bag_of_words: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The report as plain JSON types.

    Args:
        measurements: one a file.
        gauges: name -> what identifies each gauge: `id`, `licence`.
        command: the command line that gives these figures again.
        bag_of_words: `data` and `sha256` of each training file of that floor.
    """
    return {
        "format_version": FORMAT_VERSION,
        "direction": DIRECTION,
        "command": command,
        "code_version": __version__,
        "gauges": {name: dict(facts) for name, facts in gauges.items()},
        "bag_of_words": [dict(facts) for facts in bag_of_words],
        "mean_auroc": {name: mean_auroc(measurements, name)[0] for name in gauges},
        "measurements": [measurement.to_dict() for measurement in measurements],
    }


def block(measurement: Measurement) -> str:
    """One file for people: a line a figure, a column a gauge, then the floors."""
    if not measurement.n and not measurement.pairs:
        remedy = "nothing to measure: no labels and no pairs; state a label with --label 0 or 1"
        return "\n".join([*_heading(measurement), f"  {remedy}"])
    columns = {**measurement.gauges, **measurement.floors}
    table = [["", *columns]]
    for name in _names(columns, "figures"):
        table.append([_LABELS[name], *(_cell(each.figures.get(name)) for each in columns.values())])
    ranking = _names(columns, "ranking")
    if ranking:
        table.append(["ranking accuracy by stratum", *("" for _ in columns)])
    for name in ranking:
        figures = [each.ranking.get(name) for each in columns.values()]
        n = max(figure.n for figure in figures if figure)
        table.append([f"  {_LABELS[name]} (n={n})", *map(_cell, figures)])
    return "\n".join([*_heading(measurement), *_aligned(table)])


def summary(measurements: Sequence[Measurement]) -> str:
    """Each gauge's AUROC averaged over data sets; empty with fewer than two that have one."""
    lines = []
    for name in dict.fromkeys(name for each in measurements for name in each.gauges):
        mean, n = mean_auroc(measurements, name)
        if n > 1:
            lines.append(f"{name}: mean AUROC {_number(mean)} over {n} data sets with both classes")
    return "\n".join(lines)


def mean_auroc(measurements: Sequence[Measurement], gauge: str) -> tuple[float | None, int]:
    """Plain mean of a gauge's AUROC over data sets that have one, and how many these are."""
    figures = [each.gauges[gauge].figures.get("auroc") for each in measurements]
    values = [figure.value for figure in figures if figure and figure.value is not None]
    return (float(np.mean(values)) if values else None), len(values)


def _heading(measurement: Measurement) -> list[str]:
    facts = [f"{measurement.rows} rows", f"{measurement.bad_rows} bad"]
    if measurement.left_out:
        facts.append(f"{measurement.left_out} left out by label or as repeats")
    if measurement.pairs:
        facts.append(f"{measurement.pairs} pairs")
    facts.append(f"n={measurement.n} labelled")
    if measurement.n:
        facts.append(f"{measurement.unsafe / measurement.n:.1%} unsafe")
    if measurement.n < measurement.items:
        facts.append(f"{measurement.items - measurement.n} without label")
    facts.append(f"{measurement.prompts} prompts")
    if measurement.blank:
        facts.append(f"{measurement.blank} blank, never flagged")
    failed = {name: scores.failed for name, scores in measurement.gauges.items() if scores.failed}
    facts += [f"{n} failed with {name}, left out" for name, n in failed.items()]
    if measurement.n and measurement.one_class:
        facts.append(f"no AUROC: {measurement.one_class}")
    lines = [measurement.data, "  " + " · ".join(facts)]
    interval = f"95 % intervals: {measurement.draws} draws of prompts, seed {measurement.seed}"
    short = measurement.sha256[:12] if measurement.sha256 else "none"
    lines.append(
        f"  flagged at cost >= {measurement.threshold:g} · {interval} · file sha256 {short}"
    )
    return lines


def _names(columns: Mapping[str, Scores], kind: str) -> list[str]:
    return list(dict.fromkeys(name for each in columns.values() for name in getattr(each, kind)))


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return ""
    if figure.value is None or figure.low is None or figure.high is None:
        return _number(figure.value)
    return f"{_number(figure.value)} [{_number(figure.low)}, {_number(figure.high)}]"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
