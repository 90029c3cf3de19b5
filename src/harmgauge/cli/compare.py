"""`harmgauge compare A B FILE…` and `harmgauge compare A B --suite NAME`."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .measuring import (
    borders,
    check_output,
    command_line,
    data_sets,
    in_turn,
    open_scorers,
    run_options,
    set_options,
    tell_unkept,
)
from .options import threshold_option
from .output import write_json

if TYPE_CHECKING:
    from ..evaluation.compare import Comparison
    from ..evaluation.no_worse import NoWorse


@click.command()
@click.argument("a")
@click.argument("b")
@click.argument("files", nargs=-1, metavar="[FILE]…")
@set_options
@threshold_option
@click.option(
    "--figure",
    default="auroc",
    show_default=True,
    metavar="NAME",
    help="What slices, means and --no-worse-than are of, such as f1, recall or a stratum.",
)
@click.option(
    "--no-worse-than",
    "margin",
    type=click.FloatRange(0, 1),
    metavar="MARGIN",
    help="Exit with 1 unless B is shown to lose at most MARGIN on every data set.",
)
@click.option(
    "--allow-missing",
    is_flag=True,
    help="Let --no-worse-than pass without the data sets of the suite that are not there.",
)
@click.option("--parts", is_flag=True, help="Show every slice: categories, columns, lengths.")
@click.option(
    "--rows",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    help="How many of the items to list on which they differ most.",
)
@click.option("--texts", is_flag=True, help="Show the texts of these, which may be harmful.")
@run_options
def compare(
    a: str,
    b: str,
    files: tuple[str, ...],
    suite: str | None,
    data_root: str | None,
    layout: dict[str, Any],
    meaning: dict[str, Any],
    threshold: float | str | None,
    figure: str,
    margin: float | None,
    allow_missing: bool,
    parts: bool,
    rows: int,
    texts: bool,
    output: Path | None,
    draws: int,
    seed: int,
    threads: int | None,
    no_cache: bool,
) -> None:
    """Set B against A on the same labelled FILEs or suite: what lies between them, and is it real?

    A and B are gauges, or YAML files that describe other scorers, as for evaluate. Intervals are
    of the difference on the same bootstrap prompts, p values of a test that swaps A and B for
    whole prompts. Items that either could not judge are left out for both.
    """
    from ..evaluation import compare_text
    from ..evaluation.bootstrap import Bootstrap
    from ..evaluation.cache import Cache, default_folder
    from ..evaluation.compare import FIGURES, RANKING
    from ..evaluation.compare import compare as compared
    from ..evaluation.compare_results import to_json
    from ..evaluation.disagreements import texts as texts_of
    from ..evaluation.evaluate import Evaluation
    from ..evaluation.no_worse import NoWorse

    check_output(output)
    if figure not in (*FIGURES, *RANKING):
        known = ", ".join((*FIGURES, *RANKING))
        raise click.UsageError(f"--figure {figure} is none of these: {known}")
    if margin is not None and math.isnan(margin):  # which lies in any range
        raise click.UsageError("--no-worse-than is nan; give a margin, such as 0.01")
    if margin is not None and not draws:
        raise click.UsageError("--no-worse-than needs intervals; leave out --draws 0")
    sets, missing = data_sets(files, suite, data_root, layout, meaning)
    scorers = open_scorers((a, b), threads)
    evaluation = Evaluation(
        scorers,
        borders=borders(scorers, threshold),
        bootstrap=Bootstrap(draws, seed),
        cache=Cache(None if no_cache else default_folder()),
        progress=sys.stderr.isatty(),
    )
    first, second = scorers
    comparisons, turns = [], {}
    for data in in_turn(sets, evaluation):
        comparison = compared(evaluation, data, first, second, rows)
        comparisons.append(comparison)
        click.echo(
            compare_text.block(
                comparison, first, second, evaluation.bootstrap, figure=figure, parts=parts
            )
        )
        if texts:
            turns[data.shown] = texts_of(data.sample, comparison.disagreements)
            click.echo(compare_text.with_texts(comparison, turns[data.shown]))
        click.echo()
    if text := compare_text.summary(comparisons, first, second, figure):
        click.echo(text)
    tell_unkept(evaluation.cache)
    if missing:
        click.echo(f"not there, and so not compared: {', '.join(missing)}", err=True)
    if output:
        results = to_json(
            comparisons,
            {name: scorer.facts for name, scorer in scorers.items()},
            command_line(),
            evaluation.bootstrap,
            figure,
            turns=turns if texts else None,
            missing=missing,
        )
        write_json(output, results)
    failed = []
    if not any(each.known for each in comparisons):
        failed.append("nothing could be compared; the reason is above")
    if margin is not None:
        failed += _check(NoWorse(figure, margin), comparisons, first, second)
        if missing and not allow_missing:
            failed.append(
                f"not there, so {second} is not shown to be no worse on {', '.join(missing)}; "
                "fetch them, or leave them out with --allow-missing"
            )
    for line in failed:
        click.echo(f"harmgauge: {line}", err=True)
    if failed:
        raise SystemExit(1)


def _check(check: NoWorse, comparisons: Sequence[Comparison], a: str, b: str) -> list[str]:
    """Where B is not shown to be no worse, after a line on what is not checked at all."""
    if unchecked := check.unchecked(comparisons):
        click.echo(f"without {check.figure}, and so not checked: {', '.join(unchecked)}", err=True)
    return list(check.failures(comparisons, a, b))
