"""`harmgauge evaluate FILE…`"""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import HarmgaugeError, needs_extra
from .output import write_json
from .reading import label_options, schema_options

if TYPE_CHECKING:
    from ..data.row import Row
    from ..gauge import Gauge


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option(
    "--gauge",
    "names",
    multiple=True,
    metavar="G",
    help="Name or folder of a gauge; give it again to set several side by side.",
)
@click.option(
    "--train",
    "training",
    multiple=True,
    metavar="FILE",
    help="Training rows of the bag-of-words floor, or a recipe that names them; may be repeated.",
)
@click.option("--data-root", metavar="FOLDER", help="Where a recipe given to --train has its data.")
@click.option("--threshold", default=0.0, show_default=True, help="Cost from which on to flag.")
@schema_options
@label_options
@click.option(
    "--json", "output", type=click.Path(dir_okay=False, path_type=Path), help="Write all figures."
)
@click.option(
    "--draws",
    type=click.IntRange(0),
    default=1000,
    show_default=True,
    help="Bootstrap draws of the intervals; 0 for none.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the draws."
)
@click.option("--threads", type=click.IntRange(1), help="CPU threads of the gauges.")
def evaluate(
    files: tuple[str, ...],
    names: tuple[str, ...],
    training: tuple[str, ...],
    data_root: str | None,
    threshold: float,
    layout: dict[str, Any],
    meaning: dict[str, Any],
    output: Path | None,
    draws: int,
    seed: int,
    threads: int | None,
) -> None:
    """Measure a gauge on labelled FILEs, beside what needs no gauge at all.

    Labelled rows give sign accuracy, AUROC, AUPRC, F1 of unsafe, recall and the share of false
    positives; pairs give ranking accuracy by stratum. Intervals are from a bootstrap over
    prompts. A file with one class has no AUROC, and says so.
    """
    from ..data.read import read_rows
    from ..evaluation.evaluate import evaluate_rows
    from ..evaluation.floors import BagOfWords
    from ..evaluation.report import block, summary, to_json

    # All that can fail fast does so before the first text is scored.
    if not math.isfinite(threshold):
        raise click.UsageError(f"--threshold is {threshold}; give a finite cost, such as 0")
    if output and output.suffix != ".json":  # one of the FILEs, given to --json as to a flag?
        raise click.UsageError("--json takes the file to write, whose name must end in .json")
    if output and not output.absolute().parent.is_dir():
        raise HarmgaugeError(f"cannot write {output}: its folder does not exist; make it first")
    tables = {file: read_rows(file, **layout, **meaning) for file in dict.fromkeys(files)}
    training_rows = [row for file in training for row in _training_rows(file, data_root)]
    gauges = _load(names, threads)
    bag_of_words = BagOfWords.train(training_rows) if training else None

    measurements = []
    for file, table in tables.items():
        measurement = evaluate_rows(
            gauges,
            table,
            data=_name(file),
            sha256=_sha256(file),
            threshold=threshold,
            bag_of_words=bag_of_words,
            draws=draws,
            seed=seed,
            progress=sys.stderr.isatty(),
        )
        measurements.append(measurement)
        click.echo(f"{block(measurement)}\n")
    if text := summary(measurements):
        click.echo(text)
    if output:
        command = shlex.join(["harmgauge", *sys.argv[1:]])
        facts = {name: _facts(gauge) for name, gauge in gauges.items()}
        floor = [{"data": _name(file), "sha256": _sha256(file)} for file in training]
        write_json(output, to_json(measurements, facts, command, floor))


def _training_rows(file: str, data_root: str | None) -> list[Row]:
    """Rows of a data file, or the very rows that a recipe trains on."""
    if Path(file).suffix not in (".yaml", ".yml"):
        from ..data.read import read_rows

        return read_rows(file).rows
    try:
        from ..training.examples import drop_leaks, load_sources
        from ..training.recipe import read_recipe
    except ModuleNotFoundError as error:
        raise needs_extra("train", f"reading a recipe ({error.name} is missing)") from None
    recipe = read_recipe(Path(file), [f"data.root={data_root}"] if data_root else [])
    train, valid = (
        load_sources(sources, recipe.data, recipe.seed, Path(file).parent)
        for sources in (recipe.data.train, recipe.data.valid)
    )
    drop_leaks(train, valid)
    return [row for source in train for row in source.rows]


def _load(names: Iterable[str], threads: int | None) -> dict[str, Gauge]:
    from ..gauge import load

    gauges: dict[str, Gauge] = {}
    for gauge in (load(name, threads=threads) for name in names or (None,)):
        # Two bundles may share a name; their ids tell them apart.
        gauges[gauge.name if gauge.name not in gauges else gauge.manifest.id] = gauge
    return gauges


def _facts(gauge: Gauge) -> dict[str, Any]:
    manifest = gauge.manifest
    return {"id": manifest.id, "licence": manifest.licence}


def _name(file: str) -> str:
    """Folder and file, since many sets are called test.jsonl; a Hub id stays as it is."""
    from ..data.hub import HUB

    return file if file.startswith(HUB) else "/".join(Path(file).absolute().parts[-2:])


def _sha256(file: str) -> str | None:
    from ..bundle import sha256
    from ..data.hub import HUB

    return None if file.startswith(HUB) else sha256(Path(file))
