"""What verbs share that fit a gauge to labelled rows: read, score, tell."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from ..errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..bundle import Manifest
    from ..gauge import Gauge
    from ..recalibration import Labelled, Method
    from ..scales import Scales


def read_labelled(
    files: tuple[str, ...],
    layout: dict[str, Any],
    meaning: dict[str, Any],
    data: str,
    rates: tuple[float, ...],
    confidence: float,
    method: Method | None,
    scales: Scales,
) -> Labelled:
    """The labelled texts of the files, checked to be enough; of thresholds alone, one a prompt."""
    from ..data.read import read_rows
    from ..recalibration import Labelled, fittable, untouched
    from ..thresholds import check_enough

    tables = [read_rows(file, **layout, **meaning) for file in files]
    texts = Labelled.of(row for table in tables for row in table.rows)
    bad = sum(len(table.bad) for table in tables)
    sample = texts.take(texts.one_a_prompt())
    safe = int((~sample.unsafe).sum())
    click.echo(
        f"{data}: {len(texts.exchanges)} labelled texts, {safe} prompts with a safe one; left out: "
        f"{texts.blank} blank texts, {bad} rows that could not be read"
    )
    if (rows := sum(len(table.rows) for table in tables)) and not len(texts.label) + texts.blank:
        raise DataError(
            f"{data}: none of its {rows} rows has a label; if all are safe give --label 0, else "
            "name the column that says it with --label-column"
        )
    if method is not None:
        fittable(method, texts, data, scales)
    if rates:
        may = untouched(sample, scales, method)
        if not may.all():
            click.echo(
                "thresholds rest on the half of the prompts to which no scale is fitted: there "
                "are texts of kinds with scales of their own"
            )
            safe = int((~sample.unsafe[may]).sum())
        for rate in rates:
            check_enough(safe, rate, confidence, data)
    return sample if method is None else texts


def score_labelled(gauge: Gauge, texts: Labelled) -> tuple[Labelled, NDArray[Any]]:
    """Raw scores, and the texts that have one."""
    import numpy as np

    raw = gauge.raw_scores(texts.exchanges, progress=sys.stderr.isatty())[:, 0]
    judged = np.flatnonzero(np.isfinite(raw))
    if len(judged) < len(raw):
        click.echo(f"{len(raw) - len(judged)} texts could not be judged and are left out")
    return texts.take(judged.tolist()), raw[judged]


def tell_scales(before: Scales, manifest: Manifest) -> None:
    for kind, new in manifest.scales.named.items():
        if new == before.of(kind):
            click.echo(f"scale{of_kind(kind)}: stays, its texts are too few or none")
            continue
        shape = f", {len(new.knots)} knots" if new.knots else ""
        click.echo(
            f"scale{of_kind(kind)}: bias {new.bias:+.4g}, temperature {new.temperature:.4g}, prior "
            f"{new.prior:.4g}{shape}; fitted on {new.n} texts"
        )
    figures = manifest.metrics[-1]
    for key, word in (("ece", "ECE"), ("brier", "Brier score")):
        if key in figures:
            click.echo(
                f"  {word}: {figures[f'{key}_before']:.4f} before, {figures[key]:.4f} after "
                f"(n = {figures['n']}, the other half of the prompts)"
            )


def of_kind(kind: str | None) -> str:
    return f" of kind {kind}" if kind else ""
