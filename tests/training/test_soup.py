"""Averages of weights: within a run, and of several runs."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import harmgauge
from harmgauge.errors import RecipeError
from harmgauge.training.checkpoints import trainable_state
from harmgauge.training.cost import train
from harmgauge.training.model import CostModel
from harmgauge.training.monitor import score_examples, validation_metrics
from harmgauge.training.pipeline import prepare, run

pytestmark = pytest.mark.slow  # its runs are many

QUICK = {
    "calibrate": False,
    "runtime": "torch",
    "optim": {"learning_rate": 3e-3, "batch_tokens": 256, "max_steps": 8},
}
LORA = {"max_tokens": 32, "lora": {"rank": 2, "alpha": 4}}


@pytest.fixture(scope="module")
def runs(tmp_path_factory, make_recipe, decoder_base):
    folder = tmp_path_factory.mktemp("runs")
    for seed in (0, 1, 2):
        recipe = make_recipe(decoder_base, seed=seed, model=LORA, **QUICK)
        run(recipe, folder, folder / str(seed), quiet=True)
    return [folder / str(seed) for seed in (0, 1, 2)]


def test_a_soup_is_the_mean_of_the_runs_that_help(tmp_path, runs, make_recipe, decoder_base):
    recipe = make_recipe(decoder_base, seed=7, model=LORA, **QUICK)
    bundle = run(recipe, tmp_path, tmp_path / "soup", soup=runs, quiet=True)
    told = json.loads((tmp_path / "soup" / "soup.json").read_text())
    assert [each["auroc_mean"] for each in told] == sorted(
        (each["auroc_mean"] for each in told), reverse=True
    )
    assert told[0]["taken"]
    best = told[0]["soup"]
    for each in told[1:]:
        assert each["taken"] == (each["soup"] >= best)
        best = max(best, each["soup"])
    taken = [each["run"] for each in told if each["taken"]]
    states = [load_file(f"{folder}/model/model.safetensors") for folder in taken]
    for name, value in load_file(bundle / "model.safetensors").items():
        torch.testing.assert_close(value, sum(state[name] for state in states) / len(states))
    job = prepare(recipe, tmp_path)
    model, _ = CostModel.load(tmp_path / "soup" / "model")
    metrics = validation_metrics(job.watched, score_examples(model, job.watched))
    assert metrics["auroc_mean"] == pytest.approx(best, abs=1e-6)
    assert np.isfinite(harmgauge.load(bundle).score(["hello"])).all()


def test_a_soup_of_what_does_not_mix_is_refused(tmp_path, runs, make_recipe, decoder_base):
    def refused(soup, **changes):
        recipe = make_recipe(decoder_base, **{"model": LORA, **QUICK, **changes})
        with pytest.raises(RecipeError) as caught:
            run(recipe, tmp_path, tmp_path / "soup", soup=soup, quiet=True)
        (tmp_path / "soup" / "recipe.json").unlink()
        (tmp_path / "soup" / "data.txt").unlink()
        return str(caught.value)

    assert "another model than" in refused(runs, model={"max_tokens": 16})
    assert "another licence than" in refused(runs, licence="CC-BY-NC-4.0")
    assert "named twice" in refused([runs[0], runs[0]])
    assert "no finished run" in refused([tmp_path])


@pytest.fixture(scope="module")
def averaged(tmp_path_factory, make_recipe, encoder_base):
    optim = {"learning_rate": 3e-3, "batch_tokens": 256, "epochs": 1, "ema": 0.8}
    recipe = make_recipe(encoder_base, optim=optim)
    whole = tmp_path_factory.mktemp("whole")
    job = prepare(recipe, whole)
    progress = train(job.model, job.train, job.valid, recipe, whole, quiet=True)
    return recipe, job, progress, whole


def test_the_better_of_last_and_average_is_kept(averaged):
    _, job, progress, folder = averaged
    lines = [json.loads(line) for line in (folder / "log.jsonl").open()]
    checks = [line for line in lines if "evaluated_at" in line]
    assert [(check["evaluated_at"], check["weights"]) for check in checks[:3]] == [
        (0, "last"),
        (10, "last"),
        (10, "average"),
    ]
    best = max(checks, key=lambda check: check["auroc_mean"])
    assert progress.best_score == best["auroc_mean"]
    assert (progress.best_step, progress.best_weights) == (best["evaluated_at"], best["weights"])
    metrics = validation_metrics(job.valid, score_examples(job.model, job.valid))
    assert metrics["auroc_mean"] == pytest.approx(best["auroc_mean"], abs=1e-6)
    first = {check["weights"]: check["auroc"] for check in checks[1:3]}
    assert first["last"] != first["average"]


def test_a_resumed_run_has_the_same_average(tmp_path, averaged, monkeypatch):
    import harmgauge.training.cost as module

    recipe, whole, _, folder = averaged
    real, calls = module._step, []

    def dying(*args):
        calls.append(1)
        if len(calls) == 11:
            raise KeyboardInterrupt
        return real(*args)

    job = prepare(recipe, tmp_path)
    broken = tmp_path / "broken"
    broken.mkdir()
    monkeypatch.setattr(module, "_step", dying)
    with pytest.raises(KeyboardInterrupt):
        train(job.model, job.train, job.valid, recipe, broken, quiet=True)
    job = prepare(recipe, tmp_path)
    train(job.model, job.train, job.valid, recipe, broken, quiet=True, resume=True)
    expected, found = trainable_state(whole.model), trainable_state(job.model)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=0, msg=name)
    last = [(run / "log.jsonl").read_text().splitlines()[-1] for run in (folder, broken)]
    assert json.loads(last[0]) == json.loads(last[1])
