"""`harmgauge calibrate`: thresholds that keep a promise, and a scale for a user's own texts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..data.hub import data_name, data_sha256
from ..errors import DataError
from .anew import check_place, write_anew
from .labelled import of_kind, read_labelled, score_labelled, tell_scales
from .reading import check_reading, label_options, schema_options

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..bundle import Manifest
    from ..recalibration import Labelled, Method


class _Calibrate(click.Command):
    """Takes several shares after one --fpr, which click does not."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        spread: list[str] = []
        for arg in args:
            again = len(spread) > 1 and spread[-2] == "--fpr" and _is_number(arg)
            spread += ["--fpr", arg] if again else [arg]
        return super().parse_args(ctx, spread)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


@click.command(cls=_Calibrate)
@click.argument("gauge", required=False, metavar="[NAME|FOLDER]")
@click.option(
    "--data", "files", multiple=True, metavar="FILE", help="Labelled rows; may be repeated."
)
@click.option(
    "--fpr",
    "rates",
    type=float,
    multiple=True,
    metavar="SHARE",
    help="Store a threshold that at most this share of safe texts reaches; several may follow: "
    "--fpr 0.01 0.05.",
)
@click.option(
    "--confidence",
    type=float,
    default=0.95,
    show_default=True,
    help="How sure each promise is, by itself.",
)
@click.option(
    "--name", metavar="NAME", help="Name of the threshold; by default fpr1 for --fpr 0.01."
)
@click.option(
    "--recalibrate",
    "method",
    type=click.Choice(["bias", "platt", "isotonic"]),
    help="Fit the scale of costs anew: move its border, stretch it too, or bend it to any rising "
    "shape (1000 texts, 100 of each kind).",
)
@click.option(
    "--prior",
    type=float,
    metavar="SHARE",
    help="Share of unsafe texts where the gauge is used, to be stored; needs no labels.",
)
@schema_options
@label_options
@click.option("--threads", type=click.IntRange(1), help="CPU threads; by default all cores.")
@click.option(
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the new bundle: a new one, or the gauge's own to change it.",
)
def calibrate(
    gauge: str | None,
    files: tuple[str, ...],
    rates: tuple[float, ...],
    confidence: float,
    name: str | None,
    method: Method | None,
    prior: float | None,
    layout: dict[str, Any],
    meaning: dict[str, Any],
    threads: int | None,
    output: Path,
) -> None:
    """Store thresholds with a promise in a gauge, or fit its scale to your labels.

    Takes the gauge (by default the embedded mini) as it is, and writes it anew with what was
    found; its weights stay. A threshold rests on the safe rows of FILE, one a prompt, and must see
    rows that neither training nor anything else has seen. Where FILE has safe and unsafe texts, the
    curve of what any threshold costs on them, in false alarms and misses, is stored, too.
    """
    import numpy as np

    from ..bundle import read_bundle
    from ..gauge import load
    from ..gauges import find
    from ..recalibration import check_name, recalibrate, rescale, untouched

    # All that can fail fast does so before the first text is scored.
    _check_call(files, rates, name, method, prior)
    check_reading(files, layout, meaning)
    if name is not None:
        check_name(name)
    folder = find(gauge)
    before = manifest = read_bundle(folder)
    check_place(folder, manifest, output)
    if prior is not None:
        manifest.scales.at_prior(prior)

    files, rates = tuple(dict.fromkeys(files)), tuple(dict.fromkeys(rates))
    data = ", ".join(map(data_name, files))
    if files:
        texts = read_labelled(
            files, layout, meaning, data, rates, confidence, method, manifest.scales
        )
        texts, raw = score_labelled(load(folder, threads=threads), texts)
        _check_direction(texts, manifest.scales.cost(raw, texts.kinds), data, method)
    if method is not None:
        manifest = recalibrate(manifest, texts, raw, method, data)
        tell_scales(before.scales, manifest)
    if prior is not None:
        for kind, scale in manifest.scales.named.items():
            click.echo(f"prior{of_kind(kind)}: {scale.prior:.4g} before, {prior:g} now")
        manifest = rescale(manifest, manifest.scales.at_prior(prior))
    if files:
        manifest = _add_curves(manifest, texts, raw, method, data, needed=not (rates or method))
    if rates:
        may = untouched(texts, manifest.scales, method)
        texts, raw = texts.take(np.flatnonzero(may).tolist()), raw[may]
        digests = tuple(digest for file in files if (digest := data_sha256(file)))
        manifest = _add_thresholds(manifest, texts, raw, rates, confidence, name, data, digests)
    if before.tested and not manifest.tested:
        click.echo(
            "what it was tested on stays behind, being measured at the old scale; harmgauge "
            "evaluate and harmgauge card put it anew"
        )
    written = write_anew(folder, manifest, output)
    click.echo(f"{before.id} is now {written.id}, written to {output}")


def _check_call(
    files: tuple[str, ...],
    rates: tuple[float, ...],
    name: str | None,
    method: Method | None,
    prior: float | None,
) -> None:
    if not files and not rates and method is None and prior is None:
        raise click.UsageError("there is nothing to do; give --data, --recalibrate or --prior")
    if (rates or method) and not files:
        raise click.UsageError("--fpr and --recalibrate need labelled rows; give --data FILE")
    if name is not None and len(rates) != 1:
        raise click.UsageError("--name names one threshold; give one --fpr with it")


def _check_direction(texts: Labelled, cost: NDArray[Any], data: str, method: Method | None) -> None:
    """Say where the gauge runs against the labels.

    Raises:
        DataError: a scale was to be fitted, which could but be flat then.
    """
    from ..recalibration import runs_against

    said = runs_against(texts, cost)
    if said and method is not None:
        raise DataError(f"{data}: {said} No scale is fitted to these")
    if said:
        click.echo(f"harmgauge: !! {data}: {said}", err=True)


def _add_curves(
    manifest: Manifest,
    texts: Labelled,
    raw: NDArray[Any],
    method: Method | None,
    data: str,
    *,
    needed: bool,
) -> Manifest:
    """Raises:
    DataError: curves are all that was asked for, and there are too few texts for one.
    """
    from ..error_curve import OF_EACH
    from ..recalibration import find_curves

    found = find_curves(manifest, texts, raw, method, data)
    for kind, curve in found.items():
        click.echo(f"curve of kind {kind}: {curve.safe} safe and {curve.unsafe} unsafe texts")
    if needed and not found:
        raise DataError(
            f"{data} has of no kind of input {OF_EACH} prompts with a safe and {OF_EACH} with an "
            "unsafe text, as a curve takes; add rows"
        )
    return replace(manifest, curves={**manifest.curves, **found})


def _add_thresholds(
    manifest: Manifest,
    texts: Labelled,
    raw: NDArray[Any],
    rates: tuple[float, ...],
    confidence: float,
    name: str | None,
    data: str,
    digests: tuple[str, ...],
) -> Manifest:
    from ..recalibration import find_thresholds, store

    found = find_thresholds(
        manifest, texts, raw, rates, data=data, sha256=digests, confidence=confidence, name=name
    )
    for threshold, reached in found:
        click.echo(f"{threshold.name}: cost {threshold.cost:+.4f}; {threshold.promise}")
        if reached.size:
            click.echo(
                f"  {reached.mean():.1%} of the unsafe texts reach it (n = {reached.size}, one a "
                "prompt)"
            )
        for old in manifest.thresholds:
            if old.name == threshold.name:
                click.echo(f"  it replaces one at cost {old.cost:+.4f}: {old.promise}")
    return store(manifest, (threshold for threshold, _ in found))
