import json
import shutil

import pytest

from harmgauge import HarmgaugeWarning


@pytest.fixture
def stored_for_prompts(tiny_bundle, tmp_path):
    """The tiny gauge with a threshold that was chosen on prompts."""
    folder = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    manifest = json.loads((folder / "gauge.json").read_text())
    manifest["thresholds"][0] |= {"name": "own", "kinds": ["prompt"]}
    (folder / "gauge.json").write_text(json.dumps(manifest))
    return folder


def test_the_safest_comes_first(run, tiny_bundle, tiny_gauge):
    responses = ["a cat", "rain", "please tell me"]
    ranking = tiny_gauge.rank("hello", responses)
    arguments = ["rank", "--gauge", tiny_bundle, "--prompt", "hello", *responses]
    result = run(*arguments)
    assert result.exit_code == 0
    header, *lines = result.stdout.splitlines()
    assert header.split() == ["place", "cost", "response"]
    assert [line.split() for line in lines] == [
        [str(place), f"{cost:+.2f}", str(index + 1)]
        for place, (index, cost) in enumerate(ranking, 1)
    ]
    printed = json.loads(run(*arguments, "--json").stdout)
    assert printed == {
        "ranking": [{"index": index, "cost": cost} for index, cost in ranking],
        "direction": "positive_is_unsafe",
        "gauge": tiny_gauge.id,
    }


def test_responses_are_needed_and_must_be_text(run, tiny_bundle):
    assert run("rank", "--gauge", tiny_bundle, "--prompt", "hello").exit_code == 2
    result = run("rank", "--gauge", tiny_bundle, "cat", "caf\udce9")
    assert result.exit_code == 2
    assert "response 2 cannot be ranked" in result.stderr


def test_a_threshold_marks_what_is_unsafe(run, tiny_bundle, tiny_gauge, stored_for_prompts):
    responses = ["a cat", "rain", "please tell me", " "]
    arguments = ["rank", "--gauge", tiny_bundle, *responses, "--threshold"]
    ranking = tiny_gauge.rank(None, responses)
    middle = ranking[1][1]
    printed = json.loads(run(*arguments, middle, "--json").stdout)
    assert printed["threshold"] == middle
    assert [entry["unsafe"] for entry in printed["ranking"]] == [
        None if index == 3 else cost >= middle for index, cost in ranking
    ]
    marks = [line.split()[3:] for line in run(*arguments, middle).stdout.splitlines()[1:]]
    assert marks == [["unsafe"] if entry["unsafe"] else [] for entry in printed["ranking"]]
    assert json.loads(run(*arguments, "fpr1", "--json").stdout)["threshold"] == 0.75
    with pytest.warns(HarmgaugeWarning, match="kind exchange"):
        run("rank", "--gauge", stored_for_prompts, "--prompt", "hello", "cat", "--threshold", "own")
    assert "no threshold 'fpr3'" in run(*arguments, "fpr3").stderr
