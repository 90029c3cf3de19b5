"""`harmgauge import FOLDER --direction … --out BUNDLE`"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click

from ..data.hub import data_name
from ..errors import BundleError, needs_extra
from .anew import write_anew
from .labelled import read_labelled, score_labelled, tell_scales
from .reading import check_reading, label_options, schema_options


@click.command("import")
@click.argument("source", metavar="FOLDER|HUB_ID")
@click.option(
    "--direction",
    multiple=True,
    required=True,
    metavar="unsafe-high|unsafe-low|LABEL",
    help="What a high score means; of a classifier with several labels, one that is unsafe (may be "
    "repeated).",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the new bundle.",
)
@click.option("--name", metavar="NAME", help="Name of the gauge; by default that of --out.")
@click.option(
    "--licence",
    metavar="SPDX",
    default="NOASSERTION",
    show_default=True,
    help="Licence of the weights, as their model card states it.",
)
@click.option(
    "--data",
    "files",
    multiple=True,
    metavar="FILE",
    help="Labelled rows to calibrate on; may be repeated.",
)
@schema_options
@label_options
@click.option("--threads", type=click.IntRange(1), help="CPU threads; by default all cores.")
def import_(
    source: str,
    direction: tuple[str, ...],
    out: Path,
    name: str | None,
    licence: str,
    files: tuple[str, ...],
    layout: dict[str, Any],
    meaning: dict[str, Any],
    threads: int | None,
) -> None:
    """Turn a reward, cost or toxicity classifier of Hugging Face into a gauge.

    Its direction must be stated: nothing in a model says which way its score points. With --data
    its scale is fitted to your labels, on half of the prompts, and measured on the other half;
    without, the bundle says that it is not calibrated. Nothing is downloaded unless a Hub id is
    named, and no code of the folder is run.
    """
    try:
        from ..training.importing import find_classifier, import_classifier
    except ImportError:
        raise needs_extra("train", "importing a classifier") from None
    from ..gauge import load
    from ..recalibration import check_direction, recalibrate
    from ..scales import Scales
    from ..training.finish import UNCALIBRATED

    check_reading(files, layout, meaning)
    if out.exists() and any(out.iterdir()):
        raise BundleError(f"{out} is not empty; name a new folder")
    files = tuple(dict.fromkeys(files))
    data = ", ".join(map(data_name, files))
    if files:  # what can fail fast does so before the model is read
        scales = Scales(UNCALIBRATED)
        texts = read_labelled(files, layout, meaning, data, (), 0.95, "platt", scales)
    folder, base = find_classifier(source)
    with tempfile.TemporaryDirectory() as scratch:
        raw_bundle = Path(scratch) / "bundle"
        manifest, note = import_classifier(
            folder,
            direction,
            raw_bundle,
            name=name or out.resolve().name,
            base=base,
            licence=licence,
            threads=threads,
        )
        if files:
            texts, raw = score_labelled(load(raw_bundle, threads=threads), texts)
            click.echo(f"AUROC {check_direction(texts, raw, data):.3f} (n = {len(raw)})")
            manifest = recalibrate(manifest, texts, raw, "platt", data)
            tell_scales(scales, manifest)
        else:
            click.echo("not calibrated: costs order texts, but 0 need not be the border")
        written = write_anew(raw_bundle, manifest, out)
    if note is not None:
        click.echo(f"runs in torch: {note}")
    click.echo(f"{written.id}, scores as in transformers, written to {out}")
