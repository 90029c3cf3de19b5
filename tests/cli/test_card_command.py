"""From `harmgauge evaluate --json` to a card that tells of it, with the same costs and id."""

import json
import shutil

import numpy as np
import pytest

from harmgauge.bundle import read_bundle
from harmgauge.gauge import load
from tiny import WORDS

MEANING = json.dumps({"yes": 1, "no": 0})


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    random = np.random.default_rng(1)
    path = tmp_path_factory.mktemp("data") / "own.jsonl"
    rows = [
        {"prompt": " ".join(random.choice(WORDS, 6)), "label": ("no", "yes")[n % 2]}
        for n in range(120)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def own(tiny_bundle, tmp_path):
    return shutil.copytree(tiny_bundle, tmp_path / "own-gauge")


@pytest.fixture
def measured(run, own, data, tmp_path):
    def measured(name="results.json", *options, gauge=own):
        path = tmp_path / name
        arguments = ("evaluate", data, "--gauge", gauge, "--draws", 100, "--json", path)
        assert run(*arguments, "--no-cache", "--labels", MEANING, *options).exit_code == 0
        return path

    return measured


def test_a_card_is_printed(run, tiny_bundle):
    result = run("card", tiny_bundle)
    assert result.exit_code == 0
    assert result.stdout.startswith("# tiny")
    assert "## Tested" not in result.stdout


def test_the_card_tells_of_what_was_measured_and_the_id_stays(run, own, measured, data):
    name = f"{data.parent.name}/own.jsonl"
    before, costs = read_bundle(own), load(own).score(WORDS)
    results = measured()
    for _ in range(2):  # the same again replaces the first
        result = run("card", own, "--results", results, "--output", own)
        assert result.exit_code == 0, result.stderr
    assert f"the card of {before.id} tells of {name}, in {own}" in result.stdout
    after = read_bundle(own)
    assert after.id == before.id
    assert load(own).score(WORDS).tolist() == costs.tolist()
    figures = json.loads(results.read_text())["measurements"][0]["gauges"][before.name]["figures"]
    (entry,) = after.tested
    assert (entry.data, entry.n, entry.draws) == (name, 120, 100)
    assert entry.figures["auroc"].value == figures["auroc"]["value"]
    said = "{value:.3f} [{low:.3f}, {high:.3f}]".format(**figures["auroc"])
    card = (own / "README.md").read_text()
    assert card == run("card", own).stdout.removesuffix("\n")
    assert f"| {name} | prompt | 120 | {said} |" in card.split("## Tested")[1]
    fails = card.split("## Where it fails")[1].split("\n## ")[0]
    assert f"**Lowest AUROC** (0.5 is chance): {name} {said} (n = 120)." in fails
    assert "on nothing" not in (told := run("info", own).stdout)
    assert f"tested       on {name};" in told


def test_a_new_scale_leaves_behind_what_was_tested(run, own, measured):
    run("card", own, "--results", measured(), "--output", own)
    result = run("calibrate", own, "--prior", 0.1, "--output", own)
    assert "what it was tested on stays behind" in result.stdout
    assert read_bundle(own).tested == ()
    assert "## Tested" not in (own / "README.md").read_text()


def test_what_is_not_of_the_gauge_is_refused(run, own, measured, tmp_path):
    other = shutil.copytree(own, tmp_path / "other")
    run("calibrate", other, "--prior", 0.1, "--output", other)

    def refused(results, *said):
        result = run("card", own, "--results", results, "--output", own)
        assert result.exit_code == 2
        assert all(part in result.stderr for part in (str(results), *said)), result.stderr

    refused(measured("other.json", gauge=other), read_bundle(other).id, read_bundle(own).id)
    refused(measured("from.json", "--threshold", 0.5), "from a cost of 0.5 on")
    whole = json.loads(measured().read_text())
    for name, changed, said in (
        ("version.json", {**whole, "format_version": 1}, "format version 1"),
        ("mode.json", _with(whole, "gauges", "tiny", "runs in", "onnx int8"), "ran in onnx int8"),
        ("word.json", _at(whole, "figures", "auroc", "value", "high"), "auroc is damaged"),
        ("high.json", _at(whole, "figures", "f1", "value", 7), "f1 is damaged"),
        ("ends.json", _at(whole, "figures", "f1", "low", 1), "f1 is damaged"),
        ("none.json", _at(whole, "figures", {}), "has no figure of any file"),
        ("where.json", _at(whole, "threshold", None), "judged from a cost of None on"),
        ("empty.json", {**whole, "measurements": []}, "holds no measurements"),
        ("cut.json", {**whole, "measurements": [{}]}, "is not as harmgauge evaluate"),
        ("list.json", [1], "holds no measurements"),
    ):
        path = tmp_path / name
        path.write_text(json.dumps(changed))
        refused(path, said)
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    refused(broken, "not valid JSON")
    refused(tmp_path / "nowhere.json", "No such file")
    assert read_bundle(own).tested == ()


def test_results_and_output_belong_together(run, own, measured):
    for half in (("--results", measured()), ("--output", own)):
        result = run("card", own, *half)
        assert result.exit_code == 2
        assert "belong together" in result.stderr


def test_a_torch_gauge_has_a_card_too_whatever_it_ran_on(run, own, measured, tmp_path):
    results = json.loads(measured().read_text())
    path = tmp_path / "torch.json"
    path.write_text(json.dumps(_with(results, "gauges", "tiny", "runs in", "torch cuda")))
    assert run("card", own, "--results", path, "--output", own).exit_code == 0


def test_another_file_of_the_same_name_replaces_the_first_and_says_so(run, own, measured, tmp_path):
    results = measured()
    run("card", own, "--results", results, "--output", own)
    whole = json.loads(results.read_text())
    whole["measurements"][0]["contents"]["sha256"] = "ab"
    path = tmp_path / "again.json"
    path.write_text(json.dumps(whole))
    result = run("card", own, "--results", path, "--output", own)
    assert "is another file than the one of that name" in result.stderr
    assert [each.sha256 for each in read_bundle(own).tested] == ["ab"]


def _at(results, *path):
    """The results with another value in what the gauge reached on the first file."""
    first = results["measurements"][0]
    return {**results, "measurements": [_with(first, "gauges", "tiny", *path)]}


def _with(values, *path):
    """A copy in which the place of `path` holds its last part."""
    *names, value = path
    name, *rest = names
    return {**values, name: _with(values[name], *rest, value) if rest else value}
