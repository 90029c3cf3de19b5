"""File formats to plain records: jsonl, json, csv and parquet, each also gzipped.

Only parquet needs more than the standard library, so that scoring a file stays light.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, cast

from ..errors import DataError, needs_extra

Record = dict[str, Any]
Numbered = tuple[int, "Record | DataError"]

FORMATS = ("jsonl", "json", "csv", "parquet")


def iter_records(path: str | Path) -> Iterator[Numbered]:
    """Read a file record by record, in order.

    Yields:
        The number of the record and the record. Numbers start at 1; of jsonl they are line
        numbers (blank lines count, but yield nothing), of csv the header is not counted.
        A record that cannot be read is yielded as a `DataError`, and reading goes on.

    Raises:
        DataError: the file is missing, of an unknown format, or unreadable as a whole.
    """
    path = Path(path)
    form = format_of(path)
    if not path.is_file():
        raise DataError(f"{path} is not a file; check the path")
    reader = {"jsonl": _jsonl, "json": _json, "csv": _csv, "parquet": _parquet}[form]
    try:
        with _open(path) as file:
            yield from reader(file, path)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path} cannot be read ({type(error).__name__}); is it whole, and readable by you?"
        ) from error


def format_of(path: Path) -> str:
    """The format that a file's name states.

    Raises:
        DataError: the name ends in no known format.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    form = suffixes[-1][1:] if suffixes else ""
    if form not in FORMATS:
        known = ", ".join(f".{name}" for name in FORMATS)
        mend = f"name it {known}, with .gz after it if gzipped"
        if form in ("yaml", "yml"):
            mend += "; of the rows of a recipe tells `harmgauge train RECIPE --plan`"
        raise DataError(f"{path} has no known format; {mend}")
    return form


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        gzipped = file.read(2) == b"\x1f\x8b"  # whatever the file is called
    if gzipped or path.suffix.lower() == ".gz":
        return cast(IO[bytes], gzip.open(path, "rb"))
    return path.open("rb")


def _jsonl(lines: Iterable[bytes], path: Path) -> Iterator[Numbered]:
    # Bytes, split at \n alone: str.splitlines would also break at U+2028 inside a text.
    for number, line in enumerate(lines, 1):
        if number == 1:
            line = _without_bom(line, path)
        if line.strip():
            yield number, _parse_line(line)


def _parse_line(line: bytes) -> Record | DataError:
    try:
        return _as_record(json.loads(line.decode("utf-8")))
    except UnicodeDecodeError as error:
        return DataError(f"not UTF-8 at byte {error.start + 1}; save the file as UTF-8")
    except json.JSONDecodeError as error:
        return DataError(f"not valid JSON at character {error.pos + 1}: {error.msg}")
    except (ValueError, RecursionError) as error:
        return DataError(f"not readable JSON ({type(error).__name__})")


def _as_record(value: Any) -> Record | DataError:
    if isinstance(value, dict):
        return value
    return DataError(f"expected an object with named fields, found {type(value).__name__}")


def _json(file: IO[bytes], path: Path) -> Iterator[Numbered]:
    content = _without_bom(file.read(), path)
    try:
        value = json.loads(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 at byte {error.start + 1}; save it as UTF-8"
        ) from error
    except (ValueError, RecursionError) as error:
        # JSON lines are often named .json; an array that is broken has no rows to go on with.
        if not content.lstrip().startswith(b"{"):
            raise DataError(f"{path} is not valid JSON; repair it, or write JSON lines") from error
        yield from _jsonl(io.BytesIO(content), path)
        return
    if isinstance(value, dict):
        lists = [inner for inner in value.values() if isinstance(inner, list)]
        # A lone list is that of the rows, unless it is that of the one row's messages.
        value = lists[0] if len(lists) == len(value) == 1 and "messages" not in value else [value]
    if not isinstance(value, list):
        raise DataError(f"{path} holds no list of objects; write one, or JSON lines")
    yield from ((number, _as_record(inner)) for number, inner in enumerate(value, 1))


def _csv(file: IO[bytes], path: Path) -> Iterator[Numbered]:
    csv.field_size_limit(2**31 - 1)  # the default refuses a cell over 128 KiB
    head = file.read(4)
    _without_bom(head, path)
    file.seek(0)
    # Bytes that are no UTF-8 become lone surrogates, which fail the row that holds them alone.
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    # Strict, so that a quote which never closes is an error and does not swallow the file.
    rows = csv.reader(text, strict=True)
    try:
        header = next(rows, [])
    except csv.Error as error:
        raise DataError(f"{path} has a header that is not CSV: {error}") from error
    if not any(header):
        raise DataError(f"{path} has no header; its first line must name the columns")
    separators = [mark for mark in ";\t|" if mark in header[0] and " " not in header[0]]
    if len(header) == 1 and separators:
        raise DataError(f"{path} separates its columns by {separators[0]!r}; save it with commas")
    if len(set(header)) < len(header):
        raise DataError(f"{path} names a column twice in its header; rename one")
    number = 0
    while True:
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            number += 1
            yield number, DataError(f"not valid CSV: {error}")
            continue
        if not cells:
            continue
        number += 1
        if len(cells) != len(header):
            yield (
                number,
                DataError(
                    f"has {len(cells)} cells where the header names {len(header)} columns; put a "
                    "cell that holds a comma in quotes"
                ),
            )
        else:
            yield number, dict(zip(header, cells, strict=True))


def _parquet(file: IO[bytes], path: Path) -> Iterator[Numbered]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise needs_extra("train", "reading parquet") from error
    try:
        batches = pyarrow.parquet.ParquetFile(io.BytesIO(file.read())).iter_batches()
        records = (record for batch in batches for record in batch.to_pylist())
        yield from enumerate(records, 1)
    except pyarrow.ArrowException as error:
        raise DataError(f"{path} is not readable parquet ({type(error).__name__})") from error


def _without_bom(content: bytes, path: Path) -> bytes:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{path} is UTF-16; save it as UTF-8")
    return content.removeprefix(b"\xef\xbb\xbf")
