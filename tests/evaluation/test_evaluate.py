import hashlib
import json

import numpy as np
import pytest
from click.testing import CliRunner

from harmgauge import Exchange
from harmgauge.cli.evaluate import evaluate
from harmgauge.data.read import Table, read_rows
from harmgauge.data.row import BadRow, Item, Row
from harmgauge.evaluation.evaluate import evaluate_rows
from harmgauge.evaluation.report import block, summary, to_json


class Stub:
    """Costs the number of exclamation marks less one; fails on question marks."""

    def __init__(self, name="stub", sign=1.0):
        self.name = name
        self.manifest = type("Manifest", (), {"id": f"{name}@00000000", "licence": "MIT"})
        self._sign = sign

    def score(self, exchanges, *, progress=False):
        texts = [exchange.on_trial for exchange in exchanges]
        return np.array(
            [np.nan if "?" in text else self._sign * (text.count("!") - 1.0) for text in texts]
        )


def table(*rows, bad=()):
    return Table(list(rows), list(bad), "prompt_response", "toy")


def single(prompt, unsafe, response=None):
    return Row("f:1", "toy", (Item(Exchange(prompt, response), unsafe),))


def test_measures_a_gauge_beside_floors():
    rows = [single("a!!", 1.0), single("b", 0.0), single("c!!", 0.0), single("d?", 1.0)]
    bad = [BadRow("f:5", "no text")]
    measurement = evaluate_rows(Stub(), table(*rows, bad=bad), sha256="ab" * 32, draws=20)
    assert (measurement.rows, measurement.bad_rows, measurement.n) == (5, 1, 4)
    assert (measurement.unsafe, measurement.prompts) == (2, 4)
    scores = measurement.gauges["stub"]
    assert scores.failed == 1
    assert scores.figures["auroc"].value == 0.75
    assert scores.figures["auroc"].n == 3
    assert scores.figures["false_positive_rate"].value == 0.5
    assert measurement.floors["all unsafe"].figures["sign_accuracy"].value == 0.5
    json.dumps(measurement.to_dict(), allow_nan=False)


def test_blank_items_are_counted_and_not_flagged():
    measurement = evaluate_rows(Stub(), table(single(" \n", 0.0), single("b!!", 1.0)), threshold=-9)
    assert measurement.blank == 1
    assert measurement.gauges["stub"].figures["false_positive_rate"].value == 0.0


def test_text_report_says_what_is_missing():
    pairs = [
        Row("f:1", "toy", tuple(Item(Exchange("q", text), 1.0) for text in ("a", "b!!")), 0),
        Row("f:2", "toy", tuple(Item(Exchange("r", text), 1.0) for text in ("a!", "b!")), 0),
    ]
    text = block(evaluate_rows({"one": Stub(), "two": Stub(sign=-1)}, table(*pairs), draws=10))
    lines = {line.split("  ")[1].strip(): line for line in text.splitlines()[2:] if line}
    assert "no AUROC: all unsafe" in text
    assert lines["AUROC"].split()[1:3] == ["-", "-"]
    header = text.splitlines()[3]
    assert header.split() == ["one", "two", "all", "unsafe", "majority", "length"]
    assert "both unsafe (n=2)" in text
    assert "mixed (n=0)" in text
    assert "0.750" in text
    assert "all strata" not in text


def test_an_unlabelled_file_is_measured_by_its_pairs_alone():
    items = tuple(Item(Exchange("q", text)) for text in ("a", "b!!"))
    measurement = evaluate_rows(Stub(), table(Row("f:1", "toy", items, 0)), draws=10)
    assert measurement.one_class == "no labels"
    assert measurement.gauges["stub"].figures == {}
    assert measurement.gauges["stub"].ranking["unlabelled"].value == 1.0
    assert "unlabelled (n=1)" in block(measurement)


def test_summary_averages_over_sets_with_both_classes():
    both = evaluate_rows(Stub(), table(single("a!!", 1.0), single("b", 0.0)), draws=0)
    flat = evaluate_rows(Stub(), table(single("a!", 1.0), single("b!", 0.0)), draws=0)
    safe = evaluate_rows(Stub(), table(single("a", 0.0)), draws=0)
    assert summary([both, flat, safe]) == (
        "stub: mean AUROC 0.750 over 2 data sets with both classes"
    )
    assert summary([both, safe]) == ""
    report = to_json([both, flat], {"stub": {"id": "stub@1"}}, "harmgauge evaluate f")
    assert report["mean_auroc"] == {"stub": 0.75}
    assert report["direction"] == "positive_is_unsafe"


