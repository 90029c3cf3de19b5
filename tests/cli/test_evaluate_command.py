import hashlib
import json
import shutil

import pytest
from click.testing import CliRunner

from harmgauge.cli.evaluate import evaluate
from harmgauge.cli.training import training
from stub_scorer import Stub


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HARMGAUGE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def toy(tmp_path, monkeypatch):
    stubs = {"mini": Stub("mini"), "other": Stub("other", -1.0), "same": Stub("other")}
    monkeypatch.setattr(
        "harmgauge.evaluation.scorers.open_scorer", lambda name, *, threads: stubs[name]
    )
    path = tmp_path / "toy" / "test.jsonl"
    path.parent.mkdir()
    rows = [
        {"prompt": "one", "response": "fine", "is_safe": True},
        {"prompt": "two", "response": "loud!!", "is_safe": False},
        {"prompt": "three", "response": "loud!!", "is_safe": True},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + "{broken\n")
    return path


def run(*arguments):
    return CliRunner().invoke(evaluate, [str(argument) for argument in arguments])


def test_prints_a_table_and_writes_json(toy, tmp_path):
    pytest.importorskip("sklearn")
    out = tmp_path / "out.json"
    result = run(
        toy, "--gauge", "other", "--json", out, "--train", toy, "--draws", 100, "--seed", 3
    )
    assert result.exit_code == 0, result.output
    assert "toy/test.jsonl" in result.output
    assert "4 rows · 1 bad" in result.output
    assert "bag of words" in result.output
    results = json.loads(out.read_text())
    (measurement,) = results["measurements"]
    contents = measurement["contents"]
    assert contents["sha256"] == hashlib.sha256(toy.read_bytes()).hexdigest()
    trained = {"gauge": None, "data": "toy/test.jsonl", "sha256": contents["sha256"]}
    assert results["bag_of_words"] == [trained]
    assert results["gauges"] == {"other": {"kind": "stub", "id": "other -1.0"}}
    assert (measurement["seed"], measurement["draws"]) == (3, 100)
    assert measurement["gauges"]["other"]["figures"]["auroc"]["value"] == 0.25
    assert list(measurement["floors"]) == [
        *("all unsafe", "majority", "length", "refusal phrases", "bag of words")
    ]


def test_a_suite_is_measured_below_its_root(toy, tmp_path):
    pytest.importorskip("pydantic")
    suite = tmp_path / "mine.yaml"
    suite.write_text("{name: mine, sets: [{path: toy/test.jsonl}, {path: toy/none.jsonl}]}")
    result = run("--suite", suite, "--data-root", tmp_path, "--draws", 0)
    assert result.exit_code == 0, result.output
    assert "toy/test.jsonl" in result.output
    assert "not there, and so not measured: toy/none.jsonl" in result.output


def test_an_unknown_label_in_the_last_set_is_told_before_any_is_scored(toy, tmp_path):
    pytest.importorskip("pydantic")
    (tmp_path / "late.csv").write_text("prompt,label\nhello,0\nrain,maybe\n")
    suite = tmp_path / "mine.yaml"
    suite.write_text("{name: mine, sets: [{path: toy/test.jsonl}, {path: late.csv}]}")
    result = run("--suite", suite, "--data-root", tmp_path, "--draws", 0)
    assert result.exit_code == 1
    assert "late.csv" in str(result.exception)
    assert result.stdout == ""


def test_a_suite_says_itself_what_to_read(toy, tmp_path):
    pytest.importorskip("pydantic")
    suite = tmp_path / "mine.yaml"
    suite.write_text("{name: mine, sets: [{path: toy/test.jsonl}]}")
    assert "leave out the rest" in run(toy, "--suite", suite).output
    for option in (("--label", 0), ("--part", "prompt"), ("--schema", "qa")):
        assert "leave out the rest" in run("--suite", suite, *option).output
    assert "name the FILEs" in run().output


def test_bag_of_words_trains_on_the_rows_of_a_recipe(toy, tmp_path):
    pytest.importorskip("sklearn")
    pytest.importorskip("pydantic")
    recipe = tmp_path / "r.yaml"
    (toy.parent / "valid.jsonl").write_text(
        '{"prompt": "four", "response": "fine", "is_safe": true}\n'
    )
    recipe.write_text(
        "{name: r, licence: MIT, base: none, data: {"
        "train: [{path: toy/test.jsonl, licence: MIT}],"
        "valid: [{path: toy/valid.jsonl, licence: MIT}]}}"
    )
    result = run(toy, "--train", recipe, "--data-root", tmp_path, "--draws", 0)
    assert result.exit_code == 0, result.output
    assert "bag of words" in result.output
    elsewhere = run(toy, "--train", recipe, "--data-root", tmp_path / "none")
    assert "toy/test.jsonl" in str(elsewhere.exception)
    assert "there is no file" in str(run(toy, "--train", tmp_path / "none.yaml").exception)


