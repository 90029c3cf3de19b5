"""Every record in is a record out, whatever is wrong with it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from harmgauge import DataError
from harmgauge.data.formats import iter_records


def records(path: Path) -> list[tuple[int, object]]:
    return list(iter_records(path))


@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv", "parquet"])
@pytest.mark.parametrize("gzipped", [False, True])
def test_every_format_gives_the_same_records(tmp_path: Path, suffix: str, gzipped: bool) -> None:
    rows = [{"prompt": 'one\nline, and "more"', "n": "1"}, {"prompt": "zwei ä", "n": ""}]
    path = tmp_path / f"data.{suffix}"
    if suffix == "jsonl":
        path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    elif suffix == "json":
        path.write_text(json.dumps(rows), encoding="utf-8")
    elif suffix == "csv":
        path.write_text('prompt,n\n"one\nline, and ""more""",1\nzwei ä,\n', encoding="utf-8")
    else:
        parquet = pytest.importorskip("pyarrow.parquet")
        table = pytest.importorskip("pyarrow").Table.from_pylist(rows)
        parquet.write_table(table, path)
    if gzipped:
        packed = path.with_name(path.name + ".gz")
        packed.write_bytes(gzip.compress(path.read_bytes()))
        path = packed
    assert records(path) == [(1, rows[0]), (2, rows[1])]


def test_broken_lines_are_errors_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    lines = [
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a": ',
        b"",
        b"[1]",
        b'{"a": "\xff"}',
        b"[" * 99999,
        b'{"a": 2}',
    ]
    path.write_bytes(b"\n".join(lines))
    found = records(path)
    assert [number for number, _ in found] == [1, 2, 4, 5, 6, 7]
    assert found[0] == (1, {"a": 1})
    assert found[-1] == (7, {"a": 2})
    assert all(isinstance(record, DataError) for _, record in found[1:-1])


def test_line_separators_inside_a_text_do_not_split_a_row(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text('{"a": "x\u2028y\x85z"}\n', encoding="utf-8")
    assert records(path) == [(1, {"a": "x\u2028y\x85z"})]


def test_json_may_hold_lines_or_one_named_list(tmp_path: Path) -> None:
    lines, named, broken = (tmp_path / name for name in ("a.json", "b.json", "c.json"))
    lines.write_text('{"a": 1}\n{"a": 2}\n', encoding="utf-8")
    named.write_text('{"data": [{"a": 1}, 3]}', encoding="utf-8")
    broken.write_text('[{"a": 1}, ', encoding="utf-8")
    assert records(lines) == [(1, {"a": 1}), (2, {"a": 2})]
    assert records(named)[0] == (1, {"a": 1})
    assert isinstance(records(named)[1][1], DataError)
    with pytest.raises(DataError, match="not valid JSON"):
        records(broken)


def test_one_object_with_messages_is_one_record(tmp_path: Path) -> None:
    path = tmp_path / "chat.json"
    path.write_text('{"messages": [{"role": "user", "content": "hello"}]}', encoding="utf-8")
    assert records(path) == [(1, {"messages": [{"role": "user", "content": "hello"}]})]


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_gzipped_file_is_known_by_its_content(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"data.{suffix}"
    path.write_bytes(gzip.compress(b"a\n1\n" if suffix == "csv" else b'{"a": "1"}'))
    assert records(path) == [(1, {"a": "1"})]


def test_csv_with_bom_large_cell_nul_and_ragged_rows(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    large = "x" * 300_000
    path.write_bytes(
        b"\xef\xbb\xbfprompt,n\n" + large.encode() + b",1\nonly one cell\na\x00b,2\n\xff,3\n,4\n"
    )
    found = dict(records(path))
    assert found[1] == {"prompt": large, "n": "1"}
    assert isinstance(found[2], DataError)
    assert "1 cells" in str(found[2])
    assert isinstance(found[3], (DataError, dict))  # Python 3.10 refuses NUL in csv
    assert found[4] == {"prompt": "\udcff", "n": "3"}
    assert found[5] == {"prompt": "", "n": "4"}


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_csv_without_commas_is_refused(tmp_path: Path, separator: str) -> None:
    path = tmp_path / "data.csv"
    path.write_text(f"prompt{separator}n\na, b{separator}1\n", encoding="utf-8")
    with pytest.raises(DataError, match="save it with commas"):
        records(path)
    path.write_text(f"hello{separator} you\na\n", encoding="utf-8")  # a text, not a header
    assert len(records(path)) == 1


def test_a_quote_that_never_closes_is_an_error_not_the_rest_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text('prompt,n\na,1\n"b,2\nc,3\n', encoding="utf-8")
    found = records(path)
    assert found[0] == (1, {"prompt": "a", "n": "1"})
    assert isinstance(found[-1][1], DataError)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("data.txt", b"x", "no known format; name it"),
        ("recipe.yaml", b"x", "no known format; name it .*; .* `harmgauge train RECIPE --plan`"),
        ("data.csv", b"", "no header"),
        ("data.csv", b"a,a\n1,2\n", "twice"),
        ("data.csv", "a\nb".encode("utf-16"), "UTF-16"),
        ("data.jsonl", "{}".encode("utf-16"), "UTF-16"),
        ("data.jsonl.gz", b"not gzip", "cannot be read"),
        ("data.jsonl.gz", gzip.compress(b'{"a": 1}' * 999, mtime=0)[:30], "cannot be read"),
        ("data.parquet", b"not parquet", "not readable parquet"),
    ],
)
def test_files_that_cannot_be_read_say_why(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        records(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.jsonl is not a file"):
        records(tmp_path / "nowhere.jsonl")
