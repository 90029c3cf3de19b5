"""Options of every verb that reads data files: how to read one whose columns do not tell."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from ..errors import DataError

WHOLE = "exchange"
_COLUMNS = ("prompt", "response", "messages", "label", "category", "id")


def schema_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --schema and --*-column; the command gets them as `layout`, a dict for `read_rows`."""

    @functools.wraps(command)
    def wrapped(*args: Any, schema: str | None, **kwargs: Any) -> Any:
        from ..data.columns import Columns

        names = {name: kwargs.pop(f"{name}_column") for name in _COLUMNS}
        columns = Columns(**names) if any(names.values()) else None
        return command(*args, layout={"schema": schema, "columns": columns}, **kwargs)

    options = [click.option("--schema", help="Schema of the files; see docs/data.md.")]
    options += [
        click.option(f"--{name}-column", metavar="NAME", help=f"Column that holds the {name}.")
        for name in _COLUMNS
    ]
    return functools.reduce(lambda inner, option: option(inner), reversed(options), wrapped)


def label_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --labels, --label and --part; the command gets them as `meaning`."""

    @functools.wraps(command)
    def wrapped(
        *args: Any, labels: str | None, label: float | None, part: str, **kwargs: Any
    ) -> Any:
        meaning = {"labels": label_map(labels), "label": label, "part": part}
        return command(*args, meaning=meaning, **kwargs)

    options = [
        click.option(
            "--labels",
            metavar="JSON",
            help="What label values mean: 1 unsafe, 0 safe, null leave out.",
        ),
        click.option("--label", type=click.FloatRange(0, 1), help="Label of rows that have none."),
        click.option(
            "--part",
            type=click.Choice(["exchange", "prompt", "response"]),
            default=WHOLE,
            show_default=True,
            help="Keep whole exchanges, each prompt once, or responses without their prompts.",
        ),
    ]
    return functools.reduce(lambda inner, option: option(inner), reversed(options), wrapped)


def check_reading(files: Sequence[str], layout: dict[str, Any], meaning: dict[str, Any]) -> None:
    """Raises:
    UsageError: it is stated how to read files, and there are none.
    """
    if not files and is_stated(layout, meaning):
        raise click.UsageError(
            "--schema, --*-column, --labels, --label and --part say how to read labelled rows; "
            "give --data FILE with them"
        )


def is_stated(layout: Mapping[str, Any], meaning: Mapping[str, Any]) -> bool:
    """Whether any of the options says how to read files."""
    stated = (*layout.values(), meaning["labels"], meaning["label"])
    return any(each is not None for each in stated) or meaning["part"] != WHOLE


def label_map(labels: str | None) -> dict[str, float | None] | None:
    """Read a label map written as JSON.

    Raises:
        DataError: it is not a JSON object.
    """
    if labels is None:
        return None
    try:
        value = json.loads(labels)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise DataError('--labels must be a JSON object such as {"hate": 1, "none": 0}')
    return value
