import json

import pytest


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HARMGAUGE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def toy(tmp_path):
    """Twelve answers to six prompts, one safe and one unsafe each."""
    path = tmp_path / "toy" / "test.jsonl"
    path.parent.mkdir()
    rows = [
        {
            "prompt": f"ask {n // 2}",
            "response": f"snow and rain {n}" + " again" * (30 if n >= 6 else 0),
            "is_safe": n % 2 == 0,
        }
        for n in range(12)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def stored(tmp_path, name, scores):
    """A scorer of log-odds made elsewhere."""
    pytest.importorskip("pydantic")
    lines = [
        f"{n},{score},toy/{file}.jsonl"
        for file in ("test", "other", "safe")
        for n, score in enumerate(scores, 1)
    ]
    (tmp_path / f"{name}.csv").write_text("\n".join(["id,score,data", *lines]) + "\n")
    path = tmp_path / f"{name}.yaml"
    path.write_text(
        f"{{name: {name}, scores: {name}.csv, direction: positive_is_unsafe, scale: log_odds}}"
    )
    return path


def test_a_gauge_is_no_worse_than_itself(run, toy, tiny_bundle, tmp_path):
    out = tmp_path / "out.json"
    options = ["--draws", 100, "--no-worse-than", 0, "--json", out, "--threads", 1]
    result = run("compare", tiny_bundle, tiny_bundle, toy, *options)
    assert result.exit_code == 0, result.output
    assert "tiny (2) less tiny" in result.output
    results = json.loads(out.read_text())
    assert list(results["gauges"]) == [results["a"], results["b"]] == ["tiny", "tiny (2)"]
    assert results["gauges"]["tiny"]["licence"] == "CC0-1.0"
    assert results["direction"] == "positive_is_unsafe"
    assert (results["draws"], results["seed"], results["figure"]) == (100, 0, "auroc")
    (comparison,) = results["comparisons"]
    assert comparison["contents"]["n"] == 12
    assert len(comparison["contents"]["sha256"]) == 64
    auroc = comparison["figures"]["auroc"]
    assert (auroc["difference"]["value"], auroc["difference"]["low"], auroc["p"]) == (0, 0, 1)
    assert comparison["disagreements"] == []


def test_two_bundles_are_set_side_by_side(run, toy, tiny_bundle, decoder_bundle):
    options = ["--draws", 100, "--threshold", "fpr1", "--parts", "--rows", 2, "--threads", 1]
    result = run("compare", tiny_bundle, decoder_bundle, toy, *options)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0] == "toy/test.jsonl"
    assert "100 paired draws of prompts" in lines[2]
    assert "AUROC by slice" in result.output
    assert "farthest apart" in result.output
    assert "snow" not in result.output


def test_a_worse_one_fails_by_the_lower_end(run, toy, tmp_path):
    right = stored(tmp_path, "right", [-1, 1] * 6)
    wrong = stored(tmp_path, "wrong", [-1, 1] * 4 + [1, -1] * 2)
    result = run("compare", right, wrong, toy, "--no-worse-than", 0.3, "--draws", 200)
    assert result.exit_code == 1
    sentence = result.stderr.strip()
    assert sentence.startswith("harmgauge: toy/test.jsonl: auroc of wrong less that of right is -0")
    assert "more than 0.3" in sentence
    nothing = run("compare", right, wrong, toy, "--no-worse-than", "nan")
    assert (nothing.exit_code, "is nan" in nothing.stderr) == (2, True)
    back = run("compare", wrong, right, toy, "--no-worse-than", 0, "--draws", 200)
    assert back.exit_code == 0, back.output
    by_recall = ["--figure", "recall", "--no-worse-than", 0.1]
    assert "recall of wrong" in run("compare", right, wrong, toy, *by_recall).stderr