@pytest.mark.parametrize("changed", ["rows", "valid", "apart", "flags"])
def test_bag_of_words_is_kept_by_all_files_that_its_recipe_names(tmp_path, changed):
    pytest.importorskip("pydantic")
    for name in ("rows", "valid", "apart", "flags"):
        (tmp_path / f"{name}.jsonl").write_text('{"prompt": "a"}\n')
    recipe = tmp_path / "r.yaml"
    recipe.write_text(
        "{name: r, licence: MIT, base: none, data: {train: [{path: rows.jsonl, licence: MIT,"
        "apart_from: [apart.jsonl], categories_from: flags.jsonl}],"
        "valid: [{path: valid.jsonl, licence: MIT}]}}"
    )
    before, same = (training([str(recipe)], str(tmp_path), {}).identity for _ in range(2))
    (tmp_path / f"{changed}.jsonl").write_text('{"prompt": "b"}\n')
    after = training([str(recipe)], str(tmp_path), {}).identity
    assert before == same != after


def test_each_gauge_has_the_bag_of_words_of_its_own_rows(toy, tmp_path):
    pytest.importorskip("sklearn")
    out = tmp_path / "out.json"
    gauges = ["--gauge", "mini", "--gauge", "other", "--draws", 0, "--json", out]
    result = run(toy, *gauges, "--train", f"mini={toy}", "--train", f"mini={toy}")
    assert result.exit_code == 0, result.output
    results = json.loads(out.read_text())
    assert [each["gauge"] for each in results["bag_of_words"]] == ["mini", "mini"]
    assert "bag of words: mini" in results["measurements"][0]["floors"]
    assert "bag of words" not in results["measurements"][0]["floors"]
    strange = run(toy, *gauges, "--train", f"third={toy}")
    assert "one of these names: mini, other" in str(strange.exception)
    assert "there is no file gone.csv" in str(run(toy, "--train", "mini=gone.csv").exception)
    odd = tmp_path / "mini=a.jsonl"
    odd.write_bytes(toy.read_bytes())
    assert run(toy, *gauges, "--train", odd).exit_code == 0


def test_training_files_are_read_as_the_measured_ones_where_that_fits(toy, tmp_path):
    pytest.importorskip("sklearn")
    path = tmp_path / "texts.csv"
    path.write_text("prompt,label\none,0\ntwo!!,1\nthree,0\n")
    turned = ["--labels", '{"0": 1, "1": 0}', "--draws", 0]
    out = tmp_path / "out.json"
    for file in (path, toy):  # the second knows its labels itself
        result = run(path, *turned, "--train", file, "--json", out)
        assert result.exit_code == 0, (result.output, result.exception)
    assert run(path, *turned, "--train", path, "--json", out).exit_code == 0
    (measurement,) = json.loads(out.read_text())["measurements"]
    assert measurement["contents"]["unsafe"] == 2
    assert measurement["floors"]["bag of words"]["figures"]["auroc"]["value"] == 1.0


def test_scorers_of_one_name_stand_side_by_side(toy):
    result = run(toy, "--gauge", "other", "--gauge", "same", "--draws", 0)
    assert result.exit_code == 0, result.output
    assert "other (same)" in result.output
    again = run(toy, "--gauge", "other", "--gauge", "other", "--draws", 0)
    assert "other (2)" in again.output


def test_a_gauge_that_is_below_ends_in_exit_1(toy):
    passes = run(toy, "--draws", 0, "--fail-under", "toy/test.jsonl:auroc=0.75")
    assert passes.exit_code == 0, passes.output
    fails = run(toy, "--draws", 0, "--fail-under", "toy/test.jsonl:auroc=0.76")
    assert fails.exit_code == 1
    assert "mini has auroc 0.7500 on toy/test.jsonl, below 0.76" in fails.output
    assert "SET:FIGURE=VALUE" in str(run(toy, "--fail-under", "auroc").exception)
    elsewhere = run(toy, "--fail-under", "none.jsonl:auroc=0.5")
    assert "is not measured: toy/test.jsonl" in str(elsewhere.exception)
    assert not elsewhere.output
    nowhere = run(toy, "--fail-under", "toy/test.jsonl:recall@fpr1=0.5")
    assert "has no threshold 'fpr1'" in str(nowhere.exception)
    assert not nowhere.output
    for name in (toy, "test.jsonl"):
        assert run(toy, "--draws", 0, "--fail-under", f"{name}:auroc=0.5").exit_code == 0


@pytest.mark.parametrize("options", [(), ("--no-cache",)])
def test_ctrl_c_says_what_is_kept(toy, monkeypatch, options):
    def stop(self, batch, *, progress=False):
        raise KeyboardInterrupt

    monkeypatch.setattr(Stub, "costs", stop)
    result = run(toy, *options)
    assert result.exit_code == 130
    assert ("nothing is kept" if options else "the same command again") in result.stderr


def test_two_files_of_one_name_are_told_apart(toy, tmp_path):
    second = tmp_path / "other" / "toy" / "test.jsonl"
    second.parent.mkdir(parents=True)
    second.write_text('{"prompt": "one", "response": "calm", "is_safe": false}\n' * 2)
    result = run(toy, second, "--draws", 0, "--fail-under", f"{second}:recall=0.5")
    assert result.exit_code == 1
    assert f"mini has recall 0.0000 on {second}" in result.output


