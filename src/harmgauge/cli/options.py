"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from ..gauge import Gauge

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
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
    help="Unsafe from this cost on: a number (0 by default) or a stored name such as fpr1.",
)


def gauge_options(command: Command) -> Command:
    """Add `--gauge`, `--prior` and `--threads`, passed on as `name`, `prior`, `threads`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def load_gauge(name: str | None, prior: float | None, threads: int | None) -> Gauge:
    from ..gauge import load  # not before a command needs it

    return load(name, prior=prior, threads=threads)
