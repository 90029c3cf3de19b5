"""What the verbs that measure share: which data sets, which scorers, how to draw."""

from __future__ import annotations

import functools
import math
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import HarmgaugeError, RecipeError, needs_extra
from .reading import is_stated, label_options, schema_options

if TYPE_CHECKING:
    from ..evaluation.cache import Cache
    from ..evaluation.data_set import DataSet
    from ..evaluation.evaluate import Border, Evaluation
    from ..evaluation.scorers import Scorer
    from ..gauge import Gauge

FEWEST_DRAWS = 100
"""with fewer, the ends of a 95 % interval are chance"""


def _enough(context: click.Context, option: click.Parameter, draws: int) -> int:
    if 0 < draws < FEWEST_DRAWS:
        raise click.BadParameter(
            f"{draws} draws give no 95 % interval to go by; take {FEWEST_DRAWS} or more, or 0 for "
            "no intervals"
        )
    return draws


_SETS = (
    click.option(
        "--suite",
        metavar="NAME|FILE",
        help="Measure all data sets of a suite below --data-root: standard, or a YAML file.",
    ),
    click.option(
        "--data-root",
        metavar="FOLDER",
        help="Where the suite, and a recipe if one is given, have their data; by default the suite "
        "below data, a recipe where it says.",
    ),
    schema_options,
    label_options,
)
_RUN = (
    click.option(
        "--json",
        "output",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Write all figures.",
    ),
    click.option(
        "--draws",
        type=click.IntRange(0),
        default=1000,
        show_default=True,
        callback=_enough,
        help=f"Bootstrap draws of the intervals, {FEWEST_DRAWS} or more; 0 for none.",
    ),
    click.option(
        "--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the draws."
    ),
    click.option("--threads", type=click.IntRange(1), help="CPU threads of the gauges."),
    click.option("--no-cache", is_flag=True, help="Score and measure anew what is known already."),
)


def set_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --suite, --data-root and how to read files; see `data_sets` for what becomes of them."""
    return functools.reduce(lambda inner, option: option(inner), reversed(_SETS), command)


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --json (as `output`), --draws, --seed, --threads and --no-cache; stopped by Ctrl-C, the
    command says what is kept."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except KeyboardInterrupt:
            kept = (
                "give the same command again, which goes on after the last data set that was scored"
            )
            if kwargs["no_cache"]:
                kept = "with --no-cache nothing is kept"
            click.echo(f"\nharmgauge: stopped; {kept}", err=True)
            raise SystemExit(130) from None

    return functools.reduce(lambda inner, option: option(inner), reversed(_RUN), wrapped)


def check_output(output: Path | None) -> None:
    """Refuse a file that --json should not or cannot write, before anything is scored."""
    if output and output.suffix != ".json":  # one of the FILEs, given to --json as to a flag?
        raise click.UsageError("--json takes the file to write, whose name must end in .json")
    if output and not output.absolute().parent.is_dir():
        raise HarmgaugeError(f"cannot write {output}: its folder does not exist; make it first")


def data_sets(
    files: Sequence[str],
    suite: str | None,
    data_root: str | None,
    layout: Mapping[str, Any],
    meaning: Mapping[str, Any],
) -> tuple[list[DataSet], list[str]]:
    """What to measure, and what of the suite is not there."""
    from ..evaluation.data_set import DataSet

    if suite is None:
        if not files:
            raise click.UsageError("name the FILEs to measure, or a suite with --suite")
        sets = [DataSet(file, **layout, **meaning) for file in dict.fromkeys(files)]
        shown = [each.shown for each in sets]
        return [_file(_named_apart(each, shown)) for each in sets], []
    if files or is_stated(layout, meaning):
        raise click.UsageError(
            "--suite says itself which files to measure and how to read them; leave out the rest, "
            "or write a suite of your own (docs/evaluate.md)"
        )
    try:
        from ..evaluation.suite import read_suite
    except ModuleNotFoundError as error:
        raise needs_extra("train", f"reading a suite ({error.name} is missing)") from None
    found = read_suite(suite, Path(data_root or "data"))
    return found.sets, found.missing


def _named_apart(data: DataSet, shown: Sequence[str]) -> DataSet:
    """A data set whose name is its path, if another of those shown is called alike."""
    return replace(data, name=data.path) if shown.count(data.shown) > 1 else data


def _file(data: DataSet) -> DataSet:
    """A data set whose file can be read, which is found out before any is scored."""
    if Path(data.path).is_file():
        _ = data.sha256  # before it is read: were the file replaced then, nothing stale is kept
    _ = data.table
    return data


def tell_unkept(cache: Cache) -> None:
    """Say on stderr where what was scored could not be kept."""
    if cache.failure is not None:
        click.echo(
            f"harmgauge: what was scored is not kept for a second run ({cache.failure.strerror}); "
            "name a folder that can be written in HARMGAUGE_CACHE, or give --no-cache",
            err=True,
        )


def in_turn(sets: Sequence[DataSet], evaluation: Evaluation) -> Iterator[DataSet]:
    """The data sets, each announced on stderr where progress is shown.

    All are read before the first is scored: a label that nobody knows in the last one would
    otherwise cost the figures of all others.
    """
    for data in sets:
        evaluation.contents(data)
    for number, data in enumerate(sets, 1):
        if evaluation.progress:
            click.echo(f"{number}/{len(sets)} {data.shown}", err=True)
        yield data


def open_scorers(names: Iterable[str], threads: int | None) -> dict[str, Scorer]:
    """Scorers by name, beside it the folder or file of those that share one with another, be it
    among them or installed: a gauge that was calibrated keeps its parent's."""
    from ..evaluation.scorers import open_scorer

    opened = [(given, open_scorer(given, threads=threads)) for given in names]
    scorers: dict[str, Scorer] = {}
    for given, scorer in opened:
        alike = {other for other, each in opened if each.name == scorer.name} - {given}
        if _hides_installed(given, scorer.name):
            alike.add(scorer.name)
        name = scorer.name
        if alike and given != name:
            short = _last_part(given)
            name += f" ({given if short in map(_last_part, alike) else short})"
        scorers[f"{name} ({len(scorers) + 1})" if name in scorers else name] = scorer
    return scorers


