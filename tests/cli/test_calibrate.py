"""The verb, from labelled rows to a bundle whose thresholds are asked for by name."""

import json
import shutil

import numpy as np
import pytest

from harmgauge import HarmgaugeWarning, gauges
from harmgauge.bundle import read_bundle, sha256
from harmgauge.gauge import load
from tiny import WORDS

COLUMNS = [
    *("--prompt-column", "text", "--label-column", "harm"),
    *("--labels", '{"yes": 1, "no": 0}'),
]


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(0)
    made = [
        {"text": " ".join(random.choice(WORDS, 6)), "harm": "yes" if number % 5 == 0 else "no"}
        for number in range(150)
    ]
    return [*made, {"text": " ", "harm": "no"}, {"text": 5, "harm": "no"}, made[1]]


@pytest.fixture
def data(tmp_path, rows):
    path = tmp_path / "own.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def own(tiny_bundle, tmp_path):
    return shutil.copytree(tiny_bundle, tmp_path / "own-gauge")


def test_a_threshold_is_stored_with_its_promise_and_used_by_name(
    run, tiny_bundle, tiny_gauge, data, rows, tmp_path
):
    output = tmp_path / "new"
    arguments = ["calibrate", tiny_bundle, "--data", data, *COLUMNS, "--output", output]
    result = run(*arguments, "--fpr", 0.05, 0.1, "--fpr", 0.05)
    assert result.exit_code == 0
    assert "1 blank texts, 1 rows that could not be read" in result.stdout
    assert "at most 5 % of safe texts like the 120 of" in result.stdout
    assert "of the unsafe texts reach it (n = 30" in result.stdout
    manifest = read_bundle(output)
    assert [each.name for each in manifest.thresholds] == ["fpr1", "fpr5", "fpr10"]
    five = manifest.thresholds[1]
    assert (five.false_positive_rate, five.confidence, five.n) == (0.05, 0.95, 120)
    assert five.data.endswith("own.jsonl")
    assert five.sha256 == (sha256(data),)
    assert manifest.metrics == tiny_gauge.manifest.metrics
    assert manifest.calibration == tiny_gauge.manifest.calibration
    safe = list({row["text"]: None for row in rows[:150] if row["harm"] == "no"})
    # k = 2 of n = 120 for 5 % at 95 %: one text may alarm.
    assert (tiny_gauge.score(safe) >= five.cost).sum() == 1

    assert "fpr10" in run("info", output).stdout
    assert "fpr10" in (output / "README.md").read_text()
    verdict = json.loads(
        run("score", "--gauge", output, "a cat", "--json", "--threshold", "fpr5").stdout
    )
    assert verdict["threshold"] == five.cost
    assert load(output).verdict("a cat", "fpr5").threshold == five.cost
    shifted = run("score", "--gauge", output, "a cat", "--json", "--threshold=fpr5", "--prior=0.5")
    shift = json.loads(shifted.stdout)["threshold"] - five.cost
    assert shift == pytest.approx(np.log(3))  # from a prior of 1/4
    with pytest.warns(HarmgaugeWarning, match="kind response"):  # it was found on prompts
        ranked = run("rank", "--gauge", output, "a cat", "rain", "--json", "--threshold", "fpr5")
    assert json.loads(ranked.stdout)["threshold"] == five.cost


def test_labelled_rows_alone_give_curves(run, own, data, tiny_gauge, rows, tmp_path):
    result = run("calibrate", own, "--data", data, *COLUMNS, "--output", own)
    assert result.exit_code == 0
    assert "curve of kind prompt: 120 safe and 30 unsafe texts" in result.stdout
    changed = load(own)
    curve = changed.curves()["prompt"]
    unsafe = list({row["text"] for row in rows[:150] if row["harm"] == "yes"})
    misses = (tiny_gauge.score(unsafe) < curve.cost[40]).mean()
    assert curve.misses[40] == pytest.approx(misses, abs=1e-5)
    assert "curves       prompt" in run("info", own).stdout

    run("calibrate", own, "--prior", 0.5, "--output", own)
    shifted = load(own).curves()["prompt"]
    assert shifted.cost[40] == pytest.approx(curve.cost[40] + np.log(3))
    path = tmp_path / "few.jsonl"
    path.write_text('{"text": "a cat", "harm": "no"}\n')
    result = run("calibrate", own, "--data", path, *COLUMNS, "--output", tmp_path / "new")
    assert result.exit_code == 2
    assert "10 prompts with a safe and 10 with an unsafe text" in result.stderr


def test_the_gauges_own_folder_is_changed_where_it_is_named(run, own, data):
    arguments = ["calibrate", own, "--data", data, *COLUMNS, "--output", own, "--fpr", 0.1]
    first = run(*arguments, "--name", "fpr1")
    assert "it replaces one at cost +0.7500: at most 1 % of safe texts" in first.stdout
    assert run(*arguments, "--name", "prompts").exit_code == 0
    manifest = read_bundle(own)
    assert [each.name for each in manifest.thresholds] == ["fpr1", "prompts"]
    assert manifest.thresholds[0].cost == manifest.thresholds[1].cost
    assert {path.name for path in own.parent.iterdir()} == {"own.jsonl", "own-gauge"}


