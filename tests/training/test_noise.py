"""`harmgauge data noise` finds labels that were turned round, and training counts them less."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from tiny_task import texts, write_rows

from harmgauge.cli.main import cli
from harmgauge.errors import DataError, RecipeError
from harmgauge.training.noise import _folds
from harmgauge.training.pipeline import prepare

pytest.importorskip("cleanlab")
FLIPPED = range(0, 200, 20)


@pytest.fixture(scope="module")
def noisy(tmp_path_factory, make_recipe, encoder_base):
    """A recipe of which ten of 200 labels are turned round, and the file that says which."""
    folder = tmp_path_factory.mktemp("noisy")
    rows = [
        {"prompt": f"tell me {i}", "response": text, "is_safe": bad if i in FLIPPED else not bad}
        for i, (text, bad) in enumerate(texts(3, 200))
    ]
    write_rows(folder / "flipped" / "train.jsonl", rows)
    recipe = make_recipe(encoder_base)
    train = [
        {"path": str(folder / "flipped" / "train.jsonl"), "licence": "CC0-1.0"},
        {"path": "pairs/train.jsonl", "licence": "CC0-1.0", "label": 0, "safer_only": True},
    ]
    train.append(train[0] | {"name": "refused", "refused": "train"})  # safe for certain
    values = recipe.model_dump(mode="json", by_alias=True, exclude_unset=True)
    values["data"]["train"] = train
    (folder / "noisy.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    command = ["data", "noise", str(folder / "noisy.yaml"), "--base", str(encoder_base), "--quiet"]
    result = CliRunner().invoke(cli, [*command, "--output", str(folder / "doubts.json")])
    assert result.exit_code == 0, result.exception
    return folder, result.output


def doubts(folder):
    return json.loads((folder / "doubts.json").read_text(encoding="utf-8"))


def test_what_was_turned_round_is_doubted(noisy):
    folder, said = noisy
    flipped, pairs = doubts(folder)
    assert (flipped["source"], flipped["judged"]) == ("flipped", 200)
    wrong = {f"train.jsonl:{i + 1}" for i in FLIPPED}
    assert len(wrong & flipped["weights"].keys()) >= 8
    assert len(flipped["weights"].keys() - wrong) <= 10
    assert all(0 <= weight < 0.5 for weight in flipped["weights"].values())
    assert f"flipped: {flipped['doubted']} of 200 labels doubted" in said
    assert (pairs["judged"], pairs["weights"]) == (0, {})  # one class
    assert "pairs: not judged" in said
    assert "snow" not in (folder / "doubts.json").read_text(encoding="utf-8")


def recipe_with(folder, path):
    from harmgauge.training.recipe import read_recipe

    return read_recipe(folder / "noisy.yaml", [f"data.weights={path}"])


def test_doubted_rows_count_less_and_validation_rows_as_before(noisy, tmp_path):
    folder, _ = noisy
    job = prepare(recipe_with(folder, folder / "doubts.json"), tmp_path)
    weights = doubts(folder)[0]["weights"]
    for example in job.train:
        expected = weights.get(example.id, 1.0) if example.source == "flipped" else 1.0
        assert example.weight == expected
    assert job.train_sources[0].report.doubted == len(weights)
    assert "doubted" in job.describe()
    assert {example.weight for example in job.valid} == {1.0}
    assert {example.weight for example in job.train if example.source == "refused"} == {1.0}


@pytest.mark.slow
def test_weights_of_other_rows_are_refused(noisy, tmp_path):
    folder, _ = noisy
    known = doubts(folder)
    cases = {
        "not the file that": [{**known[0], "sha256": "0" * 64}],
        "names none of": [{**known[0], "source": "other"}],
        "cannot be read": {"a": 1},
    }
    for said, content in cases.items():
        (tmp_path / "odd.json").write_text(json.dumps(content))
        with pytest.raises(RecipeError, match=said):
            prepare(recipe_with(folder, tmp_path / "odd.json"), tmp_path)
    with pytest.raises(RecipeError, match="cannot be read"):
        prepare(recipe_with(folder, tmp_path / "none.json"), tmp_path)


def test_one_class_alone_cannot_be_judged(noisy, encoder_base, tmp_path):
    folder, _ = noisy
    command = ["data", "noise", str(folder / "noisy.yaml"), "--base", str(encoder_base), "--quiet"]
    command += ["data.train.0.labels={true: 0, false: null}"]
    result = CliRunner().invoke(cli, [*command, "--output", str(tmp_path / "no.json")])
    assert isinstance(result.exception, DataError)
    assert "only one" in str(result.exception)


def test_rows_of_a_prompt_or_a_record_share_a_fold(noisy, tmp_path):
    folder, _ = noisy
    rows = prepare(recipe_with(folder, folder / "doubts.json"), tmp_path).train_sources[0].rows
    fold = _folds([*rows, *rows], ["a"] * len(rows) + ["b"] * len(rows), 4, 0)
    assert (fold[: len(rows)] == fold[len(rows) :]).all()  # of the same prompts
    fold = _folds([rows[0], rows[1]] * 50, [str(i // 2) for i in range(100)], 4, 0)
    assert len(set(fold)) <= 2
    assert set(np.unique(_folds(rows, ["a"] * len(rows), 4, 0))) == {0, 1, 2, 3}
