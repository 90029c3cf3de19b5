"""Scoring a file: a row out for every row in, its columns echoed, its verdict beside them."""

from __future__ import annotations

import csv
import json
import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..data.formats import Record, iter_records
from ..data.schema import shown
from ..errors import DataError, ExchangeError, HarmgaugeError
from ..exchange import Exchange
from ..files import whole_file
from ..verdict import Verdict

if TYPE_CHECKING:
    from ..gauge import Gauge

T = TypeVar("T")

CHUNK = 2048
"""rows scored at a time: many enough to sort by length, few enough for any memory"""
OUTPUTS = (".jsonl", ".csv")
_COLUMNS = ("prompt", "response", "messages", "text")
_VERDICT = tuple(entry.name for entry in fields(Verdict))
_TAKEN = re.compile(rf"(input_)*({'|'.join(_VERDICT)})")


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns to judge; where none is named, those that are called as they should be."""

    prompt: str | None = None
    response: str | None = None

    def check(self, records: Sequence[Record | DataError], source: Path) -> None:
        """See that the named columns are there: in none of many rows is no matter of the rows.

        Raises:
            DataError: one of them is in no record.
        """
        found = [record for record in records if isinstance(record, dict)]
        for name in self._named:
            if found and not any(name in record for record in found):
                raise DataError(f"{source}: {_no_column(name, found[0])}")

    def exchange(self, record: Record) -> Exchange:
        """Read one record.

        Raises:
            ExchangeError: a column is missing, or holds something that cannot be judged.
        """
        if self._named:
            for name in self._named:
                if name not in record:
                    raise ExchangeError(_no_column(name, record))
            return _pair(
                None if self.prompt is None else record[self.prompt],
                None if self.response is None else record[self.response],
            )
        _refuse_misspelt(record)
        prompt, response = record.get("prompt"), record.get("response")
        if record.get("messages"):
            return _conversation(record["messages"], response)
        if prompt is not None or response is not None:
            return _pair(prompt, response)
        if record.get("text") is not None:
            return Exchange(prompt=record["text"])
        if empty := [name for name in _COLUMNS if name in record]:
            raise ExchangeError(f"there is nothing to judge in {' or '.join(empty)}")
        raise ExchangeError(
            f"there is no column {', '.join(_COLUMNS)}; found {shown(record)}; name "
            "yours with --prompt-column or --response-column"
        )

    @property
    def _named(self) -> list[str]:
        return [name for name in (self.prompt, self.response) if name is not None]


def score_file(
    gauge: Gauge,
    source: Path,
    output: Path | None,
    columns: Columns,
    threshold: float | str | None,
) -> tuple[int, list[int]]:
    """Score a file into another, or as JSON lines to stdout.

    The output is written under another name and moved when it is complete.

    Returns:
        How many rows there were, and the numbers of those that could not be judged.

    Raises:
        DataError: the file cannot be read at all, a named column is not in its first rows, or the
            output is the input.
    """
    if output is not None and output.exists() and source.exists() and output.samefile(source):
        raise DataError(
            f"{output} is also the input; name another file, since a row that cannot be read "
            "would be lost"
        )
    count, failed = 0, []
    with _writer(output, source) as write, _progress(output) as advance:
        for chunk in chunks(iter_records(source), CHUNK):
            if count == 0:
                columns.check([record for _, record in chunk], source)
            items = [_item(record, columns) for _, record in chunk]
            for (number, record), verdict in zip(
                chunk, _judge(gauge, items, threshold), strict=True
            ):
                write({**(_echo(record) if isinstance(record, dict) else {}), **verdict.to_dict()})
                if verdict.error is not None:
                    failed.append(number)
            count += len(chunk)
            advance(len(chunk))
    return count, failed


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of at most `size` items, in order."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def to_json(values: Any) -> str:
    """One line of JSON, whatever the cells hold.

    Lone surrogates, which no file can hold, become JSON escapes; NaN and infinity, which JSON
    lacks, null; dates and other values that only parquet has, their text.
    """
    try:
        line = json.dumps(values, ensure_ascii=False, allow_nan=False, default=str)
    except ValueError:
        line = json.dumps(_finite(values), ensure_ascii=False, default=str)
    return line.encode("utf-8", "backslashreplace").decode("utf-8")


def echo_json(values: Any) -> None:
    """Print one line of JSON, which is UTF-8 whatever the terminal's encoding is."""
    click.echo(to_json(values).encode("utf-8"))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list) else value


