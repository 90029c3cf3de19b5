import csv
import io
import json
from dataclasses import fields
from datetime import datetime
from decimal import Decimal

import pytest

from harmgauge import Exchange, Verdict
from harmgauge.files import SCRATCH

FIELDS = [entry.name for entry in fields(Verdict)]


@pytest.fixture
def score_file(run, tiny_bundle, tmp_path):
    """Score a file of the given content; returns the result and the rows that came out."""

    def score_file(name, content, *arguments, output="out.jsonl"):
        source, target = tmp_path / name, tmp_path / output
        source.write_bytes(content if isinstance(content, bytes) else content.encode())
        result = run(
            "score", "--gauge", tiny_bundle, "--input", source, "--output", target, *arguments
        )
        assert not list(tmp_path.glob(SCRATCH))
        with target.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file) if output.endswith("csv") else map(json.loads, file))
        return result, rows

    return score_file


def jsonl(*records):
    return "".join(json.dumps(record) + "\n" for record in records)


def test_every_column_is_echoed_beside_the_verdict(score_file, tiny_gauge):
    records = [{"id": 7, "prompt": "hello"}, {"id": 8, "prompt": "hello", "response": "a cat"}]
    result, rows = score_file("in.jsonl", jsonl(*records))
    assert result.exit_code == 0
    expected = tiny_gauge.verdicts(records)
    assert rows == [
        {**record, **verdict.to_dict()} for record, verdict in zip(records, expected, strict=True)
    ]
    assert list(rows[0]) == ["id", "prompt", *FIELDS]
    assert "2 rows read" in result.stderr


@pytest.mark.parametrize(
    ("record", "exchange"),
    [
        ({"text": "hello"}, Exchange("hello")),
        ({"prompt": "hello", "response": None}, Exchange("hello")),
        ({"prompt": None, "response": "a cat"}, Exchange(response="a cat")),
        ({"prompt": "", "response": "a cat"}, Exchange(response="a cat")),
        ({"messages": [{"role": "user", "content": "hello"}]}, Exchange("hello")),
        ({"messages": '[{"role": "user", "content": "hello"}]'}, Exchange("hello")),
        (
            {"messages": [{"role": "user", "content": "hello"}], "response": "a cat"},
            Exchange("hello", "a cat"),
        ),
    ],
)
def test_known_columns_are_found(score_file, tiny_gauge, record, exchange):
    result, (row,) = score_file("in.jsonl", jsonl(record))
    assert result.exit_code == 0
    assert row["cost"] == tiny_gauge.verdict(exchange).cost


def test_columns_can_be_named(score_file, tiny_gauge):
    content = jsonl({"q": "hello", "a": "a cat", "prompt": "not this"})
    _, (row,) = score_file("in.jsonl", content, "--prompt-column", "q", "--response-column", "a")
    assert row["cost"] == tiny_gauge.verdict(Exchange("hello", "a cat")).cost
    _, (row,) = score_file("in.jsonl", content, "--response-column", "a")
    assert row["cost"] == tiny_gauge.verdict(Exchange(response="a cat")).cost


