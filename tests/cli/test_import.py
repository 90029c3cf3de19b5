"""The verb, from a tiny classifier and labelled rows to a calibrated bundle."""

import json

import numpy as np
import pytest

pytest.importorskip("transformers")

from harmgauge.bundle import read_bundle
from harmgauge.gauge import load
from tiny import WORDS
from tiny_classifier import make

COLUMNS = [
    *("--prompt-column", "text", "--label-column", "harm"),
    *("--labels", '{"yes": 1, "no": 0}'),
]


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classifier") / "theirs"
    make(folder, "distilbert")
    return folder


@pytest.fixture(scope="module")
def texts():
    random = np.random.default_rng(0)
    return [" ".join(random.choice(WORDS, 6)) for _ in range(60)]


@pytest.fixture
def data(tmp_path):
    def write(texts, labels):
        path = tmp_path / "own.jsonl"
        rows = zip(texts, labels, strict=True)
        lines = (
            json.dumps({"text": text, "harm": "yes" if label else "no"}) for text, label in rows
        )
        path.write_text("\n".join(lines))
        return path

    return write


def test_without_data_the_bundle_says_that_it_is_not_calibrated(run, classifier, tmp_path):
    out = tmp_path / "gauge"
    result = run("import", classifier, "--direction", "unsafe-high", "--out", out)
    assert result.exit_code == 0, result.output
    assert "not calibrated" in result.output
    assert result.stderr == ""  # no bar of weights that are loaded, where no one waits
    manifest = read_bundle(out)
    assert (manifest.name, manifest.licence) == ("gauge", "NOASSERTION")
    assert (manifest.base["name"], manifest.calibration.n) == ("theirs", 0)
    assert "Not calibrated" in (out / "README.md").read_text()
    assert "the raw score, not calibrated" in run("info", out).stdout
    again = run("import", classifier, "--direction", "unsafe-high", "--out", out)
    assert again.exit_code == 2
    assert "not empty" in again.stderr


def test_labels_calibrate_it_and_tell_when_the_direction_is_wrong(
    run, classifier, texts, data, tmp_path
):
    first = tmp_path / "first"
    run("import", classifier, "--direction", "unsafe-high", "--out", first)
    raw = load(first, threads=1).raw_scores(texts)[:, 0]
    unsafe = raw + np.random.default_rng(1).normal(0, raw.std(), len(raw)) > np.median(raw)
    arguments = ["import", classifier, "--licence", "MIT", "--data", data(texts, unsafe), *COLUMNS]
    out = tmp_path / "out"
    result = run(*arguments, "--direction", "unsafe-high", "--out", out, "--name", "mine")
    assert result.exit_code == 0, result.output
    manifest = read_bundle(out)
    assert (manifest.name, manifest.licence) == ("mine", "MIT")
    assert manifest.calibration.data.endswith("own.jsonl, half of prompts")
    assert manifest.calibration.n > 10
    assert {"ece", "ece_before"} <= manifest.metrics[-1].keys()
    wrong = run(*arguments, "--direction", "unsafe-low", "--out", tmp_path / "wrong")
    assert wrong.exit_code == 2
    assert "the direction contradicts" in wrong.stderr
    assert not (tmp_path / "wrong").exists()
    data(texts, np.zeros(len(texts)))
    one = run(*arguments, "--direction", "unsafe-high", "--out", tmp_path / "one")
    assert one.exit_code == 2
    assert "has 60 safe and 0 unsafe texts; add texts of the other class" in one.stderr


def test_the_direction_must_be_stated_and_the_classifier_be_there(run, classifier, tmp_path):
    result = run("import", classifier, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "--direction" in result.stderr
    arguments = ["--direction", "unsafe-high", "--out", tmp_path / "out"]
    missing = run("import", tmp_path / "nowhere", *arguments)
    assert missing.exit_code == 2
    assert "there is no folder" in missing.stderr
    file = run("import", classifier / "config.json", *arguments)
    assert file.exit_code == 2
    assert "config.json is a file; name the folder" in file.stderr
    for options, error in (
        (["--label", 1], "give --data FILE with them"),
        (["--prompt-column", "text"], "give --data FILE with them"),
        (["--part", "prompt"], "give --data FILE with them"),
        (["--licence", "made up"], "'made up' is no SPDX expression"),
        (["--name", "My Gauge"], "'My Gauge' cannot name a gauge"),
    ):
        refused = run("import", classifier, *arguments, *options)
        assert refused.exit_code == 2
        assert error in refused.stderr
    assert not (tmp_path / "out").exists()
