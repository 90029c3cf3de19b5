"""Templates as sources of a recipe, and refusals before its responses and in their stead."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_examples import account, qa
from tiny_task import write_rows

from harmgauge.errors import DataError
from harmgauge.training.examples import drop_leaks, load_sources
from harmgauge.training.recipe import Data, Source


def load(folder: Path, path: str, seed: int = 0, **options):
    source = Source(path=path, licence="Apache-2.0", **options)
    other = Source(path=path, licence="Apache-2.0")
    data = Data(root=str(folder), seed=seed, train=[other], valid=[other])
    return load_sources([source], data, folder)[0]


def test_a_family_is_a_source_and_caps_draw_by_the_seed(tmp_path):
    ids = []
    for seed in (0, 0, 1):
        loaded = load(tmp_path, "templates:twins:valid", seed, cap=40)
        assert len(loaded.rows) == loaded.report.used == 40
        assert (loaded.report.source, loaded.report.bad) == ("twins", 0)
        assert 0 < loaded.report.unsafe < 40
        assert account(loaded.report) == loaded.report.read
        ids.append([row.id for row in loaded.rows])
    assert ids[0] == ids[1] != ids[2]


def test_kind_keeps_one_topic(tmp_path):
    loaded = load(tmp_path, "templates:conversations:valid", kind="answer", name="answers")
    assert loaded.report.source == "answers"
    assert {row.meta["kind"] for row in loaded.rows} == {"answer"}
    assert loaded.report.left_out > 0


def test_parts_do_not_leak_into_each_other(tmp_path):
    train = load(tmp_path, "templates:hostile_harmless:train")
    used = train.report.used
    drop_leaks([train], [load(tmp_path, "templates:hostile_harmless:valid")])
    assert (train.report.leaked, train.report.used) == (0, used)


def test_refusal_first_changes_responses_and_no_count(tmp_path):
    rows = [qa(f"p {i}", f"cat {i}", i % 2 == 0) for i in range(80)]
    write_rows(tmp_path / "made" / "rows.jsonl", rows)
    plain = load(tmp_path, "made/rows.jsonl")
    loaded = load(tmp_path, "made/rows.jsonl", refusal_first=1.0)
    assert account(loaded.report) == loaded.report.read == 80
    assert loaded.report.unsafe == plain.report.unsafe == 40
    changed = {0.0: 0, 1.0: 0}
    for before, after in zip(plain.rows, loaded.rows, strict=True):
        assert before.items[0].unsafe == after.items[0].unsafe
        changed[after.items[0].unsafe] += before != after
    assert changed == {0.0: 40, 1.0: 40}


def test_refused_rows_are_safe_and_all_are_accounted_for(tmp_path):
    rows = [qa(f"p {i}", f"cat {i}", i % 2 == 0) for i in range(80)]
    write_rows(tmp_path / "made" / "rows.jsonl", rows)
    plain = load(tmp_path, "made/rows.jsonl", cap=60)
    loaded = load(tmp_path, "made/rows.jsonl", cap=60, refused="valid")
    assert account(loaded.report) == loaded.report.read == 80
    assert (loaded.report.used, loaded.report.unsafe) == (60, 0)
    assert [row.id for row in loaded.rows] == [row.id for row in plain.rows]
    assert all("cat" not in row.items[0].exchange.response for row in loaded.rows)


def test_what_has_no_label_can_be_refused_and_repeats_are_counted(tmp_path):
    prompts = [{"prompt": f"p {i}"} for i in range(30)]
    pairs = [
        {"prompt": f"q {i}", "response_0": "a", "response_1": "a", "safer_response_id": 0}
        for i in range(30)
    ]
    said = [{"response": f"cat {i}", "is_safe": False} for i in range(2000)]
    for name, rows in (("asked", prompts), ("paired", pairs), ("said", said)):
        write_rows(tmp_path / name / "rows.jsonl", rows)
        loaded = load(tmp_path, f"{name}/rows.jsonl", refused="train")
        assert account(loaded.report) == loaded.report.read == len(rows)
        assert {(row.is_pair, row.items[0].unsafe) for row in loaded.rows} == {(False, 0.0)}
        assert all(row.items[0].exchange.response for row in loaded.rows)
        assert (loaded.report.duplicate > 0) == (name == "said")
        assert len({row.items[0].exchange for row in loaded.rows}) == loaded.report.used


def test_a_refused_source_has_no_answer_for_a_refusal_to_stand_before():
    with pytest.raises(ValueError, match="leaves no answer for refusal_first"):
        Source(path="a", licence="MIT", refused="train", refusal_first=0.5)


@pytest.mark.parametrize(
    "key", [{"label": 1}, {"categories": "privacy_violation"}, {"unlabelled": True}]
)
def test_refused_rows_take_no_other_label(key):
    with pytest.raises(ValueError, match=f"leave out {min(key)}"):
        Source(path="a", licence="MIT", refused="train", taught=False, **key)


@pytest.mark.parametrize(
    ("where", "part", "mend"),
    [
        ("train", "valid", "train.0 cannot have refused: valid; write train"),
        ("valid", "train", "valid.0 cannot have refused: train; write valid"),
        ("thresholds", "valid", "thresholds.0 cannot have refused: valid; they rest on what"),
    ],
)
def test_each_part_has_refusals_of_its_own(where, part, mend):
    source = Source(path="a", licence="MIT")
    sources = {"train": [source], "valid": [source]} | {
        where: [Source(path="a", licence="MIT", refused=part)]
    }
    with pytest.raises(ValueError, match=mend):
        Data(**sources)


def test_a_family_that_there_is_none_of_is_named_with_the_nearest(tmp_path):
    with pytest.raises(DataError, match="did you mean conversations"):
        load(tmp_path, "templates:conversation:train")