def test_too_few_safe_prompts_are_refused_with_the_number_needed(run, own, data, tmp_path):
    result = run(
        *("calibrate", own, "--data", data, *COLUMNS),
        *("--fpr", 0.01, "--output", tmp_path / "new"),
    )
    assert result.exit_code == 2
    assert "120 safe prompts" in result.stderr
    assert "takes 299" in result.stderr
    assert not (tmp_path / "new").exists()


def test_rows_without_labels_are_not_taken_for_too_few_safe_ones(run, own, tmp_path):
    path = tmp_path / "prompts.csv"
    path.write_text("prompt\n" + "".join(f"snow {number}\n" for number in range(60)))
    call = ["calibrate", own, "--data", path, "--fpr", 0.05, "--output", tmp_path / "new"]
    result = run(*call)
    assert result.exit_code == 2
    assert "none of its 60 rows has a label; if all are safe give --label 0" in result.stderr
    assert run(*call, "--label", 0).exit_code == 0


@pytest.mark.parametrize("method", ["bias", "platt"])
def test_the_scale_is_fitted_and_measured_on_different_prompts(run, own, data, method):
    before = load(own)
    texts = [" ".join(WORDS[i : i + 4]) for i in range(20)]
    result = run(
        "calibrate", own, "--data", data, *COLUMNS, "--recalibrate", method, "--output", own
    )
    assert result.exit_code == 0
    assert "ECE" in result.stdout
    assert "Brier score" in result.stdout
    after = load(own)
    fitted, figures = after.manifest.calibration, after.manifest.metrics[-1]
    assert fitted.n + figures["n"] == 151
    assert fitted.data.endswith("own.jsonl, half of prompts")
    assert (np.argsort(after.score(texts)) == np.argsort(before.score(texts))).all()
    assert [v.unsafe for v in after.verdicts(texts, "fpr1")] == [
        v.unsafe for v in before.verdicts(texts, "fpr1")
    ]


@pytest.fixture
def by_kind(own):
    """The same gauge, its prompts on a scale of their own."""
    path = own / "gauge.json"
    manifest = json.loads(path.read_text())
    scale = {**manifest["calibration"], "bias": -1.0, "prior": 0.5}
    path.write_text(json.dumps({**manifest, "calibration_by_kind": {"prompt": scale}}))
    return own


@pytest.mark.filterwarnings("ignore::harmgauge.HarmgaugeWarning")
def test_scales_of_kinds_are_fitted_and_moved_one_by_one(run, by_kind, data):
    before, texts = load(by_kind), ["a cat", "rain", "please tell me"]
    answers = [{"prompt": "hello", "response": text} for text in texts]
    fitted = run(
        *("calibrate", by_kind, "--data", data, *COLUMNS),
        *("--recalibrate", "platt", "--fpr", 0.1, "--output", by_kind),
    )
    assert "scale of kind prompt: bias" in fitted.stdout
    assert "scale: stays, its texts are too few or none" in fitted.stdout
    after = load(by_kind)
    assert after.score(answers).tolist() == pytest.approx(before.score(answers), abs=1e-6)
    assert set(after.manifest.thresholds[0].cost_by_kind) == {"prompt"}
    moved = run("calibrate", by_kind, "--prior", 0.02, "--output", by_kind)
    assert "prior: 0.25 before, 0.02 now" in moved.stdout
    assert "prior of kind prompt: 0.2237 before, 0.02 now" in moved.stdout
    rare = load(by_kind)
    shift = np.log(0.02 / 0.98) - np.log(0.25 / 0.75)
    np.testing.assert_allclose(rare.score(answers) - after.score(answers), shift, atol=1e-6)
    for name in ("fpr1", "fpr10"):
        for gauge in (after, rare):
            judged = gauge.verdicts([*texts, *answers], name)
            assert [v.unsafe for v in judged] == [
                v.unsafe for v in after.verdicts([*texts, *answers], name)
            ]
    assert "cost_by_kind" in run("info", by_kind).stdout
    assert "cost by kind" in (by_kind / "README.md").read_text()


