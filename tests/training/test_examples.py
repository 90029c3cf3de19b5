import math
from pathlib import Path

import pytest
from tiny_task import write_rows

from harmgauge.errors import DataError
from harmgauge.training.examples import drop_leaks, load_sources, tokenise
from harmgauge.training.recipe import Data, Source
from harmgauge.windows import Layout, Windower
from tiny import MAX_TOKENS, make_tokenizer


def load(folder: Path, rows: list[dict], **options):
    write_rows(folder / "made" / "rows.jsonl", rows)
    source = Source(path="made/rows.jsonl", licence="CC0-1.0", **options)
    data = Data(root=str(folder), train=[source], valid=[source])
    return load_sources([source], data, folder)[0]


def account(report) -> int:
    """Every row that was read is in one of these."""
    lost = ("bad", "left_out", "unlabelled", "duplicate", "contradictory", "identical_responses")
    return sum(getattr(report, name) for name in (*lost, "leaked", "capped", "used"))


def qa(prompt, response, is_safe):
    return {"prompt": prompt, "response": response, "is_safe": is_safe}


def test_duplicates_merge_and_contradictions_average(tmp_path):
    rows = [
        qa("a", "cat", True),
        qa("a", "cat", True),
        qa("b", "dog", True),
        qa("b", "dog", False),
        qa("c", " ", True),
    ]
    loaded = load(tmp_path, rows)
    assert [row.items[0].unsafe for row in loaded.rows] == [0.0, 0.5]
    report = loaded.report
    assert (report.read, report.duplicate, report.contradictory, report.bad) == (5, 1, 1, 1)
    assert account(report) == report.read


def pku(response_0, response_1, safe_0, safe_1, safer):
    return {
        "prompt": "p",
        "response_0": response_0,
        "response_1": response_1,
        "is_response_0_safe": safe_0,
        "is_response_1_safe": safe_1,
        "safer_response_id": safer,
    }


def test_pairs_that_teach_nothing_or_lie_are_left_out_and_counted(tmp_path):
    rows = [
        pku("cat", "dog", True, False, 0),
        pku("cat", "cat", True, True, 0),
        pku("sun", "rain", True, False, 1),
        pku("dog", "cat", False, True, 1),
        pku("dog", "cat", True, False, 0),
    ]
    loaded = load(tmp_path, rows)
    report = loaded.report
    assert [(row.id, row.safer) for row in loaded.rows] == [("rows.jsonl:1", 0)]
    assert report.identical_responses == 1
    assert report.contradictory == 2  # the third lies, the last says the opposite of the first
    assert report.duplicate == 1  # the fourth is the first in the other order
    assert account(report) == report.read == 5


def test_cleaning_can_be_left_out(tmp_path):
    same = {"prompt": "a", "response": "b", "is_safe": True}
    rows = [same, same, {**same, "is_safe": False}, {**same, "response": " "}]
    write_rows(tmp_path / "rows.jsonl", rows)
    source = Source(path="rows.jsonl", licence="MIT")
    found = {}
    for clean in (True, False):
        data = Data(root=str(tmp_path), train=[source], valid=[source], clean=clean)
        (loaded,) = load_sources([source], data, tmp_path)
        counts = loaded.report.duplicate, loaded.report.contradictory, loaded.report.bad
        found[clean] = ([row.items[0].unsafe for row in loaded.rows], counts)
    assert found == {
        True: ([pytest.approx(1 / 3)], (1, 1, 1)),
        False: ([0.0, 0.0, 1.0], (0, 0, 1)),
    }


def test_caps_draw_by_the_seed_and_keep_order(tmp_path):
    rows = [qa(f"p {i}", "cat", True) for i in range(50)]
    loaded = load(tmp_path, rows, cap=10)
    numbers = [int(row.id.split(":")[1]) for row in loaded.rows]
    assert len(numbers) == 10
    assert numbers == sorted(numbers)
    assert numbers != list(range(1, 11))
    assert loaded.report.capped == 40
    assert account(loaded.report) == 50


def test_a_source_without_any_label_is_an_error_that_says_so(tmp_path):
    with pytest.raises(DataError, match="state a label"):
        load(tmp_path, [{"prompt": "hello"}, {"prompt": "thank you"}])


