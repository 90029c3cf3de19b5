"""`harmgauge data check|stats|split|fetch|noise`"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..data.hub import data_name
from .noise import noise
from .output import write_json
from .reading import label_options, schema_options

if TYPE_CHECKING:
    from ..data.read import Table

_PATH = click.Path(path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group()
def data() -> None:
    """Check, describe, split or fetch training data, and find noise in its labels.

    FILE is jsonl, json, csv or parquet, each also .gz, hub:OWNER/NAME[:SPLIT] or
    templates:FAMILY[:PART].
    """


data.add_command(noise)


def _length_options(command: Callable[..., Any]) -> Callable[..., Any]:
    options = [
        click.option("--gauge", metavar="G", help="Measure lengths as this gauge does."),
        click.option("--tokenizer", type=_PATH, help="Measure lengths with this tokenizer.json."),
        click.option("--max-tokens", type=click.IntRange(1), help="Longest window in tokens."),
    ]
    return reduce(lambda inner, option: option(inner), reversed(options), command)


@data.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@schema_options
@label_options
@_length_options
@click.option("--json", "output", type=_FILE, help="Write the report with all row ids.")
@click.option("--examples", type=click.IntRange(0), default=3, help="Row ids shown a kind.")
def check(
    files: tuple[str, ...],
    layout: dict[str, Any],
    meaning: dict[str, Any],
    gauge: str | None,
    tokenizer: Path | None,
    max_tokens: int | None,
    output: Path | None,
    examples: int,
) -> None:
    """Find repeats, contradictions, empty fields and leaks in FILEs and between them."""
    from ..data.check import check as check_tables
    from ..data.check_report import format_report
    from ..data.lengths import find_measure

    measure = find_measure(tokenizer=tokenizer, gauge=gauge, max_tokens=max_tokens)
    report = check_tables(_read(files, layout, meaning), measure)
    click.echo(format_report(report, examples))
    if output:
        write_json(output, report.to_dict())


@data.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@schema_options
@label_options
@_length_options
@click.option("--json", "output", type=_FILE, help="Write the figures.")
@click.option("--plot", "picture", type=_FILE, help="Draw balance and lengths (png, svg, pdf).")
def stats(
    files: tuple[str, ...],
    layout: dict[str, Any],
    meaning: dict[str, Any],
    gauge: str | None,
    tokenizer: Path | None,
    max_tokens: int | None,
    output: Path | None,
    picture: Path | None,
) -> None:
    """Label balance, strata and lengths of FILEs."""
    from ..data.lengths import find_measure
    from ..data.stats import format_stats, plot
    from ..data.stats import stats as stats_of

    measure = find_measure(tokenizer=tokenizer, gauge=gauge, max_tokens=max_tokens)
    tables = _read(files, layout, meaning)
    found = [stats_of(name, table, measure) for name, table in tables.items()]
    facts, sizes = [each for each, _ in found], [each for _, each in found]
    click.echo(format_stats(facts, measure))
    if output:
        write_json(output, {"measure": measure.note, "files": [asdict(each) for each in facts]})
    if picture:
        plot(facts, sizes, measure, picture)


@data.command()
@click.argument("file", metavar="FILE")
@click.option("--output", type=_PATH, required=True, help="Folder for train, valid and test.")
@click.option("--train", default=0.8, show_default=True, help="Share of prompts to train on.")
@click.option("--valid", default=0.1, show_default=True, help="Share to validate on.")
@click.option("--test", default=0.1, show_default=True, help="Share to test on.")
@click.option("--seed", default=0, show_default=True, help="Another seed, another split.")
@schema_options
def split(
    file: str,
    output: Path,
    train: float,
    valid: float,
    test: float,
    seed: int,
    layout: dict[str, Any],
) -> None:
    """Split FILE by prompt: no prompt is in two parts, and rows added later move no other."""
    from ..data.split import split as split_file

    shares = {"train": train, "valid": valid, "test": test}
    result = split_file(file, output, shares, seed=seed, **layout)
    for part, path in result.files.items():
        click.echo(f"{path}: {result.rows[part]} rows, {result.prompts[part]} prompts")
    if result.bad:
        ids = ", ".join(row.id for row in result.bad[:3])
        click.echo(f"{len(result.bad)} rows could not be read and are in no part ({ids})", err=True)


@data.command()
@click.argument("name", metavar="OWNER/NAME")
@click.option("--output", type=_PATH, required=True, help="Folder for SPLIT.jsonl.")
@click.option("--split", "splits", multiple=True, help="Split to fetch; default is every split.")
@click.option("--config", help="Configuration of the data set.")
@click.option("--data-dir", help="Folder inside the data set, such as harmless-base.")
@click.option("--revision", help="Commit or tag, so that a later fetch gives the same rows.")
def fetch(
    name: str,
    output: Path,
    splits: tuple[str, ...],
    config: str | None,
    data_dir: str | None,
    revision: str | None,
) -> None:
    """Fetch a data set of the Hugging Face Hub as jsonl."""
    from ..data.hub import fetch as fetch_data

    options = {"name": config, "data_dir": data_dir, "revision": revision}
    for file, rows in fetch_data(name, output, splits, **options).items():
        click.echo(f"{file}: {rows} rows")


def _read(
    files: Iterable[str], layout: dict[str, Any], meaning: dict[str, Any]
) -> dict[str, Table]:
    from ..data.read import read_rows

    names = _names(list(dict.fromkeys(files)))
    return {name: read_rows(file, **layout, **meaning) for name, file in names.items()}


def _names(files: Sequence[str]) -> dict[str, str]:
    """Short names to files: folder and file, since many sets are called train.jsonl."""
    short = [data_name(file) for file in files]
    return dict(zip(short if len(set(short)) == len(files) else files, files, strict=True))
