"""`harmgauge evaluate FILE…` and `harmgauge evaluate --suite NAME`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import training
from .measuring import (
    border,
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
    from ..evaluation.evaluate import Border
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
    "stated",
    multiple=True,
    metavar="[NAME=]FILE",
    help="Training rows of the bag-of-words floor, or a recipe that names them: of the gauge NAME, "
    "or of all; may be repeated.",
)
@set_options
@threshold_option
@click.option("--parts", is_flag=True, help="Show every slice: categories, columns, lengths.")
@click.option(
    "--report",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write a report with pictures into this folder: report.html and report.md.",
)
@click.option("--title", metavar="TEXT", help="Title of the report.")
@click.option(
    "--intro",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Markdown that the report begins with.",
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
    stated: tuple[str, ...],
    data_root: str | None,
    threshold: float | str | None,
    layout: dict[str, Any],
    meaning: dict[str, Any],
    parts: bool,
    output: Path | None,
    report: Path | None,
    title: str | None,
    intro: Path | None,
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
    from ..evaluation.report import check_folder, read_intro, write_report
    from ..evaluation.results import to_json
    from ..evaluation.text import block, summary
    from ..gauges import DEFAULT

    # All that can fail fast does so before the first text is scored.
    check_output(output)
    if report:
        check_folder(report)
    elif title or intro:
        raise click.UsageError("--title and --intro are of a report; name its folder with --report")
    begins = read_intro(intro) if intro else ""
    checks = [parse_check(text, "under") for text in fail_under]
    checks += [parse_check(text, "over") for text in fail_over]
    sets, missing = data_sets(files, suite, data_root, layout, meaning)
    checks = [check.resolved(sets) for check in checks]
    scorers = open_scorers(names or (DEFAULT,), threads)
    stored = {name: _stored(scorer) for name, scorer in scorers.items()}
    for check in checks:
        check.check_stored(stored)
    files_of = training.training_files(stated, scorers)
    reading = {**layout, "labels": meaning["labels"]}
    evaluation = Evaluation(
        scorers,
        thresholds=stored,
        borders=borders(scorers, threshold),
        bag_of_words={
            gauge: training.training(of, data_root, reading) for gauge, of in files_of.items()
        },
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
    floors = training.facts(files_of)
    results = to_json(measurements, facts, command_line(), floors, missing)
    if report:
        write_report(results, report, title=title, intro=begins)
    if output:
        write_json(output, results)
    failed = [line for check in checks for line in check.failures(measurements)]
    if nothing := without_figures(measurements):
        failed.append(f"no data set gave a figure of {', '.join(nothing)}; the reason is above")
    for line in failed:
        click.echo(f"harmgauge: {line}", err=True)
    if failed:
        raise SystemExit(1)


def _stored(scorer: Scorer) -> dict[str, Border]:
    """Named thresholds of a gauge, as its costs stand."""
    from ..evaluation.scorers import GaugeScorer

    if not isinstance(scorer, GaugeScorer):
        return {}
    gauge = scorer.gauge
    return {each.name: border(gauge, each.name) for each in gauge.manifest.thresholds}