def test_columns_that_are_not_used_are_kept_for_the_report(tmp_path):
    loaded = load(tmp_path, [{**qa("a", "cat", True), "mood": "glad"}])
    assert loaded.unused == ["mood"]


def test_a_hub_id_is_read_when_asked_for_by_name(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    asked = []

    def load_dataset(name, **options):
        asked.append((name, options["split"]))
        return [qa("a", "cat", True)]

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    source = Source(path="hub:owner/pets:test", licence="CC0-1.0")
    data = Data(root=str(tmp_path), train=[source], valid=[source])
    (loaded,) = load_sources([source], data, tmp_path)
    assert asked == [("owner/pets", "test")]
    assert loaded.rows[0].source == "pets"


def test_a_missing_file_names_the_folder(tmp_path):
    source = Source(path="no/such.jsonl", licence="CC0-1.0")
    data = Data(root=str(tmp_path), train=[source], valid=[source])
    with pytest.raises(DataError, match=r"no/such\.jsonl"):
        load_sources([source], data, tmp_path)


def test_training_rows_that_share_a_prompt_with_validation_are_dropped(tmp_path):
    train = load(tmp_path, [qa("a", "cat", True), qa("b", "dog", False)])
    valid = load(tmp_path, [qa("b", "rain", False)])
    drop_leaks([train], [valid])
    assert [row.group for row in train.rows] == ["a"]
    assert train.report.leaked == 1
    assert account(train.report) == train.report.read


def test_rows_whose_prompt_stands_in_another_file_are_left_out(tmp_path):
    write_rows(tmp_path / "far" / "one.jsonl", [qa("a", "sun", True), qa("c", "rain", False)])
    write_rows(tmp_path / "far" / "two.jsonl", [{"prompt": "d"}])
    rows = [qa(prompt, "cat", prompt in "ab") for prompt in "abcde"]
    apart = load(tmp_path, rows, apart_from=["far/one.jsonl", "far/two.jsonl"], cap=2)
    assert [row.group for row in apart.rows] == ["b", "e"]
    report = apart.report
    assert (report.read, report.left_out, report.capped, report.used) == (5, 3, 0, 2)
    assert account(report) == report.read
    with pytest.raises(DataError, match=r"no file far/three\.jsonl"):
        load(tmp_path, rows, apart_from=["far/three.jsonl"])
    with pytest.raises(DataError, match=r"5 of another kind"):
        load(tmp_path, rows, apart_from=["made/rows.jsonl"])


def test_files_to_keep_apart_from_have_the_layout_of_their_source(tmp_path):
    written = [{"question": prompt, "verdict": verdict} for prompt, verdict in ("ay", "by", "cz")]
    write_rows(tmp_path / "far" / "rows.jsonl", written[1:])
    layout = {"columns": {"prompt": "question", "label": "verdict"}, "labels": {"y": 1, "z": None}}
    loaded = load(tmp_path, written, apart_from=["far/rows.jsonl"], **layout)
    assert [row.group for row in loaded.rows] == ["a"]


def test_templates_can_be_kept_apart_from(tmp_path):
    options = {"path": "templates:twins", "licence": "Apache-2.0"}
    source = Source(**options, apart_from=["templates:twins:train"])
    valid = Source(path="templates:twins:valid", licence="Apache-2.0")
    data = Data(root=str(tmp_path), train=[source], valid=[valid])
    apart, alone = (load_sources([each], data, tmp_path)[0] for each in (source, valid))
    assert {row.group for row in apart.rows} == {row.group for row in alone.rows}


def test_balance_gives_both_classes_the_same_mass(tmp_path):
    rows = [qa(f"p {i}", "cat", i % 4 != 0) for i in range(40)]
    loaded = load(tmp_path, rows, balance=True, weight=2.0)
    examples = tokenise([loaded], Windower(make_tokenizer(), Layout((1,), (2,), (2,), 32)))
    mass = {0.0: 0.0, 1.0: 0.0}
    for example in examples:
        mass[example.unsafe[0]] += example.weight
    assert mass[0.0] == pytest.approx(mass[1.0])
    assert sum(mass.values()) == pytest.approx(2.0 * len(examples))


def test_any_file_is_read_by_naming_its_columns(tmp_path):
    rows = [
        {"question": "a", "answer": "cat", "verdict": "fine"},
        {"question": "b", "answer": "dog", "verdict": "grim"},
        {"question": "c", "answer": "sun", "verdict": "unsure"},
    ]
    loaded = load(
        tmp_path,
        rows,
        columns={"prompt": "question", "response": "answer", "label": "verdict"},
        labels={"fine": 0, "grim": 1, "unsure": None},
    )
    assert [row.items[0].unsafe for row in loaded.rows] == [0.0, 1.0]
    assert loaded.rows[0].items[0].exchange.response == "cat"
    assert (loaded.report.read, loaded.report.left_out, loaded.report.used) == (3, 1, 2)


def test_rows_of_another_kind_and_repeated_prompts_are_counted(tmp_path):
    rows = [{**qa("a", f"cat {i}", True), "kind": kind} for i, kind in enumerate("xxyx")]
    loaded = load(tmp_path, rows, kind="x")
    assert (loaded.report.read, loaded.report.left_out, loaded.report.used) == (4, 1, 3)
    asked = load(tmp_path, rows, part="prompt", label=0).report
    assert (asked.read, asked.duplicate, asked.used) == (4, 3, 1)


def test_recast_and_safer_only_shape_rows(tmp_path):
    said = load(tmp_path, [qa("a", "cat", False)], recast="prompt").rows[0].items[0].exchange
    assert (said.prompt, said.response) == ("cat", None)
    safer = load(tmp_path, [pku("cat", "dog", False, True, 1)], safer_only=True).rows[0]
    assert safer.items[0].exchange.response == "dog"
    assert safer.safer is None


def test_long_texts_train_on_their_first_window_and_are_counted(tmp_path):
    loaded = load(tmp_path, [qa("a", "cat " * 100, True), qa("b", "dog", True)])
    windower = Windower(make_tokenizer(), Layout((2,), (3,), (3,), MAX_TOKENS))
    long, short = tokenise([loaded], windower)
    assert len(long.ids[0]) == MAX_TOKENS
    assert long.ids[0][-1] == 3
    assert len(short.ids[0]) < MAX_TOKENS
    assert loaded.report.truncated == 1
    assert not math.isnan(long.unsafe[0])


def test_rows_of_which_nothing_is_read_are_left_out_and_counted(tmp_path):
    unread = "\u1230\u120b\u121d"
    loaded = load(tmp_path, [qa("a", "cat", True), qa("b", unread, False), qa(unread, "dog", True)])
    examples = tokenise([loaded], Windower(make_tokenizer(), Layout((2,), (3,), (3,), MAX_TOKENS)))
    assert [row.items[0].exchange.response for row in loaded.rows] == ["cat", "dog"]
    assert [example.id for example in examples] == [row.id for row in loaded.rows]
    assert (loaded.report.unread, loaded.report.used, loaded.report.unsafe) == (1, 2, 0)


def test_unlabelled_rows_take_part_where_asked_for(tmp_path):
    rows = [
        {"question": "a", "answer": "cat", "verdict": "fine"},
        {"question": "b", "answer": "dog", "verdict": "unsure"},
        {"question": "c", "answer": "sun", "verdict": None},
        {"question": "a", "answer": "cat", "verdict": None},
        {"question": "d", "answer": "rain", "verdict": "unsure"},
        {"question": "d", "answer": "rain", "verdict": "grim"},
    ]
    options = {
        "columns": {"prompt": "question", "response": "answer", "label": "verdict"},
        "labels": {"fine": 0, "grim": 1, "unsure": None},
    }
    assert load(tmp_path, rows, **options).report.used == 2
    loaded = load(tmp_path, rows, **options, unlabelled=True, balance=True, weight=2.0)
    assert [row.items[0].unsafe for row in loaded.rows] == [0.0, None, None, 1.0]
    report = loaded.report
    assert (report.used, report.duplicate, report.contradictory, report.unlabelled) == (4, 2, 0, 0)
    assert account(report) == report.read
    examples = tokenise([loaded], Windower(make_tokenizer(), Layout((1,), (2,), (2,), 32)))
    assert [example.weight for example in examples] == [2.0] * 4  # two classes of one row each
