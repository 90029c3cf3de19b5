"""`harmgauge calibrate`: thresholds that keep a promise, and a scale for a user's own texts."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..data.hub import data_name, data_sha256
from ..errors import BundleError, DataError
from .reading import label_options, schema_options

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..bundle import Manifest
    from ..gauge import Gauge
    from ..recalibration import Labelled, Method
    from ..scales import Scales

_CARD = "README.md"


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
    rows that neither training nor anything else has seen.
    """
    import numpy as np

    from ..bundle import read_bundle
    from ..gauge import load
    from ..gauges import find
    from ..recalibration import check_name, recalibrate, rescale, untouched

    # All that can fail fast does so before the first text is scored.
    _check_call(files, rates, name, method, prior)
    if name is not None:
        check_name(name)
    folder = find(gauge)
    before = manifest = read_bundle(folder)
    _check_output(folder, manifest, output)
    if prior is not None:
        manifest.scales.at_prior(prior)

    files, rates = tuple(dict.fromkeys(files)), tuple(dict.fromkeys(rates))
    data = ", ".join(map(data_name, files))
    if files:
        texts = _read(files, layout, meaning, data, rates, confidence, method, manifest.scales)
        texts, raw = _score(load(folder, threads=threads), texts)
    if method is not None:
        manifest = recalibrate(manifest, texts, raw, method, data)
        _tell_scales(before.scales, manifest)
    if prior is not None:
        for kind, scale in manifest.scales.named.items():
            click.echo(f"prior{_of(kind)}: {scale.prior:.4g} before, {prior:g} now")
        manifest = rescale(manifest, manifest.scales.at_prior(prior))
    if rates:
        may = untouched(texts, manifest.scales, method)
        texts, raw = texts.take(np.flatnonzero(may).tolist()), raw[may]
        digests = tuple(digest for file in files if (digest := data_sha256(file)))
        manifest = _add_thresholds(manifest, texts, raw, rates, confidence, name, data, digests)
    written = _write(folder, manifest, output)
    click.echo(f"{before.id} is now {written.id}, written to {output}")


def _check_call(
    files: tuple[str, ...],
    rates: tuple[float, ...],
    name: str | None,
    method: Method | None,
    prior: float | None,
) -> None:
    if not rates and method is None and prior is None:
        raise click.UsageError("there is nothing to do; give --fpr, --recalibrate or --prior")
    if (rates or method) and not files:
        raise click.UsageError("--fpr and --recalibrate need labelled rows; give --data FILE")
    if files and not (rates or method):
        raise click.UsageError("--data is for --fpr or --recalibrate; give one of them")
    if name is not None and len(rates) != 1:
        raise click.UsageError("--name names one threshold; give one --fpr with it")


def _check_output(folder: Path, manifest: Manifest, output: Path) -> None:
    """Refuse a folder that must not be written, before minutes are spent on scores.

    Raises:
        BundleError: it is not the gauge's own and not empty, or belongs to an installed package.
    """
    from .. import gauges

    target = output.resolve()
    packages = [Path(gauges.__file__).resolve().parents[1], *gauges.installed().values()]
    if any(target.is_relative_to(package.resolve()) for package in packages):
        raise BundleError(
            f"{output} belongs to an installed package, which is not changed; give --output "
            "another folder"
        )
    if target == folder.resolve():
        known = {folder / name for name in (*manifest.files, "gauge.json", _CARD)}
        if other := sorted(
            path.name for path in folder.rglob("*") if path.is_file() and path not in known
        ):
            raise BundleError(
                f"{output} also holds {', '.join(other[:3])}, which would be lost; give --output "
                "another folder"
            )
    elif output.exists() and any(output.iterdir()):
        raise BundleError(
            f"{output} is not empty; name a new folder, or change a bundle that is there by "
            f"harmgauge calibrate {output} … --output {output}"
        )
    parent = next(each for each in target.parents if each.exists())
    if not os.access(parent, os.W_OK):
        raise BundleError(f"{output} cannot be written; give --output another folder")


def _read(
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


def _score(gauge: Gauge, texts: Labelled) -> tuple[Labelled, NDArray[Any]]:
    """Raw scores, and the texts that have one."""
    import numpy as np

    raw = gauge.raw_scores(texts.exchanges, progress=sys.stderr.isatty())[:, 0]
    judged = np.flatnonzero(np.isfinite(raw))
    if len(judged) < len(raw):
        click.echo(f"{len(raw) - len(judged)} texts could not be judged and are left out")
    return texts.take(judged.tolist()), raw[judged]


def _tell_scales(before: Scales, manifest: Manifest) -> None:
    for kind, new in manifest.scales.named.items():
        if new == before.of(kind):
            click.echo(f"scale{_of(kind)}: stays, its texts are too few or none")
            continue
        shape = f", {len(new.knots)} knots" if new.knots else ""
        click.echo(
            f"scale{_of(kind)}: bias {new.bias:+.4g}, temperature {new.temperature:.4g}, prior "
            f"{new.prior:.4g}{shape}; fitted on {new.n} texts"
        )
    figures = manifest.metrics[-1]
    for key, word in (("ece", "ECE"), ("brier", "Brier score")):
        if key in figures:
            click.echo(
                f"  {word}: {figures[f'{key}_before']:.4f} before, {figures[key]:.4f} after "
                f"(n = {figures['n']}, the other half of the prompts)"
            )


def _of(kind: str | None) -> str:
    return f" of kind {kind}" if kind else ""


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


def _write(folder: Path, manifest: Manifest, output: Path) -> Manifest:
    from ..bundle import write_bundle
    from ..training.card import model_card

    with tempfile.TemporaryDirectory() as scratch:
        card = Path(scratch) / _CARD
        card.write_text(model_card(manifest), encoding="utf-8")
        files = {name: folder / name for name in manifest.files} | {_CARD: card}
        return write_bundle(output.resolve(), manifest, files)
