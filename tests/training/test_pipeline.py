"""`harmgauge train` from a recipe file to a bundle that others load."""

from __future__ import annotations

import json
import math
import runpy
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from tiny_task import texts, write_rows

import harmgauge
from harmgauge.bundle import read_bundle
from harmgauge.cli.main import cli
from harmgauge.errors import RecipeError
from harmgauge.training import kinds
from harmgauge.training.model import CostModel
from harmgauge.training.pipeline import prepare
from harmgauge.windows import Windower
from tiny import MAX_TOKENS

CHATS = [harmgauge.Exchange(prompt="hello", response=text) for text, _ in texts(5, 20)]


def write_recipe(folder: Path, recipe) -> Path:
    values = recipe.model_dump(mode="json", by_alias=True, exclude_unset=True)
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def train(*arguments):
    return CliRunner().invoke(cli, ["train", *map(str, arguments)])


def trained_well(*arguments):
    result = train(*arguments, "--quiet")
    assert result.exit_code == 0, (result.exception, result.output)
    return result


# Without an export, which takes longest.
QUICK = ("optim.max_steps=1", "runtime=torch")


@pytest.fixture(scope="module")
def finished(tmp_path_factory, make_recipe, encoder_base) -> Path:
    """A folder with a recipe and the run that was made from it."""
    folder = tmp_path_factory.mktemp("finished")
    recipe = write_recipe(folder, make_recipe(encoder_base))
    result = trained_well(recipe, "--out", folder / "run", "optim.epochs=3")
    assert result.output == f"bundle written: {folder / 'run' / 'bundle'}\n"
    return folder


def test_balance_of_a_validation_source_reaches_the_calibration(
    tmp_path, make_recipe, encoder_base, data_folder
):
    made = texts(7, 400)
    unsafe = [(text, bad) for text, bad in made if bad][:20]
    rows = unsafe + [(text, bad) for text, bad in made if not bad][:80]
    write_rows(
        tmp_path / "rare" / "valid.jsonl",
        [
            {"prompt": f"say {i}", "response": text, "is_safe": not bad}
            for i, (text, bad) in enumerate(rows)
        ],
    )
    valid = {"path": str(tmp_path / "rare" / "valid.jsonl"), "licence": "CC0-1.0", "balance": True}
    recipe = write_recipe(tmp_path, make_recipe(encoder_base))
    override = f"data.valid=[{json.dumps(valid)}]"
    trained_well(recipe, "--out", tmp_path / "run", *QUICK, override)
    assert read_bundle(tmp_path / "run" / "bundle").calibration.prior == pytest.approx(0.5, abs=0.1)


@pytest.mark.slow
def test_runs_of_several_seeds_see_the_same_rows(tmp_path, make_recipe, encoder_base):
    def drawn(**changes):
        recipe = make_recipe(encoder_base)
        data = {**recipe.data.model_dump(by_alias=True), "seed": changes.pop("data_seed", 0)}
        data["train"][0] |= {"cap": 50, "refusal_first": 0.5}
        evaluate = {"cap": 40}
        job = prepare(make_recipe(encoder_base, data=data, evaluate=evaluate, **changes), tmp_path)
        return (
            [(each.id, each.ids) for each in job.train],
            [each.id for each in job.watched],
            job.schedule.steps,
        )

    first, other, redrawn = drawn(), drawn(seed=1), drawn(data_seed=1)
    assert first[:2] == other[:2]
    assert first[2] != other[2]
    assert first[0] != redrawn[0]
    assert first[1] != redrawn[1]


