"""Each kind of fault, planted in a small file, is found, counted and named by row."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from harmgauge import Exchange
from harmgauge.cli.data import data
from harmgauge.data.check import KINDS, check
from harmgauge.data.check_report import format_report
from harmgauge.data.hub import data_name
from harmgauge.data.lengths import Measure, find_measure
from harmgauge.data.normalise import normalise
from harmgauge.data.read import read_rows

WORDS = Measure(lambda x: sum(len(text.split()) for _, text in x.turns), "words", 8, "words")


def write(folder: Path, records: list[dict[str, Any]], name: str = "train.jsonl") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def qa(prompt: str, response: str, safe: bool | None = True) -> dict[str, Any]:
    return {"prompt": prompt, "response": response, "is_safe": safe}


def pair(a: str, b: str, safer: int, *, safe: tuple[bool, bool] = (True, False)) -> dict[str, Any]:
    return {
        "prompt": "Bread?",
        "response_0": a,
        "response_1": b,
        "is_response_0_safe": safe[0],
        "is_response_1_safe": safe[1],
        "safer_response_id": safer,
    }


CASES: dict[str, tuple[list[dict[str, Any]], int, list[int]]] = {
    "exact_duplicates": ([qa("a", "b"), qa("a", "c"), qa("a", "b"), qa("a", "b")], 2, [3, 4]),
    "near_duplicates": ([qa("Hi, you", "b"), qa("hi  you!", "B."), qa("hi", "b")], 1, [2]),
    "contradictory_labels": (
        [qa("a", "b"), qa("c", "d"), qa("a", "b", False), qa("c", "d", None)],
        1,
        [1, 3],
    ),
    "near_contradictory_labels": ([qa("a", "b"), qa("A", "b?", False)], 1, [1, 2]),
    "reversed_pairs": ([pair("x", "y", 0), pair("y", "x", 1, safe=(False, True))], 1, [2]),
    "contradictory_pairs": (
        [pair("x", "y", 0), pair("x", "y", 1, safe=(False, True)), pair("x", "y", 0)],
        1,
        [2],
    ),
    "safer_is_unsafe": ([pair("x", "y", 1), pair("u", "v", 0)], 1, [1]),
    "identical_responses": ([pair("x", "x", 0, safe=(True, True)), pair("u", "v", 0)], 1, [1]),
    "empty_prompts": ([qa(" \u200b", "b"), qa("a", "b")], 1, [1]),
    "empty_responses": ([qa("a", "\n"), qa("a", "b")], 1, [1]),
    "long_rows": ([qa("a", "b " * 8), qa("a", "b " * 7)], 1, [1]),
}


def test_a_case_for_every_kind() -> None:
    assert CASES.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_kind(tmp_path: Path, kind: str) -> None:
    records, count, rows = CASES[kind]
    table = read_rows(write(tmp_path, records))
    (report,) = check({"train": table}, WORDS).files
    finding = report.findings[kind]
    assert finding is not None
    assert (finding.count, finding.rows) == (count, [f"train.jsonl:{row}" for row in rows])


def test_a_clean_file_has_every_kind_at_zero(tmp_path: Path) -> None:
    table = read_rows(write(tmp_path, [qa("a", "b"), qa("c", "d", False)]))
    report = check({"train": table}, WORDS)
    assert {finding and finding.count for finding in report.files[0].findings.values()} == {0}
    assert report.one_class == {}
    assert report.shared == []
    text = format_report(report)
    assert all(f"     0  {what}" in text for what in KINDS.values())


def test_without_a_limit_long_rows_are_unknown_not_none(tmp_path: Path) -> None:
    table = read_rows(write(tmp_path, [qa("a", "b")]))
    report = check({"a": table, "b": table}, replace(WORDS, max_tokens=None))
    assert report.files[0].findings["long_rows"] is None
    text = format_report(report)
    assert text.count(f"     -  {KINDS['long_rows']}") == 2
    assert f"0  {KINDS['long_rows']}" not in text


def test_bad_rows_unused_columns_and_balance(tmp_path: Path) -> None:
    records = [qa("a", "b"), qa("c", "d", False), qa("e", "f", None), {"prompt": "g", "x": 1}]
    (report,) = check({"train": read_rows(write(tmp_path, records))}, WORDS).files
    assert list(report.bad_rows) == ["train.jsonl:4"]
    assert report.unused_columns == ["x"]
    assert report.stats.labels == {"unsafe": 1, "safe": 1, "unlabelled": 1}


def test_sources_with_one_class_are_judged_over_all_files(tmp_path: Path) -> None:
    one = read_rows(write(tmp_path / "one", [qa("a", "b")]))
    two = read_rows(write(tmp_path / "one", [qa("c", "d", False)], "valid.jsonl"))
    none = read_rows(write(tmp_path / "none", [{"prompt": "p"}]))
    assert check({"a": one, "n": none}, WORDS).one_class == {"one": "safe"}
    assert check({"a": one, "b": two}, WORDS).one_class == {}


def test_leaks_between_files(tmp_path: Path) -> None:
    train = read_rows(write(tmp_path / "x", [qa("Same?", "b"), qa("same", "c"), qa("other", "d")]))
    test = read_rows(write(tmp_path / "y", [qa("same.", "B", False), qa("new", "d")]))
    (shared,) = check({"train": train, "test": test}, WORDS).shared
    assert shared.files == ("train", "test")
    assert (shared.prompts, shared.rows, shared.items, shared.contradictory) == (1, (2, 1), 1, 1)


def test_prompts_are_the_first_human_turns_of_transcripts(tmp_path: Path) -> None:
    start = "\n\nHuman: first\n\nAssistant: x\n\nHuman: last\n\nAssistant: "
    hh = read_rows(write(tmp_path / "x", [{"chosen": f"{start}a", "rejected": f"{start}b"}]))
    prompts = read_rows(write(tmp_path / "y", [{"prompt": "first"}, {"prompt": "last"}]))
    (shared,) = check({"hh": hh, "prompts": prompts}, WORDS).shared
    assert (shared.prompts, shared.items) == (1, 0)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("Hello,  World!", "hello world", True),
        ("a\u200bb_c", "a b c", True),
        ("ﬁne", "FINE", True),
        ("love ❤️", "love ❤", True),
        ("so 😀", "so 😡", False),
        ("कि", "क", False),
        ("?!", "!!", False),
        ("one", "two", False),
    ],
)
def test_near_exact(a: str, b: str, same: bool) -> None:
    assert (normalise(a) == normalise(b)) is same


def test_lengths_by_a_tokenizer_count_everything_read(tmp_path: Path) -> None:
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, "[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    measure = find_measure(tokenizer=tmp_path, max_tokens=4)
    # User : one two + separator + Assistant : three, between a start and an end
    assert measure.length(Exchange("one two", "three")) == 10
    assert (measure.unit, measure.max_tokens) == ("tokens", 4)


def test_files_of_the_same_name_are_all_read(tmp_path: Path) -> None:
    files = [write(tmp_path / v, [qa("a", "b")]) for v in ("one", "two")]
    twins = [write(tmp_path / v / "x", [qa("a", "b")]) for v in ("one", "two")]
    short = CliRunner().invoke(data, ["check", *map(str, files)]).output
    assert "in both one/train.jsonl and two/train.jsonl" in short
    full = CliRunner().invoke(data, ["check", *map(str, twins)]).output
    assert f"in both {twins[0]} and {twins[1]}" in full


def test_command_writes_text_and_json_without_a_text_of_the_data(tmp_path: Path) -> None:
    records = [qa("violet secret", "b"), qa("violet secret", "b", False), {"prompt": 1}]
    path, output = write(tmp_path / "mine", records), tmp_path / "report.json"
    (tmp_path / "broken.json").write_text("{}", encoding="utf-8")
    arguments = ["check", str(path), "--json", str(output), "--max-tokens", "5"]
    result = CliRunner().invoke(data, arguments)
    assert result.exit_code == 0, result.output
    assert "mine/train.jsonl: 2 rows" in result.output
    assert "1  items whose very text is labelled both safe and unsafe" in result.output
    written = output.read_text(encoding="utf-8")
    assert "violet" not in result.output + written
    report = json.loads(written)
    assert report["files"][0]["findings"]["contradictory_labels"]["count"] == 1
    assert report["max_tokens"] == 5
    assert list(report["kinds"]) == list(KINDS)
    assert not list(tmp_path.glob(".*"))


def test_files_are_called_by_folder_and_name_and_addresses_as_they_are(monkeypatch, tmp_path):
    (tmp_path / "set" / "deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "set" / "deep")
    names = ["../train.jsonl", "train.jsonl", "templates:twins", "hub:owner/name"]
    assert [*map(data_name, names)] == ["set/train.jsonl", "deep/train.jsonl", *names[2:]]