def test_texts_are_shown_only_when_asked_for(run, toy, tmp_path):
    one, two = stored(tmp_path, "one", range(12)), stored(tmp_path, "two", range(12, 0, -1))
    out = tmp_path / "out.json"
    call = ["compare", one, two, toy, "--rows", 1, "--draws", 0, "--json", out]
    silent = run(*call)
    assert silent.exit_code == 0, silent.output
    assert "test.jsonl:1 " in silent.output
    assert "snow" not in silent.output + out.read_text()
    told = run(*call, "--texts")
    assert "    user: ask 0\n    assistant: snow and rain 0\n" in told.output
    (row,) = json.loads(out.read_text())["comparisons"][0]["disagreements"]
    assert row["turns"][1] == {"role": "assistant", "content": "snow and rain 0"}


def test_several_sets_are_summed_up(run, toy, tmp_path):
    other = toy.with_name("other.jsonl")
    other.write_text("".join(reversed(toy.read_text().splitlines(keepends=True))))
    safe = toy.with_name("safe.jsonl")
    safe.write_text("".join(line for line in toy.open() if '"is_safe": true' in line))
    one, two = stored(tmp_path, "one", [0, 1] * 6), stored(tmp_path, "two", [1, 0] * 6)
    call = ["compare", one, two, toy, other, "--draws", 100]
    result = run(*call)
    assert "p adjusted" in result.output
    assert "exchanges, mean AUROC (sets=2)  +0.000" in result.output
    gauge = ["--no-worse-than", 0.1]
    short = stored(tmp_path, "short", range(6))
    skipped = run("compare", short, short, safe, *gauge)
    assert (skipped.exit_code, "toy/safe.jsonl" in skipped.stderr) == (1, True)
    assert "no data set has auroc" in skipped.stderr


def test_a_suite_says_itself_what_to_read(run, toy, tiny_bundle, tmp_path):
    pytest.importorskip("pydantic")
    suite = tmp_path / "mine.yaml"
    suite.write_text("{name: mine, sets: [{path: test.jsonl, name: a}, {path: gone.jsonl}]}")
    call = ["compare", tiny_bundle, tiny_bundle, "--suite", suite, "--data-root", toy.parent]
    result = run(*call, "--draws", 100, "--threads", 1)
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[0] == "a"
    assert "not compared: gone.jsonl" in result.stderr


def test_mistakes_are_explained_before_anything_is_scored(run, toy, tiny_bundle):
    pair = ["compare", tiny_bundle, tiny_bundle]
    for arguments, words in [
        ([], "name the FILEs"),
        ([toy, "--figure", "accuracy"], "sign_accuracy, auroc"),
        ([toy, "--no-worse-than", 0.1, "--draws", 0], "leave out --draws 0"),
        ([toy, "--no-worse-than", -1], "--no-worse-than"),
        ([toy, "--json", toy], "must end in .json"),
        ([toy, "--threshold", "nan"], "finite"),
    ]:
        result = run(*pair, *arguments)
        assert (result.exit_code, words in result.stderr) == (2, True), result.stderr
    assert "there is no gauge" in run("compare", tiny_bundle, "nothing", toy).stderr


def test_sets_that_are_missing_are_not_passed_over(run, toy, tiny_bundle, tmp_path):
    pytest.importorskip("pydantic")
    suite = tmp_path / "mine.yaml"
    suite.write_text("{name: mine, sets: [{path: test.jsonl, name: a}, {path: gone.jsonl}]}")
    call = ["compare", tiny_bundle, tiny_bundle, "--suite", suite, "--data-root", toy.parent]
    call += ["--draws", 100, "--threads", 1, "--no-worse-than", 0.1]
    result = run(*call)
    assert result.exit_code == 1
    assert "is not shown to be no worse on gone.jsonl" in result.stderr
    assert run(*call, "--allow-missing").exit_code == 0


def test_nothing_to_compare_ends_in_exit_1(run, tiny_bundle, tmp_path):
    path = tmp_path / "prompts.csv"
    path.write_text("prompt\nhello\nrain\n")
    result = run("compare", tiny_bundle, tiny_bundle, path, "--draws", 0, "--threads", 1)
    assert result.exit_code == 1
    assert "nothing could be compared" in result.stderr
