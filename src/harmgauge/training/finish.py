"""The end of a run: export, calibrate on half of the validation prompts, measure on the rest.

Every figure is taken from the bundle as written and loaded afresh, never from the model in memory.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from numpy.typing import NDArray

from ..bundle import CARD, KEPT, Manifest, sha256, write_bundle
from ..calibration import Calibration
from ..errors import RecipeError
from ..files import whole_folder
from ..gauge import Gauge, load
from ..gauges import find
from ..members import is_member
from ..thresholds import Threshold
from .bases import plain
from .card import model_card
from .category_calibration import category_data, category_figures, fit_categories
from .examples import Example
from .kinds import fit_scales
from .measured import Measured, Pairs, figures, measure, measured_curves, reached
from .monitor import score_examples
from .recipe import GAUGE, Recipe

if TYPE_CHECKING:
    from .pipeline import Job

EXPORT = "export, validation"
"""what the figures of the export are called in `Manifest.metrics`"""
UNCALIBRATED = Calibration(bias=0.0, temperature=1.0, prior=0.5, data="none", n=0)


def make_bundle(job: Job, out: Path) -> Path:
    """Write `out/model`, export it, calibrate it and write `out/bundle`.

    Categories that calibrate to the same probability for every text are left out of both.

    Raises:
        BundleError: the export lost more than 0.5 points of AUROC on validation data, or moved
            costs that should stay.
    """
    from .export import check_kept, check_loss, export_onnx

    recipe, spec = job.recipe, job.model.spec
    folder = out / "bundle"
    with whole_folder(out / "model") as new:
        job.model.save(new, job.tokenizer)
    if recipe.runtime == "onnx":
        report = export_onnx(job.model, job.tokenizer, out / "export", storage=recipe.storage)
        source = out / "export"
    else:
        source = out / "model"
    names = [name for name in spec.outputs[1:] if not is_member(name)]
    files = {path.name: path for path in sorted(source.iterdir()) if path.is_file()}
    manifest = Manifest(
        name=recipe.name,
        base={"name": spec.base, "sha256": spec.base_sha256},
        layout=spec.layout,
        pooling=spec.pooling,
        runtime=recipe.runtime,
        calibration=UNCALIBRATED,
        licence=recipe.licence,
        data=learnt_from(job),
        teachers=job.teachers,
        outputs=spec.outputs,
        head=asdict(spec.head) if spec.head else {},
        categories=dict.fromkeys(names, UNCALIBRATED),
    )
    # Not yet where people look for it: a bundle without calibration must never be taken for one.
    with tempfile.TemporaryDirectory(dir=out, prefix=".uncalibrated.") as scratch:
        write_bundle(Path(scratch) / "bundle", manifest, files)
        gauge = load(Path(scratch) / "bundle")
    if job.kept is not None:  # before all of validation is scored for nothing
        base = load(find(recipe.base.removeprefix(GAUGE)))
        check_kept(_raw_costs(base, job.watched), _raw_costs(gauge, job.watched))
    measured, pairs = measure(gauge, job.valid_sources)
    categories = manifest.categories
    if recipe.calibrate:
        half = ~measured.held_out
        categories = fit_categories(
            names,
            measured.category_raw[half],
            measured.flags[half],
            measured.weight[half],
            data=_fitted_on(recipe),
        )
        if silent := [name for name in names if name not in categories]:
            told = "categories left out, since each would have one probability for all texts"
            click.echo(f"{told}: {', '.join(silent)}", err=True)
            job.model.set_outputs(tuple(name for name in spec.outputs if name not in silent))
            return make_bundle(job, out)  # rarely; a second measurement is simpler than a cut
    manifest = replace(
        _with_costs_of(job.kept, manifest)
        if job.kept is not None
        else _with_new_costs(manifest, job, gauge, measured, pairs),
        categories=categories,
    )
    metrics = category_figures(
        categories,
        measured.category_raw,
        measured.flags,
        manifest.scales.cost(measured.raw, measured.kind),
        measured.unsafe,
    )
    if recipe.runtime == "onnx":
        before, after, labels = _before_and_after(job, gauge)
        loss = check_loss(before, after, labels)
        # Of costs that stay: rounding what was rounded before says nothing.
        earlier = {} if job.kept is None else _export_of(job.kept)
        lost = {"n": len(before), **loss, **earlier}
        metrics.append({**lost, "data": EXPORT, **report.to_dict()})
    manifest = replace(manifest, metrics=(*manifest.metrics, *metrics))
    card = out / "card.md"
    stated = replace(manifest, files={name: sha256(path) for name, path in files.items()})
    card.write_text(model_card(stated), encoding="utf-8")
    write_bundle(folder, manifest, {**files, CARD: card})
    return folder


def _fitted_on(recipe: Recipe) -> str:
    return f"{recipe.name} validation, half of prompts"


def _with_new_costs(
    manifest: Manifest, job: Job, gauge: Gauge, measured: Measured, pairs: Pairs
) -> Manifest:
    """The manifest with scales, thresholds, curves and figures from the recipe's own texts."""
    recipe = job.recipe
    scales = manifest.scales
    if recipe.calibrate:
        half = ~measured.held_out
        raw, labels, weight = measured.raw[half], measured.unsafe[half], measured.weight[half]
        scales = fit_scales(raw, labels, weight, measured.kind[half], data=_fitted_on(recipe))
    metrics = figures(measured, pairs, scales)
    thresholds: list[Threshold] = []
    for safe in job.safe_texts:
        found, left_out = safe.find(gauge, scales)
        thresholds += found
        metrics += [*reached(measured, scales, found, safe.kinds), *left_out]
    return replace(
        manifest.with_scales(scales),
        thresholds=tuple(thresholds),
        curves=measured_curves(measured, scales, recipe.name),
        metrics=tuple(metrics),
    )


