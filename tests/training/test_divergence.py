"""Losses that are no numbers: where a run stops, and how it goes on."""

from __future__ import annotations

import json
import math
import resource

import pytest
import torch
from test_cost import fit, weights

from harmgauge.errors import RecipeError
from harmgauge.training import cost
from harmgauge.training.checkpoints import TrainingError
from harmgauge.training.cost import train
from harmgauge.training.pipeline import MAY_DIFFER, prepare
from harmgauge.training.run_folder import check_run_folder
from no_room import no_room

OPTIM = {"learning_rate": 3e-3, "batch_tokens": 256, "epochs": 2}


def learning_rates(run):
    records = map(json.loads, (run / "log.jsonl").read_text().splitlines())
    return [record["learning_rate"] for record in records if "step" in record]


def stop_at(step, monkeypatch):
    """The loss of that step, and of no other, is no number."""
    real, calls = cost.cost_terms, []

    def terms(*args, **options):
        calls.append(1)
        found = real(*args, **options)
        return (
            type(found)(found.rank, found.sign * math.nan, found.l2, found.distil)
            if (len(calls) == step)
            else found
        )

    monkeypatch.setattr(cost, "cost_terms", terms)


def test_a_gradient_that_is_not_finite_is_never_learnt(tmp_path, make_recipe, encoder_base):
    recipe = make_recipe(encoder_base, optim=OPTIM)
    job = prepare(recipe, tmp_path)
    job.model.head.weight.register_hook(lambda gradient: gradient * math.inf)
    before = weights(job.model)
    with pytest.raises(TrainingError, match=r"gradient is not finite at step 1, rows .*--resume"):
        train(job.model, job.train, job.valid, recipe, tmp_path, quiet=True)
    after = weights(job.model)
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.slow
def test_a_run_goes_on_from_its_checkpoint_at_a_lower_rate(
    tmp_path, make_recipe, encoder_base, monkeypatch
):
    recipe = make_recipe(encoder_base, optim=OPTIM)
    job = prepare(recipe, tmp_path)
    with monkeypatch.context() as patch:
        stop_at(10, patch)
        with pytest.raises(TrainingError, match="loss is not finite at step 10"):
            train(job.model, job.train, job.valid, recipe, tmp_path, quiet=True)
    before = learning_rates(tmp_path)
    assert len(before) == 9
    lower = make_recipe(encoder_base, optim={**OPTIM, "learning_rate": 3e-4})
    fit(lower, tmp_path, resume=True)
    after = learning_rates(tmp_path)
    assert after[:7] == before[:7]  # the checkpoint is of step 7
    assert after[7:9] == pytest.approx([rate / 10 for rate in before[7:9]])
    assert len(after) == len(job.schedule.steps)


@pytest.mark.slow
def test_the_best_weights_are_never_those_of_steps_that_were_left(
    tmp_path, make_recipe, encoder_base, monkeypatch
):
    watch = {"every": 5, "checkpoint_every": 7}
    recipe = make_recipe(encoder_base, optim={**OPTIM, "max_steps": 15}, evaluate=watch)
    best = tmp_path / "best.safetensors"
    found = []

    def measured(*scores):
        """Validation says this: before training starts, and at each evaluation."""
        told = iter(scores)

        def metrics(*_):
            found.append(best.read_bytes() if best.exists() else b"")
            return {"auroc_mean": next(told)}

        monkeypatch.setattr(cost, "validation_metrics", metrics)

    job = prepare(recipe, tmp_path)
    measured(0.5, 0.5, 0.7, 0.9)
    with monkeypatch.context() as patch:
        stop_at(12, patch)
        with pytest.raises(TrainingError, match="not finite at step 12"):
            train(job.model, job.train, job.watched, recipe, tmp_path, quiet=True)
    of_step_5, of_step_10 = found[3], best.read_bytes()
    assert of_step_5 != of_step_10
    lower = {**OPTIM, "max_steps": 15, "learning_rate": 3e-4}
    recipe = make_recipe(encoder_base, optim=lower, evaluate=watch)
    measured(0.5, 0.5, 0.6, 0.6)  # the first is of the rows themselves, by `prepare`
    job = prepare(recipe, tmp_path)
    progress = train(job.model, job.train, job.watched, recipe, tmp_path, resume=True, quiet=True)
    assert progress.best_step == 5
    assert best.read_bytes() == of_step_5


def test_rates_and_nothing_else_of_the_training_may_differ(tmp_path, make_recipe, encoder_base):
    recipe = make_recipe(encoder_base, optim=OPTIM)
    (tmp_path / "recipe.json").write_text(recipe.model_dump_json(by_alias=True))
    lower = {"learning_rate": 1e-4, "head_learning_rate": 1e-3, "clip": 0.1}
    for optim in (OPTIM, {**OPTIM, **lower}):
        changed = make_recipe(encoder_base, optim=optim)
        check_run_folder(tmp_path, changed, True, may_differ=MAY_DIFFER)
    for optim in ({"epochs": 3}, {"learning_rate": 1e-4, "accumulate": 2}):
        changed = make_recipe(encoder_base, optim={**OPTIM, **optim})
        with pytest.raises(RecipeError, match=r"other settings \(optim\)"):
            check_run_folder(tmp_path, changed, True, may_differ=MAY_DIFFER)


def test_a_validation_row_without_a_finite_cost_is_named(
    tmp_path, make_recipe, encoder_base, monkeypatch
):
    recipe = make_recipe(encoder_base, optim=OPTIM, evaluate={"every": 4, "checkpoint_every": 2})
    job = prepare(recipe, tmp_path)
    real = cost.score_examples
    calls = []

    def broken(*arguments, **options):
        calls.append(1)
        found = real(*arguments, **options)
        if len(calls) == 2:
            found[3] = found[3] * math.inf
        return found

    monkeypatch.setattr(cost, "score_examples", broken)
    row = job.valid[3]
    said = f"validation row {row.id} of {row.source} is not finite after step 4; .*--resume"
    with pytest.raises(TrainingError, match=said):
        train(job.model, job.train, job.valid, recipe, tmp_path, quiet=True)
    assert json.loads((tmp_path / "checkpoint" / "progress.json").read_text())["step"] == 2


@pytest.mark.slow
def test_a_full_disk_leaves_the_last_checkpoint_and_the_run_goes_on(
    tmp_path, make_recipe, encoder_base, monkeypatch
):
    recipe = make_recipe(encoder_base, optim={**OPTIM, "max_steps": 15})
    whole, _ = fit(recipe, tmp_path / "whole")
    real = cost.save_checkpoint

    def second_without_room(accelerator, progress, run):
        with no_room(30_000 if progress.step > 7 else resource.RLIM_INFINITY):
            real(accelerator, progress, run)

    with monkeypatch.context() as patch:
        patch.setattr(cost, "save_checkpoint", second_without_room)
        with pytest.raises(TrainingError, match=r"step 14 cannot be written .* is the disk full"):
            fit(recipe, tmp_path / "full")
    assert not (tmp_path / "full" / "checkpoint.new").exists()
    progress = json.loads((tmp_path / "full" / "checkpoint" / "progress.json").read_text())
    assert progress["step"] == 7
    resumed, _ = fit(recipe, tmp_path / "full", resume=True)
    expected, found = weights(whole.model), weights(resumed.model)
    assert all(torch.equal(expected[name], found[name]) for name in expected)