def _hides_installed(given: str, name: str) -> bool:
    """Whether it is a folder of another gauge than the installed one of that name."""
    from ..gauges import installed

    if given == name or not Path(given).is_dir():
        return False
    known = installed().get(name)
    return known is not None and not known.samefile(given)


def _last_part(given: str) -> str:
    path = Path(given).absolute()
    return path.stem if path.suffix in (".yaml", ".yml") else path.name


def borders(scorers: Mapping[str, Scorer], threshold: float | str | None) -> dict[str, Border]:
    """The cost from which on each scorer flags, where one is asked for."""
    from ..evaluation.scorers import GaugeScorer

    if threshold is None:
        return {}
    if not isinstance(threshold, str):
        if not math.isfinite(threshold):
            raise click.UsageError(f"--threshold is {threshold}; give a finite cost, such as 0")
        return dict.fromkeys(scorers, threshold)
    found: dict[str, Border] = {}
    for name, scorer in scorers.items():
        if not isinstance(scorer, GaugeScorer):
            raise RecipeError(
                f"{name} has no stored thresholds, and so none called {threshold!r}; give "
                "--threshold a cost"
            )
        stored = [each.name for each in scorer.gauge.manifest.thresholds]
        if threshold not in stored:
            raise RecipeError(
                f"{name} has no threshold {threshold!r}; give a cost, or one of its names "
                f"({', '.join(stored) or 'it has none'})"
            )
        found[name] = border(scorer.gauge, threshold)
    return found


def border(gauge: Gauge, name: str) -> Border:
    """A stored threshold, as the gauge's costs stand; of a set that holds several kinds of input,
    that of the kind which most of it is.

    Raises:
        RecipeError: the gauge has no threshold of that name.
    """
    from ..evaluation.data_set import KINDS

    costs: dict[str, float] = {
        kind: gauge.threshold(name, "exchange" if kind == "pair" else kind) for kind in KINDS
    }
    return costs if len(set(costs.values())) > 1 else costs["exchange"]


def promises(scorers: Mapping[str, Scorer], threshold: float | str | None) -> dict[str, str]:
    """Of a stored threshold its name and what each scorer promises there; else empty."""
    from ..evaluation.scorers import GaugeScorer

    return {
        name: f"{threshold}: {each.promise}"
        for name, scorer in scorers.items()
        if isinstance(scorer, GaugeScorer)
        for each in scorer.gauge.manifest.thresholds
        if each.name == threshold
    }


def command_line() -> str:
    """The command that is running, to be pasted into a shell."""
    return shlex.join(["harmgauge", *sys.argv[1:]])
