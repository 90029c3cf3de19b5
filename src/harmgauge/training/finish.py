"""The end of a run: export, calibrate on half of the validation prompts, measure on the rest.

Every figure is taken from the bundle as written and loaded afresh, never from the model in memory.
"""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..bundle import Manifest, write_bundle
from ..calibration import Calibration, fit
from ..evaluation.metrics import accuracy, auroc, calibration_error, ranking_accuracy
from ..gauge import Gauge, load
from .card import model_card
from .categories import item_flags
from .category_calibration import category_figures, fit_categories
from .examples import row_weights
from .monitor import score_examples
from .teachers import fastest_device
from .validation import held_out

if TYPE_CHECKING:
    from .pipeline import Job

UNCALIBRATED = Calibration(bias=0.0, temperature=1.0, prior=0.5, data="none", n=0)


@dataclass(frozen=True, slots=True)
class Measured:
    """Validation items with a label, side by side."""

    source: NDArray[Any]
    held_out: NDArray[np.bool_]
    """not used for the calibration"""
    unsafe: NDArray[np.float64]
    weight: NDArray[np.float64]
    """as in the recipe: `weight`, and `balance`, of the validation sources"""
    raw: NDArray[np.float64]
    flags: NDArray[np.float64]
    """`[n, categories]`, NaN unknown"""
    category_raw: NDArray[np.float64]


def make_bundle(job: Job, out: Path) -> Path:
    """Export the model folder in `out`, calibrate it and write `out/bundle`.

    Raises:
        BundleError: the export lost more than 0.5 points of AUROC on validation data.
    """
    from .export import check_loss, export_onnx

    recipe, spec = job.recipe, job.model.spec
    folder = out / "bundle"
    if recipe.runtime == "onnx":
        report = export_onnx(job.model, job.tokenizer, out / "export", storage=recipe.storage)
        source = out / "export"
    else:
        source = out / "model"
    files = {path.name: path for path in sorted(source.iterdir()) if path.is_file()}
    manifest = Manifest(
        name=recipe.name,
        base={"name": spec.base, "sha256": spec.base_sha256},
        layout=spec.layout,
        pooling=spec.pooling,
        runtime=recipe.runtime,
        calibration=UNCALIBRATED,
        licence=recipe.licence,
        data=(
            *job.earlier_data,
            *(
                {"source": each.source, "licence": each.licence, "rows": each.used}
                for each in (loaded.report for loaded in job.train_sources)
            ),
        ),
        teachers=job.teachers,
        outputs=spec.outputs,
        categories=dict.fromkeys(spec.outputs[1:], UNCALIBRATED),
    )
    # Not yet where people look for it: a bundle without calibration must never be taken for one.
    with tempfile.TemporaryDirectory(dir=out, prefix=".uncalibrated.") as scratch:
        write_bundle(Path(scratch) / "bundle", manifest, files)
        gauge = load(Path(scratch) / "bundle", device=fastest_device(recipe.runtime))
    measured, pairs = _measure(gauge, job)
    calibration, categories = UNCALIBRATED, manifest.categories
    if recipe.calibrate:
        half = ~measured.held_out
        fitted_on = f"{recipe.name} validation, half of prompts"
        calibration = fit(
            measured.raw[half],
            measured.unsafe[half],
            measured.weight[half],
            data=fitted_on,
        )
        categories = fit_categories(
            spec.outputs[1:],
            measured.category_raw[half],
            measured.flags[half],
            measured.weight[half],
            data=fitted_on,
        )
    metrics = _figures(measured, pairs, calibration)
    metrics += category_figures(
        categories,
        measured.category_raw,
        measured.flags,
        calibration.cost(measured.raw),
        measured.unsafe,
    )
    if recipe.runtime == "onnx":
        before, after, labels = _before_and_after(job, gauge)
        loss = check_loss(before, after, labels)
        metrics.append({"data": "export, validation", "n": len(before), **report.to_dict(), **loss})
    manifest = replace(
        manifest, calibration=calibration, categories=categories, metrics=tuple(metrics)
    )
    card = out / "card.md"
    card.write_text(model_card(manifest), encoding="utf-8")
    write_bundle(folder, manifest, {**files, "README.md": card})
    return folder


def _measure(gauge: Gauge, job: Job) -> tuple[Measured, dict[str, tuple[list[float], list[float]]]]:
    """Raw scores of all validation items, and the safer and other score of each pair by source."""
    names = gauge.manifest.outputs[1:]
    rows, weights, flags = [], [], []
    for loaded in job.valid_sources:
        weigh = row_weights(loaded)
        flags += [
            item_flags(item, row.meta, loaded.source, names)
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
        held_out=np.array([held_out(row) for row, _ in items])[known],
        unsafe=labels[known],
        weight=np.array(weights)[known],
        raw=raw[known],
        flags=np.array(flags).reshape(len(items), len(names))[known],
        category_raw=scores[known, 1:],
    )
    pairs: dict[str, tuple[list[float], list[float]]] = {}
    start = 0
    for row in rows:
        if row.safer is not None:
            safer, other = pairs.setdefault(row.source, ([], []))
            safer.append(raw[start + row.safer])
            other.append(raw[start + 1 - row.safer])
        start += len(row.items)
    return measured, pairs


def _figures(
    measured: Measured, pairs: dict[str, tuple[list[float], list[float]]], calibration: Calibration
) -> list[dict[str, Any]]:
    cost = calibration.cost(measured.raw)
    test = measured.held_out
    figures: list[dict[str, Any]] = [
        {
            "data": "validation, prompts not used for the calibration",
            "n": int(test.sum()),
            "ece": _or_none(
                float(calibration_error(measured.unsafe[test], cost[test], measured.weight[test]))
            ),
            "sign_accuracy": _or_none(_sign_accuracy(measured.unsafe[test], cost[test])),
        }
    ]
    for source in sorted(set(measured.source)):
        here = measured.source == source
        figures.append(
            {
                "data": f"{source} validation",
                "n": int(here.sum()),
                "auroc": _or_none(float(auroc(measured.unsafe[here] >= 0.5, cost[here]))),
                "sign_accuracy": _sign_accuracy(measured.unsafe[here], cost[here]),
            }
        )
    figures += [
        {
            "data": f"{source} validation, pairs",
            "n": len(safer),
            "ranking_accuracy": float(ranking_accuracy(safer, other)),
        }
        for source, (safer, other) in sorted(pairs.items())
    ]
    return figures


def _before_and_after(
    job: Job, gauge: Gauge
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Raw scores by torch and by the bundle of the watched rows' first windows, and the labels."""
    job.model.eval()
    before = np.concatenate(score_examples(job.model, job.watched))
    after = gauge.raw_scores_of_ids([ids for e in job.watched for ids in e.ids])[:, 0]
    labels = np.array([label for example in job.watched for label in example.unsafe])
    return before, after, labels


def _sign_accuracy(unsafe: NDArray[np.float64], cost: NDArray[np.float64]) -> float:
    return float(accuracy(unsafe >= 0.5, cost >= 0))


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