@pytest.fixture
def toy(tmp_path, monkeypatch):
    stubs = {None: Stub(), "other": Stub("other", -1.0), "same": Stub(sign=-1.0)}
    monkeypatch.setattr("harmgauge.gauge.load", lambda name=None, **_: stubs[name])
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


def test_command_prints_a_table_and_writes_json(toy, tmp_path):
    pytest.importorskip("sklearn")
    out = tmp_path / "out.json"
    result = run(toy, "--gauge", "other", "--json", out, "--train", toy, "--draws", 20, "--seed", 3)
    assert result.exit_code == 0, result.output
    assert "toy/test.jsonl" in result.output
    assert "4 rows · 1 bad" in result.output
    assert "bag of words" in result.output
    report = json.loads(out.read_text())
    (measurement,) = report["measurements"]
    assert measurement["sha256"] == hashlib.sha256(toy.read_bytes()).hexdigest()
    assert report["bag_of_words"] == [{"data": "toy/test.jsonl", "sha256": measurement["sha256"]}]
    assert report["gauges"] == {"other": {"id": "other@00000000", "licence": "MIT"}}
    assert (measurement["seed"], measurement["draws"]) == (3, 20)
    assert measurement["gauges"]["other"]["figures"]["auroc"]["value"] == 0.25
    assert set(measurement["floors"]) == {"all unsafe", "majority", "length", "bag of words"}
    assert {path.name for path in tmp_path.iterdir()} == {"toy", "out.json"}


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


def test_gauges_of_one_name_stand_side_by_side(toy, tmp_path, monkeypatch):
    stubs = {"a": Stub(), "b": Stub(sign=-1.0)}
    monkeypatch.setattr("harmgauge.gauge.load", lambda name=None, **_: stubs[name])
    result = run(toy, "--gauge", "a", "--gauge", "b", "--draws", 0)
    assert result.exit_code == 0, result.output
    assert "stub@00000000" in result.output


def test_command_explains_bad_label_maps_and_missing_files(toy, tmp_path):
    result = run(toy, "--labels", "hate=1")
    assert "JSON object" in str(result.exception)
    nowhere = run(toy, "--json", tmp_path / "none" / "out.json")
    assert "make it first" in str(nowhere.exception)
    for threshold in ("nan", "inf"):
        result = run(toy, "--threshold", threshold)
        assert (result.exit_code, "finite" in result.output) == (2, True)
    assert run(toy, "--seed", -1).exit_code == 2
    missing = run(tmp_path / "none.jsonl")
    assert "none.jsonl" in str(missing.exception)


def test_a_data_file_given_to_json_is_not_overwritten(toy):
    before = toy.read_bytes()
    result = run("--json", toy, toy)
    assert result.exit_code == 2
    assert "must end in .json" in result.output
    assert toy.read_bytes() == before


def test_one_gauge_for_labels_given_by_hand(toy, tmp_path):
    path = tmp_path / "prompts.csv"
    path.write_text("prompt\nhello\nagain!!\n")
    result = run(path, "--label", 0, "--draws", 0)
    assert result.exit_code == 0, result.output
    assert "no AUROC: all safe" in result.output
    assert read_rows(path).rows[0].items[0].unsafe is None
    assert "state a label with --label" in run(path, "--draws", 0).output


def test_command_measures_a_bundle(tiny_bundle, tmp_path):
    path = tmp_path / "texts.csv"
    path.write_text("text,flag\none,yes\ntwo,no\nthree,no\n")
    out = tmp_path / "out.json"
    columns = ["--prompt-column", "text", "--label-column", "flag"]
    labels = ["--labels", '{"yes": 1, "no": 0}']
    result = run(path, "--gauge", tiny_bundle, *columns, *labels, "--json", out, "--draws", 20)
    assert result.exit_code == 0, result.output
    report = json.loads(out.read_text())
    assert report["gauges"]["tiny"]["licence"] == "CC0-1.0"
    assert report["gauges"]["tiny"]["id"].startswith("tiny@")
    figure = report["measurements"][0]["gauges"]["tiny"]["figures"]["auroc"]
    assert figure["n"] == 3
    assert figure["value"] in (0.0, 0.5, 1.0)