def test_kinds_and_thresholds_of_the_recipe_reach_the_bundle(
    tmp_path, make_recipe, encoder_base, monkeypatch
):
    monkeypatch.setattr(kinds, "ENOUGH", 5)
    asked = [{"prompt": text, "is_safe": not bad} for text, bad in texts(8, 80)]
    write_rows(tmp_path / "asked" / "valid.jsonl", asked)
    safe = [{"prompt": text} for text, bad in texts(9, 400) if not bad]
    write_rows(tmp_path / "safe" / "rows.jsonl", [*safe, *({"prompt": asked[1]["prompt"]},)])
    given = {"licence": "CC0-1.0"}
    recipe = write_recipe(tmp_path, make_recipe(encoder_base))
    extra = [
        f"data.valid.2={json.dumps({'path': str(tmp_path / 'asked' / 'valid.jsonl'), **given})}",
        "data.thresholds="
        + json.dumps([{"path": str(tmp_path / "safe" / "rows.jsonl"), "label": 0, **given}]),
    ]
    trained_well(recipe, "--out", tmp_path / "run", *QUICK, *extra)
    told = (tmp_path / "run" / "data.txt").read_text()
    assert "kind prompt: " in told
    assert "too few for prompts_fpr1, which takes 299" in told
    assert "thresholds of responses: 0 safe texts" in told
    manifest = read_bundle(tmp_path / "run" / "bundle")
    scales, metrics = manifest.calibration_by_kind, manifest.metrics
    assert scales.keys() == {"prompt", "exchange"}
    assert sum(scale.n for scale in scales.values()) == manifest.calibration.n
    by_kind = {each["kind"]: each for each in metrics if "kind" in each}
    assert by_kind.keys() == {"prompt", "exchange"}
    assert sum(each["n"] for each in by_kind.values()) == metrics[0]["n"]
    assert by_kind["prompt"]["n"] + scales["prompt"].n == len({row["prompt"] for row in asked})
    (five,) = manifest.thresholds
    assert five.name == "prompts_fpr5"
    assert five.n == len({row["prompt"] for row in safe})  # but for what is in validation, too
    assert five.data == "safe"
    assert {each["threshold"] for each in metrics if "takes" in each} == {
        *("prompts_fpr1", "responses_fpr1", "responses_fpr5"),
    }
    (recall,) = [each for each in metrics if "recall" in each]
    assert recall["n"] == len({row["prompt"] for row in asked if not row["is_safe"]})
    gauge = harmgauge.load(tmp_path / "run" / "bundle")
    reach = [v.unsafe for v in gauge.verdicts([row["prompt"] for row in safe], "prompts_fpr5")]
    assert np.mean(reach) < 0.05
    unlabelled = train(recipe, "--plan", f'{extra[1][:-2]}, "unlabelled": true}}]')
    assert "state label: 0" in str(unlabelled.exception)


def test_the_run_folder_tells_what_happened(finished):
    run = finished / "run"
    assert (run / "loss.png").read_bytes().startswith(b"\x89PNG")
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    steps = [line["step"] for line in lines if "step" in line]
    assert steps == list(range(1, len(steps) + 1))
    assert {"loss", "rank", "sign", "learning_rate", "gradient_norm"} <= lines[-2].keys()
    assert [line["evaluated_at"] for line in lines if "evaluated_at" in line][:2] == [0, 10]
    assert json.loads((run / "recipe.json").read_text())["optim"]["epochs"] == 3
    assert "singles" in (run / "data.txt").read_text()
    assert not list(run.glob(".*"))  # no scratch is left


def test_the_bundle_is_calibrated_on_one_half_and_measured_on_the_other(finished):
    manifest = read_bundle(finished / "run" / "bundle")
    calibration, (first, *others) = manifest.calibration, manifest.metrics
    assert calibration.n > 0
    assert 0.3 < calibration.prior < 0.7
    assert first["data"] == "validation, prompts not used for the calibration"
    assert calibration.n + first["n"] == 60  # labelled texts in all; pairs have no label
    assert 0 <= first["ece"] <= 1
    figures = {entry["data"]: entry for entry in others}
    assert figures["singles validation"]["auroc"] > 0.95
    assert figures["singles validation"]["n"] == 60
    assert figures["pairs validation, pairs"]["n"] == 30
    assert figures["pairs validation, pairs"]["ranking_accuracy"] > 0.9
    export = figures["export, validation"]
    assert export["storage"] == "int8"
    assert export["graph_difference"] < 1e-4
    assert export["auroc_before"] - export["auroc_after"] <= 0.005
    assert manifest.data == (
        {"source": "singles", "licence": "CC0-1.0", "rows": 200},
        {"source": "pairs", "licence": "CC0-1.0", "rows": 100},
    )


def test_the_bundle_carries_curves_of_the_other_half(finished):
    manifest = read_bundle(finished / "run" / "bundle")
    gauge = harmgauge.load(finished / "run" / "bundle")
    assert manifest.curves
    assert gauge.curves() == manifest.curves
    counts = {each["kind"]: each["n"] for each in manifest.metrics if "kind" in each}
    everything = {next(iter(manifest.curves)): manifest.metrics[0]["n"]}
    for kind, curve in manifest.curves.items():
        assert "not used for the calibration" in curve.data
        assert curve.safe + curve.unsafe == (counts or everything)[kind]