def _item(record: Record | HarmgaugeError, columns: Columns) -> Exchange | HarmgaugeError:
    if isinstance(record, HarmgaugeError):
        return record
    try:
        return columns.exchange(record)
    except ExchangeError as error:
        return error


def _judge(
    gauge: Gauge, items: Sequence[Exchange | HarmgaugeError], threshold: float | str | None
) -> list[Verdict]:
    at = gauge.threshold(threshold)
    exchanges = [item for item in items if isinstance(item, Exchange)]
    verdicts = iter(gauge.verdicts(exchanges, threshold))
    return [
        next(verdicts)
        if isinstance(item, Exchange)
        else Verdict(None, None, None, at, gauge=gauge.id, error=str(item))
        for item in items
    ]


def _no_column(name: str, record: Record) -> str:
    return f"there is no column {name!r}; found {shown(record)}"


def _pair(prompt: Any, response: Any) -> Exchange:
    # CSV has no null: beside a response, a blank prompt cell says that there was none.
    return Exchange(
        prompt=None if prompt == "" and response is not None else prompt, response=response
    )


def _conversation(messages: Any, response: Any) -> Exchange:
    if isinstance(messages, str):  # as a CSV cell holds it
        try:
            messages = json.loads(messages)
        except (ValueError, RecursionError):
            raise ExchangeError("the column messages is not valid JSON") from None
    if response is not None and isinstance(messages, list):
        messages = [*messages, {"role": "assistant", "content": response}]
    return Exchange.from_messages(messages)


def _refuse_misspelt(record: Record) -> None:
    """Else the prompt would be judged where a response stands, in a column `Response`."""
    for name in record:
        meant = name.strip().lower()
        if meant in _COLUMNS and name != meant:
            raise ExchangeError(
                f"the column {name!r} is not {meant!r}; rename it, or name the columns to judge "
                "with --prompt-column and --response-column"
            )


def _echo(record: Record) -> Record:
    """The input's columns; one that is called as a field of the verdict keeps its values as
    `input_…`, and one that is called so already gets another `input_`."""
    return {
        f"input_{name}" if _TAKEN.fullmatch(name) else name: cell for name, cell in record.items()
    }


@contextmanager
def _writer(output: Path | None, source: Path) -> Iterator[Callable[[Record], None]]:
    if output is None:
        yield echo_json
        return
    try:
        with (
            whole_file(output) as scratch,
            scratch.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
        ):
            if output.suffix == ".csv":
                table = csv.DictWriter(file, [*_columns(source), *_VERDICT], lineterminator="\n")
                table.writeheader()
                yield lambda row: table.writerow({k: _cell(v) for k, v in row.items()})
            else:
                yield lambda row: print(to_json(row), file=file)
    except OSError as error:
        raise DataError(
            f"{output} cannot be written ({type(error).__name__}); check its folder and the disk"
        ) from error


def _columns(source: Path) -> list[str]:
    """All columns of all rows, since JSON lines need not agree on them."""
    records = (record for _, record in iter_records(source) if isinstance(record, dict))
    return list(dict.fromkeys(name for record in records for name in _echo(record)))


def _cell(value: Any) -> Any:
    """A value as CSV writes it: null is blank, text stays as it is, what JSON has is JSON."""
    value = _finite(value)
    if value is None or isinstance(value, str):
        return value
    return to_json(value) if isinstance(value, (bool, int, float, list, dict)) else str(value)


@contextmanager
def _progress(output: Path | None) -> Iterator[Callable[[int], object]]:
    if output is None or not sys.stderr.isatty():
        yield lambda count: None
        return
    from tqdm import tqdm

    with tqdm(unit="row", desc="scoring") as bar:
        yield bar.update