def test_a_named_column_that_no_row_has_is_a_mistake_in_the_call(run, tiny_bundle, tmp_path):
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("q,a\nhello,a cat\n")
    options = ("--prompt-column", "q", "--response-column", "answer")
    result = run("score", "--gauge", tiny_bundle, "--input", source, "--output", target, *options)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].endswith(
        "in.csv: there is no column 'answer'; found a, q"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_rows_without_a_named_column_are_the_mistake_of_these_rows(score_file):
    content = jsonl({"a": "a cat"}, {"q": "hello"}, {"a": "a dog"})
    result, rows = score_file("in.jsonl", content, "--prompt-column", "q")
    assert result.exit_code == 1
    assert [row["error"] is None for row in rows] == [False, True, False]


# name: file name, content, for each row a part of its error, or None where it is judged
BAD = {
    "not a string": ("in.jsonl", jsonl({"prompt": "hello"}, {"prompt": 3}), [None, "found int"]),
    "lone surrogate": (
        "in.jsonl",
        b'{"prompt": "\\ud800"}\n{"prompt": "cat"}\n',
        ["lone surrogate", None],
    ),
    "not utf-8, jsonl": (
        "in.jsonl",
        b'{"prompt": "\xff"}\n{"prompt": "cat"}\n',
        ["not UTF-8", None],
    ),
    "not utf-8, csv": ("in.csv", b"prompt\n\xff\ncat\n", ["lone surrogate", None]),
    "NUL": ("in.jsonl", jsonl({"prompt": "a\0cat"}), [None]),
    "a megabyte": ("in.jsonl", jsonl({"prompt": "nice " * 200_000}, {"prompt": "a"}), [None, None]),
    "a missing column": (
        "in.jsonl",
        jsonl({"prompt": "hello"}, {"question": "hello"}),
        [None, "found question"],
    ),
    "nulls alone": (
        "in.jsonl",
        jsonl({"prompt": None}, {"id": 1, "prompt": None, "messages": []}, {"prompt": "cat"}),
        ["nothing to judge in prompt", "to judge in prompt or messages", None],
    ),
    "no known column": ("in.csv", "question\nhello\ncat\n", ["found question"] * 2),
    "no header": ("in.csv", "how do i bake bread\ncat\n", ["has the file a header?"]),
    "a misspelt column": ("in.csv", "prompt, Response\nhello,cat\n", ["is not 'response'"]),
    "a blank cell": ("in.csv", "id,prompt\n1,\n2,cat\n", [None, None]),
    "a newline in quotes": ("in.csv", 'prompt,x\n"hello\ncat",1\n"a\r\ndog",2\n', [None, None]),
    "a BOM": ("in.csv", b"\xef\xbb\xbfprompt\nhello\n", [None]),
    "a broken JSON line": (
        "in.jsonl",
        '{"prompt": "hello"}\n{"prompt": \n{"prompt": "cat"}\n',
        [None, "not valid JSON", None],
    ),
    "no object": ("in.jsonl", '["hello"]\n', ["expected an object"]),
    "broken messages": (
        "in.jsonl",
        jsonl({"messages": "[{"}, {"messages": [3]}, {"messages": "[" * 100_000}),
        ["not valid JSON", "message 1", "not valid JSON"],
    ),
    "a short row": ("in.csv", "prompt,x\nhello\ncat,1\n", ["cells", None]),
}


@pytest.mark.parametrize("output", ["out.jsonl", "out.csv"])
@pytest.mark.parametrize("case", BAD)
def test_every_row_in_gives_a_row_out(score_file, case, output):
    name, content, errors = BAD[case]
    result, rows = score_file(name, content, output=output)
    assert len(rows) == len(errors)
    for row, error in zip(rows, errors, strict=True):
        if error is None:
            assert row["error"] in (None, "")
            assert row["cost"] not in (None, "")
        else:
            assert error in row["error"]
            assert row["cost"] in (None, "")
            assert row["unsafe"] in (None, "")
    failed = [str(number) for number, error in enumerate(errors, 1) if error]
    assert result.exit_code == (1 if failed else 0)
    if failed:
        words = f"{len(failed)} of {len(rows)} rows could not be judged: row"
        assert words in result.stderr
        assert f"{', '.join(failed)}; see their error column" in result.stderr


def test_a_long_list_of_failures_is_cut(score_file):
    result, _ = score_file("in.jsonl", jsonl(*[{"prompt": 3}] * 12))
    assert "12 of 12 rows" in result.stderr
    assert "9, 10 and 2 more;" in result.stderr


def test_a_blank_cell_is_neither_safe_nor_unsafe(score_file):
    _, (row,) = score_file("in.csv", "id,prompt\n1,\n", output="out.csv")
    assert (row["cost"], row["unsafe"], row["empty"]) == ("0.0", "", "true")
    _, (row,) = score_file("in.csv", "prompt,response\nhello,\n")
    assert (row["cost"], row["unsafe"], row["empty"]) == (0.0, None, True)


def test_csv_cells_are_echoed_unchanged(score_file):
    cells = ["=1+1", "@x", "-2", '"quoted"', "a,b", "line\r\nbreak", " 007 "]
    content = "\n".join(
        ["prompt,cell", *(f'hello,"{c.replace(chr(34), chr(34) * 2)}"' for c in cells)]
    )
    for output in ("out.csv", "out.jsonl"):
        _, rows = score_file("in.csv", content, output=output)
        assert [row["cell"] for row in rows] == cells


def test_a_column_called_like_a_verdicts_keeps_its_values(score_file):
    for output in ("out.csv", "out.jsonl"):
        _, (row,) = score_file("in.csv", "prompt,cost,error\nhello,9.5,none\n", output=output)
        assert (row["input_cost"], row["input_error"]) == ("9.5", "none")
        assert float(row["cost"]) != 9.5


def test_no_column_takes_the_place_of_another(score_file):
    _, (row,) = score_file("in.csv", "prompt,cost,input_cost,input_x\nhello,1,2,3\n")
    assert (row["input_cost"], row["input_input_cost"], row["input_x"]) == ("1", "2", "3")


def test_what_json_lacks_is_null_and_never_a_bare_nan(score_file, tmp_path):
    content = '{"prompt": "hello", "a": NaN, "b": [1.5, {"c": -Infinity}]}\n'
    _, (row,) = score_file("in.jsonl", content)
    assert (row["a"], row["b"]) == (None, [1.5, {"c": None}])
    assert "NaN" not in (tmp_path / "out.jsonl").read_text()
    _, (row,) = score_file("in.jsonl", content, output="out.csv")
    assert (row["a"], row["b"]) == ("", '[1.5, {"c": null}]')


@pytest.mark.parametrize("output", ["out.jsonl", "out.csv"])
def test_values_that_only_parquet_has_are_echoed_as_text(score_file, output):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = {"prompt": ["hello"], "when": [datetime(2020, 1, 2)], "price": [Decimal("1.50")]}
    content = io.BytesIO()
    parquet.write_table(pyarrow.table(table), content)
    result, (row,) = score_file("in.parquet", content.getvalue(), output=output)
    assert result.exit_code == 0
    assert (row["when"], row["price"]) == ("2020-01-02 00:00:00", "1.50")


def test_json_lines_that_differ_become_one_table(score_file):
    content = jsonl({"prompt": "hello", "a": [1]}, {"text": "cat", "b": {"x": None}, "c": True})
    _, rows = score_file("in.jsonl", content, output="out.csv")
    assert list(rows[0]) == ["prompt", "a", "text", "b", "c", *FIELDS]
    assert [row["a"] for row in rows] == ["[1]", ""]
    assert (rows[1]["b"], rows[1]["c"]) == ('{"x": null}', "true")


def test_without_an_output_rows_go_to_stdout(run, tiny_bundle, tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text(jsonl({"id": 1, "prompt": "hello"}, {"id": 2, "prompt": "\ud800"}))
    result = run("score", "--gauge", tiny_bundle, "--input", source)
    assert result.exit_code == 1
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["id"] for row in rows] == [1, 2]
    assert rows[1]["prompt"] == "\ud800"


def test_a_file_that_cannot_be_scored_leaves_the_old_output(run, tiny_bundle, tmp_path):
    output = tmp_path / "out.csv"
    output.write_text("old")
    source = tmp_path / "in.csv"
    source.write_text("prompt,prompt\nhello,cat\n")
    result = run("score", "--gauge", tiny_bundle, "--input", source, "--output", output)
    assert result.exit_code == 2
    assert "twice" in result.stderr
    assert output.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2
    lost = tmp_path / "no" / "out.csv"
    result = run("score", "--gauge", tiny_bundle, "--input", source, "--output", lost)
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr


def test_the_input_is_never_overwritten(run, tiny_bundle, tmp_path):
    source = tmp_path / "same.jsonl"
    source.write_text("{broken\n")
    result = run("score", "--gauge", tiny_bundle, "--input", source, "--output", source)
    assert result.exit_code == 2
    assert "also the input" in result.stderr
    assert source.read_text() == "{broken\n"