def test_a_bundle_without_curves_gets_the_same_ones(finished, tmp_path, monkeypatch):
    bundle = shutil.copytree(finished / "run" / "bundle", tmp_path / "bundle")
    whole = (bundle / "gauge.json").read_text()
    bare = replace(read_bundle(bundle), curves={})
    (bundle / "gauge.json").write_text(bare.to_json())
    monkeypatch.setattr(sys, "argv", ["", str(finished / "tiny.yaml"), str(bundle)])
    runpy.run_path("scripts/add_curves.py", run_name="__main__")
    assert (bundle / "gauge.json").read_text() == whole
    assert read_bundle(bundle).id == bare.id


def test_the_bundle_carries_its_card(finished):
    folder = finished / "run" / "bundle"
    assert "README.md" in read_bundle(folder).files
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert card.startswith("# tiny\n")
    assert "**Licence of the weights: CC0-1.0.**" in card
    assert "validation, prompts not used for the calibration" in card


def test_a_new_process_gives_the_same_costs(finished):
    bundle = finished / "run" / "bundle"
    chats = [{"prompt": chat.prompt, "response": chat.response} for chat in CHATS]
    script = (
        "import harmgauge, json, sys\n"
        "gauge = harmgauge.load(sys.argv[1])\n"
        "print(json.dumps(gauge.score(json.loads(sys.argv[2])).tolist()))\n"
    )
    command = [sys.executable, "-c", script, str(bundle), json.dumps(chats)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    costs = harmgauge.load(bundle).score(CHATS)
    assert np.ptp(costs) > 1
    np.testing.assert_allclose(json.loads(result.stdout), costs, atol=1e-5)


@pytest.mark.slow
def test_storage_may_change_on_resuming_and_fp32_agrees_with_torch(finished, tmp_path):
    run = Path(shutil.copytree(finished / "run", tmp_path / "run"))
    shutil.rmtree(run / "bundle")
    trained_well(finished / "tiny.yaml", "--out", run, "--resume", "optim.epochs=3", "storage=fp32")
    gauge = harmgauge.load(run / "bundle")
    assert gauge.manifest.metrics[-1]["storage"] == "fp32"
    np.testing.assert_allclose(torch_scores(run, CHATS), gauge.raw_scores(CHATS)[:, 0], atol=1e-4)
    int8 = harmgauge.load(finished / "run" / "bundle").score(CHATS)
    np.testing.assert_allclose(gauge.score(CHATS), int8, atol=0.5)


def torch_scores(run: Path, chats) -> np.ndarray:
    """Raw costs by the model folder of a run, text by text."""
    import torch

    model, tokenizer = CostModel.load(run / "model")
    windower = Windower(tokenizer, model.spec.layout)
    scores = []
    for chat in chats:
        ids = torch.tensor(windower.windows(chat))
        with torch.no_grad():
            scores.append(model(ids, torch.ones_like(ids)).max().item())
    return np.array(scores)


def test_a_run_is_never_overwritten_or_resumed_as_another(finished):
    before = (finished / "run" / "log.jsonl").stat().st_mtime_ns
    again = train(finished / "tiny.yaml", "--out", finished / "run", "optim.epochs=3")
    assert isinstance(again.exception, RecipeError)
    assert "--resume" in str(again.exception)
    other = train(finished / "tiny.yaml", "--out", finished / "run", "--resume", "seed=1")
    assert isinstance(other.exception, RecipeError)
    assert "other settings (seed, optim)" in str(other.exception)
    assert (finished / "run" / "log.jsonl").stat().st_mtime_ns == before


def test_a_folder_of_something_else_is_left_alone(tmp_path, make_recipe, encoder_base):
    recipe = write_recipe(tmp_path, make_recipe(encoder_base))
    kept = tmp_path / "run" / "model" / "kept"
    kept.parent.mkdir(parents=True)
    kept.write_text("kept")
    result = train(recipe, "--out", tmp_path / "run")
    assert isinstance(result.exception, RecipeError)
    assert "holds no run" in str(result.exception)
    assert kept.exists()


def test_validation_data_that_is_the_training_data_is_named(tmp_path, make_recipe, encoder_base):
    recipe = write_recipe(tmp_path, make_recipe(encoder_base))
    swap = ["data.train.0.path=singles/valid.jsonl", "data.train.1.path=pairs/valid.jsonl"]
    result = train(recipe, "--plan", *swap)
    assert isinstance(result.exception, RecipeError)
    assert "prompts of all 90 stand in validation data" in str(result.exception)


def test_a_loss_that_weighs_nothing_of_the_data_is_refused(tmp_path, make_recipe, encoder_base):
    recipe = write_recipe(tmp_path, make_recipe(encoder_base))
    result = train(recipe, "--plan", "data.train.0.path=pairs/train.jsonl", "loss.rank=0")
    assert isinstance(result.exception, RecipeError)
    assert "nothing can be learnt" in str(result.exception)


def test_columns_that_are_not_used_are_named(tmp_path, make_recipe, encoder_base):
    rows = [
        {"prompt": f"p {i}", "response": text, "is_safe": not unsafe, "mood": "glad"}
        for i, (text, unsafe) in enumerate(texts(9, 20))
    ]
    write_rows(tmp_path / "odd" / "train.jsonl", rows)
    recipe = write_recipe(tmp_path, make_recipe(encoder_base))
    result = train(recipe, "--plan", f"data.train.0.path={tmp_path / 'odd' / 'train.jsonl'}")
    assert "odd: columns not used: mood" in result.output


def test_a_plan_tells_the_size_of_a_run_and_writes_nothing(tmp_path, make_recipe, encoder_base):
    recipe = write_recipe(tmp_path, make_recipe(encoder_base))
    result = train(recipe, "--plan", "--out", tmp_path / "run")
    assert result.exit_code == 0, result.exception
    for word in ("singles", "pairs", "300 examples", " steps", " tokens", "% padding"):
        assert word in result.output
    for word in ("parameters trained", " min at ", "GB of memory"):
        assert word in result.output
    assert list(tmp_path.iterdir()) == [recipe]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([("bread", True)] * 30, "no validation source holds at least 10 safe and 10 unsafe"),
        # One prompt, so that all rows fall into one half; of "weather" it is the held-out one.
        ([("bread", True)] * 15 + [("snow", False)] * 15, "half of the validation prompts"),
    ],
)
def test_validation_data_that_cannot_serve_is_refused_before_training(
    rows, said, tmp_path, make_recipe, encoder_base, data_folder
):
    answers = [
        {"prompt": "weather", "response": f"{text} {i}", "is_safe": safe}
        for i, (text, safe) in enumerate(rows)
    ]
    write_rows(tmp_path / "odd" / "valid.jsonl", answers)
    data = {
        "root": str(data_folder),
        "train": [{"path": "singles/train.jsonl", "licence": "CC0-1.0"}],
        "valid": [{"path": str(tmp_path / "odd" / "valid.jsonl"), "licence": "CC0-1.0"}],
    }
    recipe = write_recipe(tmp_path, make_recipe(encoder_base, data=data))
    result = train(recipe, "--out", tmp_path / "run")
    assert isinstance(result.exception, RecipeError)
    assert said in str(result.exception)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_decoder_with_adapters_becomes_a_torch_bundle(tmp_path, make_recipe, decoder_base):
    lora = {"max_tokens": MAX_TOKENS, "lora": {"rank": 4, "alpha": 8}}
    recipe = write_recipe(tmp_path, make_recipe(decoder_base, model=lora, runtime="torch"))
    trained_well(recipe, "--out", tmp_path / "run")
    gauge = harmgauge.load(tmp_path / "run" / "bundle")
    assert gauge.manifest.runtime == "torch"
    assert gauge.manifest.pooling == "last"
    assert not any("adapter" in name for name in gauge.manifest.files)
    assert not any("storage" in entry for entry in gauge.manifest.metrics)
    np.testing.assert_allclose(
        torch_scores(tmp_path / "run", CHATS), gauge.raw_scores(CHATS)[:, 0], atol=1e-5
    )
    assert not any(math.isnan(cost) for cost in gauge.score(CHATS))


def test_only_watched_sources_choose_the_checkpoint(tmp_path, make_recipe, encoder_base):
    recipe = make_recipe(encoder_base, evaluate={"watch": ["singles"]})
    job = prepare(recipe, tmp_path)
    assert {example.source for example in job.watched} == {"singles"}
    assert {example.source for example in job.valid} == {"singles", "pairs"}
    with pytest.raises(RecipeError, match=r"names songs, .* its sources are pairs, singles"):
        prepare(make_recipe(encoder_base, evaluate={"watch": ["songs"]}), tmp_path)


def test_without_calibration_raw_scores_are_costs(tmp_path, make_recipe, encoder_base):
    recipe = write_recipe(tmp_path, make_recipe(encoder_base))
    trained_well(recipe, "--out", tmp_path / "run", *QUICK, "calibrate=false")
    gauge = harmgauge.load(tmp_path / "run" / "bundle")
    assert np.allclose(gauge.score(CHATS), gauge.raw_scores(CHATS)[:, 0])
    assert gauge.manifest.calibration.data == "none"
    assert gauge.manifest.metrics[0]["sign_accuracy"] is not None
