"""Splits are by prompt, seeded, unchanged by new rows, and lose nothing."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harmgauge import DataError
from harmgauge.cli.data import data
from harmgauge.data.split import part_of, split

SHARES = {"train": 0.6, "valid": 0.2, "test": 0.2}


def write(path: Path, prompts: range) -> Path:
    records = [
        {"prompt": f"Prompt {number}", "response": str(turn), "is_safe": True, "extra": [number]}
        for number in prompts
        for turn in range(2)
    ]
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def parts(folder: Path) -> dict[str, list[dict[str, Any]]]:
    return {
        file.stem: [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        for file in folder.glob("*.jsonl")
    }


def test_rows_are_unchanged_and_prompts_stay_together(tmp_path: Path) -> None:
    source = write(tmp_path / "data.jsonl", range(200))
    result = split(source, tmp_path / "out", SHARES)
    found = parts(tmp_path / "out")
    assert {part: len(rows) for part, rows in found.items()} == dict(result.rows)
    assert sum(result.rows.values()) == 400
    assert 90 < result.prompts["train"] < 150
    prompts = [{row["prompt"] for row in rows} for rows in found.values()]
    assert sum(map(len, prompts)) == len(set.union(*prompts)) == 200
    originals = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
    assert sorted(chain.from_iterable(found.values()), key=originals.index) == originals
    assert all(rows == sorted(rows, key=originals.index) for rows in found.values())


def test_rows_added_later_move_no_other(tmp_path: Path) -> None:
    split(write(tmp_path / "a.jsonl", range(100)), tmp_path / "a", SHARES)
    split(write(tmp_path / "b.jsonl", range(150)), tmp_path / "b", SHARES)
    before, after = parts(tmp_path / "a"), parts(tmp_path / "b")
    for part, rows in before.items():
        assert rows == [row for row in after[part] if row["extra"][0] < 100]


def test_the_seed_decides(tmp_path: Path) -> None:
    source = write(tmp_path / "data.jsonl", range(100))
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        split(source, tmp_path / folder, SHARES, seed=seed)
    assert parts(tmp_path / "a") == parts(tmp_path / "b") != parts(tmp_path / "c")


def test_near_exact_prompts_and_every_schema_go_by_the_first_human_turn(tmp_path: Path) -> None:
    rows = [{"chosen": f"\n\nHuman: {prompt}\n\nAssistant: a", "rejected": "\n\nAssistant: b"}
            for prompt in ("Bake bread?", "bake  BREAD")]  # fmt: skip
    path = tmp_path / "hh.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    result = split(path, tmp_path / "out", SHARES)
    assert sorted(result.prompts.values()) == [0, 0, 1]


def test_rows_left_out_by_their_label_are_kept_and_bad_rows_counted(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("tweet,class\na,0\nb,1\nc,2\nd\n", encoding="utf-8")
    result = split(path, tmp_path / "out", SHARES)
    assert sum(result.rows.values()) == 3
    assert [row.id for row in result.bad] == ["d.csv:4"]


def test_shares_are_met_and_checked(tmp_path: Path) -> None:
    found = [part_of(str(number), SHARES, 0) for number in range(5000)]
    assert all(abs(found.count(part) / 5000 - share) < 0.03 for part, share in SHARES.items())
    source = write(tmp_path / "data.jsonl", range(5))
    with pytest.raises(DataError, match="sum to 1"):
        split(source, tmp_path / "out", {"train": 0.5, "test": 0.6})
    split(source, tmp_path / "out", {"train": 1.0, "valid": 0.0})
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["train.jsonl"]


def test_a_share_that_is_no_number_and_a_file_without_a_row_are_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "data.jsonl", range(5))
    with pytest.raises(DataError, match="sum to 1"):
        split(source, tmp_path / "out", {"train": float("nan"), "test": 0.5})
    source.write_text('{"prompt": 7}\n', encoding="utf-8")
    with pytest.raises(DataError, match="none of its 1 rows can be read as prompts"):
        split(source, tmp_path / "out", SHARES)
    assert not (tmp_path / "out").exists()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    source = write(tmp_path / "train.jsonl", range(5))
    with pytest.raises(DataError, match="exists"):
        split(source, tmp_path, SHARES)


def test_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write(tmp_path / "data.jsonl", range(20))
    run = CliRunner().invoke
    result = run(data, ["split", str(source), "--output", str(tmp_path / "out"), "--seed", "3"])
    assert result.exit_code == 0, result.output
    assert result.output.count(" rows, ") == 3

    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: {"test": [{"prompt": "P"}]})
    result = run(data, ["fetch", "owner/name", "--output", str(tmp_path / "hub")])
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "hub" / "test.jsonl").read_text()) == {"prompt": "P"}

    def refuse(*_: object, **__: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(datasets, "load_dataset", refuse)
    result = run(data, ["fetch", "owner/name", "--output", str(tmp_path / "other")])
    assert isinstance(result.exception, DataError)
    assert "check the name and the network" in str(result.exception)
    assert "\n" not in str(result.exception)