def _with_costs_of(kept: Manifest, manifest: Manifest) -> Manifest:
    """The manifest with what the gauge whose costs stay says of them."""
    others = {EXPORT, *(category_data(name) for name in kept.categories)}
    return replace(
        manifest.with_scales(kept.scales),
        base={**manifest.base, "costs": KEPT},
        thresholds=kept.thresholds,
        curves=kept.curves,
        metrics=tuple(each for each in kept.metrics if each["data"] not in others),
    )


def check_storage(recipe: Recipe, kept: Manifest) -> None:
    """See that weights are stored as those of the gauge whose costs stay.

    Raises:
        RecipeError: they are not, so that rounding would move the costs.
    """
    if recipe.runtime == "torch":
        return
    exported = _export_of(kept).get("storage", recipe.storage)
    stored = "fp32" if kept.runtime == "torch" else exported
    if stored != recipe.storage:
        raise RecipeError(
            f"storage is {recipe.storage}, and {kept.name}, whose costs model.freeze_costs keeps, "
            f"is stored in {stored}; set storage: {stored}"
        )


def _export_of(kept: Manifest) -> Mapping[str, Any]:
    """The figures of a gauge's export, or none."""
    return next((each for each in kept.metrics if each["data"] == EXPORT), {})


def learnt_from(job: Job) -> tuple[Mapping[str, Any], ...]:
    """Data of the base and of the run, as in `Manifest.data`. What both have seen stands once, with
    the larger number of rows: draws of one source, which may or may not be the same rows."""
    earlier = [(plain(each), each) for each in job.earlier_data]
    own = []
    for report in (loaded.report for loaded in job.train_sources):
        same = [each for name, each in earlier if name == (report.source, report.licence)]
        rows = max(report.used, *(each.get("rows") or 0 for each in same), 0)
        own.append({"source": report.source, "licence": report.licence, "rows": rows})
    names = [plain(each) for each in own]
    return (*(each for name, each in earlier if name not in names), *own)


def _before_and_after(
    job: Job, gauge: Gauge
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Raw scores by torch and by the bundle of the watched rows' first windows, and the labels."""
    job.model.eval()
    before = np.concatenate(score_examples(job.model, job.watched))
    after = _raw_costs(gauge, job.watched)
    labels = np.array([label for example in job.watched for label in example.unsafe])
    return before, after, labels


def _raw_costs(gauge: Gauge, examples: Sequence[Example]) -> NDArray[np.float64]:
    """Raw costs of the first windows of the examples, one after another."""
    raw: NDArray[np.float64] = gauge.raw_scores_of_ids([i for e in examples for i in e.ids])[:, 0]
    return raw