def test_thresholds_of_several_kinds_rest_on_rows_that_no_scale_was_fitted_to(
    run, by_kind, data, tmp_path
):
    def turns(number, text):
        asked = {"role": "user", "content": text if number % 2 else f"say {number}"}
        return [asked] if number % 2 else [asked, {"role": "assistant", "content": text}]

    rows = [json.loads(line) for line in data.read_text().splitlines()][:150]
    chats = [
        {"chat": turns(i, row["text"]), "harm": "yes" if i % 5 < 2 else "no"}
        for i, row in enumerate(rows)
    ]
    data.write_text("".join(json.dumps(chat) + "\n" for chat in chats))
    result = run(
        *("calibrate", by_kind, "--data", data, "--messages-column", "chat", *COLUMNS[2:]),
        *("--recalibrate", "bias", "--fpr", 0.1, "--output", tmp_path / "new"),
    )
    assert result.exit_code == 0, result.output
    assert "rest on the half of the prompts" in result.stdout
    assert "scale: bias" in result.stdout
    threshold = read_bundle(tmp_path / "new").thresholds[-1]
    assert 30 < threshold.n < 60  # of 90 safe prompts


def test_labels_that_run_against_the_gauge_are_told_and_no_scale_is_fitted_to_them(
    run, own, tiny_gauge, rows, tmp_path
):
    distinct = sorted({row["text"] for row in rows[:150]})
    texts = [distinct[place] for place in np.argsort(tiny_gauge.score(distinct))]
    path = tmp_path / "reversed.jsonl"
    labels = ["yes" if rank < 40 else "no" for rank in range(len(texts))]
    lines = [{"text": text, "harm": harm} for text, harm in zip(texts, labels, strict=True)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    call = ["calibrate", own, "--data", path, *COLUMNS, "--output", own]
    refused = run(*call, "--recalibrate", "platt")
    assert refused.exit_code == 2
    assert "RUNS AGAINST THE LABELS: of 40 unsafe" in refused.stderr
    stored = run(*call, "--fpr", 0.05)  # which rests on the safe texts alone
    assert (stored.exit_code, "RUNS AGAINST" in stored.stderr) == (0, True)


def test_isotonic_says_how_much_it_takes(run, own, data):
    result = run(
        "calibrate", own, "--data", data, *COLUMNS, "--recalibrate", "isotonic", "--output", own
    )
    assert result.exit_code == 2
    assert "isotonic takes 1000" in result.stderr


def test_isotonic_is_written_and_read(run, own, tmp_path):
    pytest.importorskip("scipy")
    random, data = np.random.default_rng(1), tmp_path / "many.csv"
    texts = [" ".join(random.choice(WORDS, 5)) for _ in range(1000)]
    costs = load(own).score(texts)
    harm = random.random(1000) < 1 / (1 + np.exp(np.median(costs) - costs))
    lines = (
        f"{text},{'yes' if unsafe else 'no'}" for text, unsafe in zip(texts, harm, strict=True)
    )
    data.write_text("\n".join(["text,harm", *lines]))
    result = run(
        "calibrate", own, "--data", data, *COLUMNS, "--recalibrate", "isotonic", "--output", own
    )
    assert result.exit_code == 0
    gauge = load(own)
    assert gauge.manifest.calibration.knots
    new = gauge.score(texts)
    assert (np.diff(new[np.argsort(costs)]) >= 0).all()
    assert len(np.unique(new)) == len(np.unique(costs))
    assert "isotonic knots" in run("info", own).stdout


def test_a_prior_needs_no_labels(run, own):
    assert run("calibrate", own, "--prior", 0.5, "--output", own).exit_code == 0
    manifest = read_bundle(own)
    assert manifest.calibration.prior == 0.5
    assert manifest.calibration.bias == pytest.approx(0.1 + np.log(3))
    assert manifest.thresholds[0].cost == pytest.approx(0.75 + np.log(3))
    result = run("calibrate", own, "--prior", 2, "--output", own)
    assert result.exit_code == 2
    assert "between 0 and 1" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to do"),
        (["--fpr", 0.1], "give --data FILE"),
        (["--data", "own.jsonl", "--fpr", 0.1, "--fpr", 0.2, "--name", "one"], "names one"),
        (["--data", "own.jsonl", "--fpr", 0.1, "--name", "0.5"], "cannot name a threshold"),
        (["--prior", 0.1, "--label", 0], "give --data FILE with them"),
    ],
)
def test_calls_that_make_no_sense_are_refused(run, own, arguments, message):
    result = run("calibrate", own, *arguments, "--output", own)
    assert result.exit_code == 2
    assert message in result.stderr


def test_no_folder_is_written_that_is_not_the_gauges_own(run, own, tmp_path):
    prior = ["--prior", 0.5, "--output"]
    for installed in (gauges.find("mini"), gauges.find("mini").parent / "new"):
        result = run("calibrate", own, *prior, installed)
        assert "installed package" in result.stderr
    assert "installed package" in run("calibrate", "mini", *prior, gauges.find("mini")).stderr
    other = shutil.copytree(own, tmp_path / "other")
    assert "is not empty" in run("calibrate", own, *prior, other).stderr
    (own / "notes.txt").write_text("keep me")
    assert "notes.txt, which would be lost" in run("calibrate", own, *prior, own).stderr
    assert (own / "notes.txt").exists()
