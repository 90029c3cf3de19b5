"""`harmgauge info`: a gauge's licence, data, calibration and measurements."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..bundle import Manifest
    from ..calibration import Calibration
    from ..error_curve import ErrorCurve


@click.command()
@click.argument("gauge", required=False, metavar="[NAME|FOLDER]")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON.")
def info(gauge: str | None, as_json: bool) -> None:
    """Show a gauge's licence, data, calibration, thresholds and measurements.

    The bundle's files are verified, and the model is not loaded.
    """
    from ..bundle import read_bundle
    from ..gauges import find

    manifest = read_bundle(find(gauge))
    if as_json:
        click.echo(json.dumps({"id": manifest.id, **manifest.to_dict()}, indent=2))
    else:
        click.echo("\n".join(_lines(manifest)))


def _lines(manifest: Manifest) -> list[str]:
    layout = manifest.layout
    figures = [each for each in manifest.metrics if "storage" not in each]
    return [
        manifest.id,
        f"licence      {manifest.licence} (of the weights)",
        f"data         {manifest.rows_in_words}",
        *_table(manifest.data),
        *(f"teacher      {each['gauge']}, licence {each['licence']}" for each in manifest.teachers),
        f"base         {manifest.base.get('name')}, "
        f"sha256 {manifest.base.get('sha256') or 'unknown'}",
        f"cost         {manifest.direction}: {_meaning(manifest.calibration)}",
        f"reads        template {manifest.template}, windows of {layout.max_tokens} tokens that "
        f"share {layout.overlap:.0%}, {manifest.pooling} pooling",
        f"outputs      {', '.join(manifest.outputs)}",
        f"runtime      {manifest.runtime}",
        f"calibration  {_scale(manifest.calibration)}",
        *(f"  of {kind}: {_scale(each)}" for kind, each in manifest.calibration_by_kind.items()),
        f"thresholds   {len(manifest.thresholds) or 'none stored'}",
        *_table([threshold.in_a_table() for threshold in manifest.thresholds]),
        f"curves       {', '.join(manifest.curves) or 'none stored'}",
        *_table([_curve(kind, each) for kind, each in manifest.curves.items()]),
        f"metrics      {len(figures) or 'none stored'}",
        *(
            line
            for _, group in groupby(figures, key=lambda entry: list(entry))
            for line in _table(list(group))
        ),
        f"tested       {_tested(manifest)}",
        *(f"export       {_export(each)}" for each in manifest.metrics if "storage" in each),
        f"written by   harmgauge {manifest.code_version}, format version {manifest.format_version}",
    ]


def _meaning(calibration: Calibration) -> str:
    if calibration.n:
        return "below 0 safe, above 0 unsafe, in log-odds"
    return (
        "the raw score, not calibrated: it orders texts, but is no log-odds, and 0 need not be the "
        "border (harmgauge calibrate fits it)"
    )


def _scale(calibration: Calibration) -> str:
    shape = f", {len(calibration.knots)} isotonic knots" if calibration.knots else ""
    return (
        f"bias {calibration.bias:+.4g}, temperature {calibration.temperature:.4g}, "
        f"prior {calibration.prior:.4g}{shape} ({calibration.data}, n = {calibration.n})"
    )


def _curve(kind: str, curve: ErrorCurve) -> Mapping[str, Any]:
    """What false alarms and misses by cost rest on."""
    return {"kind": kind, "data": curve.data, "safe": curve.safe, "unsafe": curve.unsafe}


def _export(entry: Mapping[str, Any]) -> str:
    """What the export cost, in one short line; the model card says all of it."""
    cell = {key: _cell(value) for key, value in entry.items()}
    return (
        f"{cell['storage']}, {cell['megabytes']} MB; raw costs differ by {cell['max_difference']} "
        f"at most, AUROC {cell['auroc_before']} before and {cell['auroc_after']} after "
        f"(n = {cell['n']})"
    )


def _tested(manifest: Manifest) -> str:
    if not manifest.tested:
        return "on nothing that is stored; harmgauge card stores what harmgauge evaluate measures"
    return f"on {', '.join(each.data for each in manifest.tested)}; figures: harmgauge card"


def _table(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Aligned columns, names first; what an entry does not say is a dash."""
    if not entries:
        return []
    names = list(dict.fromkeys(name for each in entries for name in each))
    cells = [names, *([_cell(each.get(name)) for name in names] for each in entries)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
