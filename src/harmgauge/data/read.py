"""A data file to rows: the schema recognised, labels mapped, every row kept or accounted for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

from ..errors import DataError, HarmgaugeError
from ..exchange import Exchange
from .columns import Columns, column_schema
from .fields import Fields, Reading
from .formats import Numbered, Record, iter_records
from .hub import HUB, hub_records
from .labels import LabelMap, is_missing, label_key, stated_map, unknown_labels
from .row import BadRow, Item, Row
from .schema import Schema, shown
from .schemas import known, recognise
from .templates.family import TEMPLATES, template_records

Part = Literal["exchange", "prompt", "response"]


@dataclass(slots=True)
class Table:
    """A file as rows. `len(rows) + len(bad) + left_out + collapsed` is the records it holds."""

    rows: list[Row]
    bad: list[BadRow]
    schema: str
    source: str
    left_out: int = 0
    """rows whose label is mapped to null"""
    collapsed: int = 0
    """with part "prompt": repeats of a prompt that is already a row"""
    unused: list[str] = field(default_factory=list)
    """columns that the schema does not know"""


def read_rows(
    path: str | Path,
    *,
    schema: str | None = None,
    columns: Columns | None = None,
    labels: Mapping[str, float | None] | None = None,
    label: float | None = None,
    part: Part = "exchange",
    unlabelled: bool = False,
    source: str | None = None,
) -> Table:
    """Read a file, a Hub data set named `hub:OWNER/NAME[:SPLIT]`, or texts made from templates,
    named `templates:FAMILY[:PART]`, into rows.

    Args:
        path: jsonl, json, csv or parquet, each also gzipped.
        schema: name in `schemas.SCHEMAS`; None recognises it from the columns.
        columns: names the columns of a file of any other layout.
        labels: what the label column's values mean: 1 unsafe, 0 safe, None leave the row out.
        label: the label of rows that have none.
        part: "prompt" keeps the prompts alone, each once, without the label of their response;
            "response" keeps the responses without their prompts.
        unlabelled: keep rows whose label is mapped to None, as rows without a label.
        source: name of the source; None takes the name of the file's folder.

    Raises:
        DataError: the file is unreadable, fits no schema or two, holds no readable row, or has
            labels without a meaning.
    """
    if part not in get_args(Part):
        raise DataError(f"there is no part {part!r}; use exchange, prompt or response")
    if label is not None and not 0 <= label <= 1:
        raise DataError(f"label {label!r} is not between 0 (safe) and 1 (unsafe)")
    opened = open_data(path, schema=schema, columns=columns)
    layout = opened.schema
    try:
        mapping = _label_map(layout, labels)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None

    table = Table([], [], layout.name, source or opened.source, unused=opened.unused)
    unknown: set[str] = set()
    seen: set[object] = set()
    for row_id, record in opened.records:
        try:
            if isinstance(record, DataError):
                raise record
            value = record.get(layout.label) if layout.label else None
            key = None if is_missing(value) else label_key(value)
            if key is not None and key not in mapping:
                unknown.add(key)
                continue
            unsafe = None if key is None else mapping[key]
            if key is not None and unsafe is None and not unlabelled:
                table.left_out += 1
                continue
            reading = _with_part(layout.read(Fields(record, unsafe)), part, label)
        except HarmgaugeError as error:
            table.bad.append(BadRow(row_id, str(error)))
            continue
        if part == "prompt":
            prompt = (reading.items[0].exchange.turns, reading.items[0].unsafe)
            if prompt in seen:
                table.collapsed += 1
                continue
            seen.add(prompt)
        table.rows.append(Row(row_id, table.source, reading.items, reading.safer, reading.meta))
    if unknown:
        raise DataError(f"{path}: {unknown_labels(layout.label or '', unknown)}")
    if len(table.bad) == len(opened.records):
        raise DataError(f"{path}: {_none_readable(len(table.bad), table.bad[0].error)}")
    return table


def _none_readable(n: int, first: object) -> str:
    return f"none of its {n} rows can be read; the first: {first}"


@dataclass(frozen=True, slots=True)
class OpenedData:
    """The records of a file as they are upstream, and the schema that reads them."""

    records: list[tuple[str, Record | DataError]]
    """row id and record, in order; an error where a record cannot be read"""
    schema: Schema
    source: str
    """name of the file's folder, or of the Hub data set"""
    unused: list[str]
    """columns that the schema does not know"""


def open_data(
    path: str | Path, *, schema: str | None = None, columns: Columns | None = None
) -> OpenedData:
    """Read a file's records and find their schema, without reading them as rows.

    Raises:
        DataError: as for `read_rows`, labels aside.
    """
    if str(path).startswith(HUB):
        hub_id, split, fetched = hub_records(str(path))
        name, source = f"{hub_id}:{split}", hub_id.rsplit("/", 1)[-1]
        numbered: Iterable[Numbered] = enumerate(fetched, 1)
    elif str(path).startswith(TEMPLATES):
        source, part, made = template_records(str(path))
        name, numbered = f"{source}:{part}", enumerate(made, 1)
    else:
        path = Path(path)
        name, source = path.name, path.resolve().parent.name
        numbered = iter_records(path)
    records = [(f"{name}:{number}", record) for number, record in numbered]
    good = [record for _, record in records if isinstance(record, dict)]
    if not records:
        raise DataError(f"{path} holds no rows")
    if not good:
        raise DataError(f"{path}: {_none_readable(len(records), records[0][1])}")
    found = frozenset[str]().union(*good)
    try:
        layout = _layout(found, schema, columns)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    return OpenedData(records, layout, source, layout.unused(found))


def _layout(found: frozenset[str], schema: str | None, columns: Columns | None) -> Schema:
    if columns is not None:
        if schema is not None:
            raise DataError("name either a schema or columns, not both")
        layout = column_schema(columns)
    else:
        layout = recognise(found) if schema is None else known(schema)
    missing = sorted(layout.required - found)
    if missing:
        raise DataError(f"has no column {', '.join(missing)}; columns found: {shown(found)}")
    return layout


def _label_map(layout: Schema, labels: Mapping[str, float | None] | None) -> LabelMap:
    if labels is None:
        return layout.labels
    if layout.label is None:
        raise DataError(f"schema {layout.name} has no label column for `labels` to explain")
    return stated_map(labels)


def _with_part(reading: Reading, part: Part, label: float | None) -> Reading:
    """Keep the part asked for, then fill in the stated label where there is none."""
    items = reading.items
    if part == "prompt":
        items = (_prompt_of(items[0]),)
        reading = replace(reading, safer=None)
    elif part == "response":
        items = tuple(_response_of(item) for item in items)
    if label is not None:
        items = tuple(
            replace(item, unsafe=label) if item.unsafe is None else item for item in items
        )
    return replace(reading, items=items)


def _prompt_of(item: Item) -> Item:
    exchange = item.exchange
    if exchange.prompt is None:
        raise DataError("has no prompt, and only prompts were asked for")
    if exchange.response is None:
        return item
    # Labels, severity and categories were given to the response.
    return Item(Exchange(exchange.prompt, history=exchange.history))


def _response_of(item: Item) -> Item:
    if item.exchange.response is None:
        raise DataError("has no response, and only responses were asked for")
    return replace(item, exchange=Exchange(response=item.exchange.response))
