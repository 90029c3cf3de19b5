"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from ..gauge import Gauge

Command = TypeVar("Command", bound=Callable[..., Any])

_GAUGE = (
    click.option(
        "--gauge",
        "name",
        metavar="NAME|FOLDER",
        help="An installed gauge or the folder of a bundle; by default the embedded mini.",
    ),
    click.option(
        "--prior",
        type=float,
        metavar="SHARE",
        help="Share of unsafe texts where you use the gauge; shifts every cost.",
    ),
    click.option("--threads", type=click.IntRange(1), help="CPU threads; by default all cores."),
)

_RUN = (
    click.argument("recipe", type=click.Path(exists=True, dir_okay=False, path_type=Path)),
    click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]…"),
    click.option(
        "--out",
        type=click.Path(file_okay=False, path_type=Path),
        help="Folder of the run; by default runs/NAME.",
    ),
    click.option("--resume", is_flag=True, help="Go on from the last checkpoint of the run."),
    click.option("--threads", type=click.IntRange(1), help="CPU threads; by default all cores."),
    click.option("--quiet", is_flag=True, help="No progress bar."),
)


def _cost_or_name(threshold: str) -> float | str:
    """A cost, or the name of a threshold that the gauge has stored."""
    try:
        return float(threshold)
    except ValueError:
        return threshold


threshold_option = click.option(
    "--threshold",
    type=_cost_or_name,
    metavar="COST|NAME",
    help="Unsafe from this cost on: a number (0 by default) or a stored name such as prompts_fpr1.",
)


def gauge_options(command: Command) -> Command:
    """Add `--gauge`, `--prior` and `--threads`, passed on as `name`, `prior`, `threads`."""
    return _with(_GAUGE, command)


def run_options(command: Command) -> Command:
    """Add what every verb takes that follows a recipe: RECIPE, overrides, `--out` and the like."""
    return _with(_RUN, command)


def _with(options: Sequence[Callable[[Command], Command]], command: Command) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def load_gauge(name: str | None, prior: float | None, threads: int | None) -> Gauge:
    from ..gauge import load  # not before a command needs it

    return load(name, prior=prior, threads=threads)
