"""`harmgauge evaluate FILE…` and `harmgauge evaluate --suite NAME`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..data.hub import data_name, data_sha256
from ..errors import HarmgaugeError, needs_extra
from .measuring import (
    borders,
    check_output,
    command_line,
    data_sets,
    in_turn,
    open_scorers,
    promises,
    run_options,
    set_options,
    tell_unkept,
)
from .options import threshold_option
from .output import write_json

if TYPE_CHECKING:
    from ..data.row import Row
    from ..evaluation.bag_of_words import BagOfWords
    from ..evaluation.evaluate import Training
    from ..evaluation.scorers import Scorer


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE]…")
@click.option(
    "--gauge",
    "names",
    multiple=True,
    metavar="G",
    help="Name or folder of a gauge, or a YAML file that describes another scorer; give it again "
    "to set several side by side.",
)
@click.option(
    "--train",
    "training",
    multiple=True,
    metavar="FILE",
    help="Training rows of the bag-of-words floor, or a recipe that names them; may be repeated.",
)
@set_options
@threshold_option
@click.option("--parts", is_flag=True, help="Show every slice: categories, columns, lengths.")
@click.option(
    "--report",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write a report with pictures into this folder: report.html and report.md.",
)
@click.option(
    "--fail-under",
    multiple=True,
    metavar="SET:FIGURE=VALUE",
    help="Exit with 1 where a gauge is below, such as beavertails/test.jsonl:auroc=0.8.",
)
@click.option(
    "--fail-over",
    multiple=True,
    metavar="SET:FIGURE=VALUE",
    help="Exit with 1 where a gauge is above, such as chats.csv:false_positive_rate@fpr1=0.02.",
)
@run_options
def evaluate(
    files: tuple[str, ...],
    suite: str | None,
    names: tuple[str, ...],
    training: tuple[str, ...],
    data_root: str | None,
    threshold: float | str | None,
    layout: dict[str, Any],
    meaning: dict[str, Any],
    parts: bool,
    output: Path | None,
    report: Path | None,
    fail_under: tuple[str, ...],
    fail_over: tuple[str, ...],
    draws: int,
    seed: int,
    threads: int | None,
    no_cache: bool,
) -> None:
    """Measure a gauge on labelled FILEs or a suite of them, beside what needs no gauge at all.

    Labelled rows give sign accuracy, AUROC, AUPRC, F1 of unsafe, error rates and calibration;
    pairs give ranking accuracy by stratum. Intervals are from a bootstrap over prompts. A file
    with one class has no AUROC, and says so. What was scored is kept, so that an interrupted run
    goes on and a second one is quick.
    """
    from ..evaluation.bootstrap import Bootstrap
    from ..evaluation.cache import Cache, default_folder
    from ..evaluation.checks import parse_check, without_figures
    from ..evaluation.evaluate import Evaluation
    from ..evaluation.report import check_folder, write_report
    from ..evaluation.results import to_json
    from ..evaluation.text import block, summary
    from ..gauges import DEFAULT

    # All that can fail fast does so before the first text is scored.
    check_output(output)
    if report:
        check_folder(report)
    checks = [parse_check(text, "under") for text in fail_under]
    checks += [parse_check(text, "over") for text in fail_over]
    sets, missing = data_sets(files, suite, data_root, layout, meaning)
    checks = [check.resolved(sets) for check in checks]
    scorers = open_scorers(names or (DEFAULT,), threads)
    evaluation = Evaluation(
        scorers,
        thresholds={name: _stored(scorer) for name, scorer in scorers.items()},
        borders=borders(scorers, threshold),
        bag_of_words=_training(training, data_root) if training else None,
        bootstrap=Bootstrap(draws, seed),
        cache=Cache(None if no_cache else default_folder()),
        progress=sys.stderr.isatty(),
    )
    measurements = []
    said = promises(scorers, threshold)
    for data in in_turn(sets, evaluation):
        measurement = evaluation.measure(data)
        measurements.append(measurement)
        click.echo(f"{block(measurement, parts=parts, borders=said)}\n")
    if text := summary(measurements):
        click.echo(text)
    tell_unkept(evaluation.cache)
    if missing:
        click.echo(f"not there, and so not measured: {', '.join(missing)}", err=True)
    facts = {name: scorer.facts for name, scorer in scorers.items()}
    floor = [{"data": data_name(file), "sha256": data_sha256(file)} for file in training]
    results = to_json(measurements, facts, command_line(), floor, missing)
    if report:
        write_report(results, report)
    if output:
        write_json(output, results)
    failed = [line for check in checks for line in check.failures(measurements)]
    if nothing := without_figures(measurements):
        failed.append(f"no data set gave a figure of {', '.join(nothing)}; the reason is above")
    for line in failed:
        click.echo(f"harmgauge: {line}", err=True)
    if failed:
        raise SystemExit(1)


def _stored(scorer: Scorer) -> dict[str, float]:
    """Named thresholds of a gauge, as its costs stand."""
    from ..evaluation.scorers import GaugeScorer

    if not isinstance(scorer, GaugeScorer):
        return {}
    gauge = scorer.gauge
    return {each.name: gauge.threshold(each.name) for each in gauge.manifest.thresholds}


def _training(files: Sequence[str], data_root: str | None) -> Training:
    """The bag-of-words floor; what decides its rows are the files and, of a recipe, its data."""
    from ..evaluation.bag_of_words import BagOfWords
    from ..evaluation.evaluate import Training

    for file in files:
        if not Path(file).is_file():
            raise HarmgaugeError(f"there is no file {file} for --train; check its spelling")

    @cache
    def train() -> BagOfWords:
        return BagOfWords.train([row for file in files for row in _training_rows(file, data_root)])

    parts = [part for file in files for part in _training_files(file, data_root)]
    digests = [data_sha256(part) for part in parts]
    return Training(train, None if None in digests else str(digests))


def _training_files(file: str, data_root: str | None) -> list[str]:
    """A file, and if it is a recipe the data files that it names."""
    if not _is_recipe(file):
        return [file]
    from ..training.examples import find_source

    recipe = _recipe(file, data_root)
    sources = (*recipe.data.train, *recipe.data.valid)  # validation prompts are kept out
    found = [find_source(each.path, recipe.data.root, Path(file).parent) for each in sources]
    return [file, *map(str, dict.fromkeys(found))]


def _training_rows(file: str, data_root: str | None) -> list[Row]:
    """Rows of a data file, or the very rows that a recipe trains on."""
    if not _is_recipe(file):
        from ..data.read import read_rows

        return read_rows(file).rows
    from ..training.examples import drop_leaks, load_sources

    recipe = _recipe(file, data_root)
    train, valid = (
        load_sources(sources, recipe.data, recipe.seed, Path(file).parent)
        for sources in (recipe.data.train, recipe.data.valid)
    )
    drop_leaks(train, valid)
    return [row for source in train for row in source.rows]


def _is_recipe(file: str) -> bool:
    return Path(file).suffix in (".yaml", ".yml")


def _recipe(file: str, data_root: str | None) -> Any:
    try:
        from ..training.recipe import read_recipe
    except ModuleNotFoundError as error:
        raise needs_extra("train", f"reading a recipe ({error.name} is missing)") from None
    return read_recipe(Path(file), [f"data.root={data_root}"] if data_root else [])