def test_a_cache_that_cannot_be_written_is_said_and_stops_nothing(toy, monkeypatch):
    monkeypatch.setenv("HARMGAUGE_CACHE", str(toy))
    result = run(toy, "--draws", 0)
    assert result.exit_code == 0, result.output
    assert "is not kept for a second run" in result.output


def test_bad_label_maps_and_missing_files_are_explained(toy, tmp_path):
    result = run(toy, "--labels", "hate=1")
    assert "JSON object" in str(result.exception)
    nowhere = run(toy, "--json", tmp_path / "none" / "out.json")
    assert "make it first" in str(nowhere.exception)
    for threshold in ("nan", "inf"):
        result = run(toy, "--threshold", threshold)
        assert (result.exit_code, "finite" in result.output) == (2, True)
    assert "mini has no stored thresholds" in str(run(toy, "--threshold", "fpr1").exception)
    assert run(toy, "--seed", -1).exit_code == 2
    for draws in (1, 99):
        few = run(toy, "--draws", draws)
        assert (few.exit_code, f"{draws} draws give no 95 % interval" in few.output) == (2, True)
    missing = run(tmp_path / "none.jsonl")
    assert "none.jsonl" in str(missing.exception)


def test_a_data_file_given_to_json_is_not_overwritten(toy):
    before = toy.read_bytes()
    result = run("--json", toy, toy)
    assert result.exit_code == 2
    assert "must end in .json" in result.output
    assert toy.read_bytes() == before


def test_labels_can_be_given_by_hand(toy, tmp_path):
    path = tmp_path / "prompts.csv"
    path.write_text("prompt\nhello\nagain!!\n")
    result = run(path, "--label", 0, "--draws", 0)
    assert result.exit_code == 0, result.output
    assert "no AUROC: all safe" in result.output
    unlabelled = run(path, "--draws", 0)
    assert "state a label with --label" in unlabelled.output
    assert "no data set gave a figure of mini" in unlabelled.stderr
    assert unlabelled.exit_code == 1


def test_measures_a_bundle_and_its_stored_thresholds(tiny_bundle, tmp_path):
    path = tmp_path / "texts.csv"
    path.write_text("text,flag\none,yes\ntwo,no\nthree,no\n")
    out = tmp_path / "out.json"
    columns = ["--prompt-column", "text", "--label-column", "flag"]
    labels = ["--labels", '{"yes": 1, "no": 0}']
    command = [path, "--gauge", tiny_bundle, *columns, *labels, "--json", out, "--draws", 100]
    result = run(*command)
    assert result.exit_code == 0, result.output
    results = json.loads(out.read_text())
    assert results["gauges"]["tiny"]["licence"] == "CC0-1.0"
    assert results["gauges"]["tiny"]["id"].startswith("tiny@")
    scores = results["measurements"][0]["gauges"]["tiny"]
    assert scores["figures"]["auroc"]["n"] == 3
    assert scores["figures"]["auroc"]["value"] in (0.0, 0.5, 1.0)
    (stored,) = scores["thresholds"]
    assert stored == "fpr1"
    at = run(*command, "--threshold", stored)
    assert at.exit_code == 0
    assert "tiny flags at cost >= 0.75 (fpr1: at most 1 % of safe texts like the" in at.stdout
    unknown = run(*command, "--threshold", "fpr7")
    assert "tiny has no threshold 'fpr7'; give a cost, or one of its names (fpr1)" in str(
        unknown.exception
    )
    moved = json.loads(out.read_text())["measurements"][0]["gauges"]["tiny"]
    assert moved["threshold"] == 0.75


def test_a_gauge_from_a_folder_is_told_apart_by_it(tiny_bundle, toy, tmp_path, monkeypatch):
    monkeypatch.undo()  # the stubs
    monkeypatch.setenv("HARMGAUGE_CACHE", str(tmp_path / "cache"))
    folders = [tmp_path / name for name in ("c1", "c2")]
    for folder in folders:
        shutil.copytree(tiny_bundle, folder)
    gauges = [part for folder in folders for part in ("--gauge", folder)]
    both = run(toy, *gauges, "--draws", 0, "--threads", 1)
    assert "tiny (c1) flags at cost >= 0 · tiny (c2) flags" in both.output
    alone = run(toy, "--gauge", folders[0], "--draws", 0, "--threads", 1)
    assert "  tiny flags at cost" in alone.output
    monkeypatch.setattr("harmgauge.gauges.installed", lambda: {"tiny": tiny_bundle})
    calibrated = run(toy, "--gauge", folders[0], "--draws", 0, "--threads", 1)
    assert "  tiny (c1) flags at cost" in calibrated.output
    own = run(toy, "--gauge", tiny_bundle, "--draws", 0, "--threads", 1)
    assert "  tiny flags at cost" in own.output
