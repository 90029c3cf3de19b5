"""Training on the tiny task: it learns, resumes exactly, and survives a reload."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import chain, cycle

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from harmgauge.errors import HarmgaugeError, RecipeError
from harmgauge.training.checkpoints import Progress
from harmgauge.training.cost import train
from harmgauge.training.freezing import merged_backbone
from harmgauge.training.model import CostModel
from harmgauge.training.monitor import collate, score_examples, validation_metrics
from harmgauge.training.pipeline import prepare
from harmgauge.training.schedule import make_schedule

LORA = {"max_tokens": 32, "lora": {"rank": 2, "alpha": 4}}


def fit(recipe, run, **options):
    job = prepare(recipe, run)
    run.mkdir(exist_ok=True)
    progress = train(job.model, job.train, job.valid, recipe, run, quiet=True, **options)
    return job, progress


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["encoder", "decoder", "lora"])
def test_a_trained_model_scores_the_same_once_saved_and_loaded(
    kind, tmp_path, make_recipe, encoder_base, decoder_base
):
    base = encoder_base if kind == "encoder" else decoder_base
    changes = {"model": LORA} if kind == "lora" else {}
    optim = {"learning_rate": 3e-3, "batch_tokens": 256, "max_steps": 12}
    job, _ = fit(make_recipe(base, optim=optim, **changes), tmp_path / "run")
    before = np.concatenate(score_examples(job.model, job.valid))
    job.model.backbone = merged_backbone(job.model.backbone)
    job.model.save(tmp_path / "model", job.tokenizer)
    model, _ = CostModel.load(tmp_path / "model")

    # Alone, and once padded on the left: position and pooling must follow the mask.
    plain, left = [], []
    for ids in (ids for example in job.valid for ids in example.ids):
        x = torch.tensor([ids])
        pad = torch.full((1, 32 - len(ids)), 3)  # the id of eos
        with torch.no_grad():
            plain.append(model(x, torch.ones_like(x)).item())
            padded, mask = torch.cat([pad, x], 1), torch.cat([0 * pad, torch.ones_like(x)], 1)
            left.append(model(padded, mask).item())
    assert np.ptp(before) > 0.1
    np.testing.assert_allclose(plain, before, atol=1e-5)
    np.testing.assert_allclose(left, before, atol=1e-5)


def test_it_learns_the_task_from_singles_and_unlabelled_pairs(tmp_path, make_recipe, encoder_base):
    recipe = make_recipe(
        encoder_base, optim={"learning_rate": 3e-3, "batch_tokens": 256, "epochs": 4}
    )
    job, progress = fit(recipe, tmp_path / "run")
    metrics = validation_metrics(job.valid, score_examples(job.model, job.valid))
    assert metrics["auroc"]["singles"] > 0.95
    assert metrics["ranking"]["pairs"] > 0.9
    assert "pairs" not in metrics["auroc"]
    assert progress.best_score == pytest.approx(metrics["auroc_mean"], abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "optim"),
    [
        ({"max_tokens": 32}, {}),
        pytest.param(LORA, {}, marks=pytest.mark.slow),
        pytest.param(
            {"max_tokens": 32},
            {"accumulate": 3, "schedule": "cosine", "batch_tokens": 96},
            marks=pytest.mark.slow,
        ),
    ],
    ids=["full", "lora", "accumulate"],
)
def test_a_resumed_run_ends_in_the_same_weights(tmp_path, make_recipe, encoder_base, model, optim):
    optim = {"learning_rate": 3e-3, "batch_tokens": 256, "epochs": 1, **optim}
    recipe = make_recipe(encoder_base, model={**model, "dropout": 0.1}, optim=optim)
    whole, _ = fit(recipe, tmp_path / "whole")

    job = prepare(recipe, tmp_path)
    run = tmp_path / "broken"
    run.mkdir()
    steps = len(job.schedule.steps)
    assert steps > 14
    with pytest.MonkeyPatch.context() as patch:
        # Pull the plug between two checkpoints.
        import harmgauge.training.cost as module

        real, calls = module._step, []

        def dying(*args, **kwargs):
            calls.append(1)
            if len(calls) == 11:
                raise KeyboardInterrupt
            return real(*args, **kwargs)

        patch.setattr(module, "_step", dying)
        with pytest.raises(KeyboardInterrupt):
            train(job.model, job.train, job.valid, recipe, run, quiet=True)
    # Pulled once more, in the middle of a swap and of a line of the log.
    (run / "checkpoint").rename(run / "checkpoint.old")
    with (run / "log.jsonl").open("a") as file:
        file.write('{"step": 11, "lo')
    resumed, _ = fit(recipe, run, resume=True)
    trained = {name for name, p in resumed.model.named_parameters() if p.requires_grad}
    assert load_file(run / "checkpoint" / "model.safetensors").keys() == trained

    expected, found = weights(whole.model), weights(resumed.model)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=0, msg=name)

    def log(folder):
        lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
        return [{k: v for k, v in line.items() if k != "seconds"} for line in lines]

    assert log(run) == log(tmp_path / "whole")


def test_packing_changes_no_step(tmp_path, make_recipe, llama_base, monkeypatch):
    optim = {"learning_rate": 1e-3, "batch_tokens": 256, "max_steps": 5}
    recipe = make_recipe(llama_base, optim=optim)
    packed, _ = fit(recipe, tmp_path / "packed")
    assert packed.model.packing == "shared"
    assert packed.schedule.padding == 0
    assert packed.schedule.shared > 0.01

    monkeypatch.setattr("harmgauge.training.pipeline.choose_packing", lambda model: model.packing)
    padded, _ = fit(recipe, tmp_path / "padded")
    assert padded.model.packing == "padded"
    assert padded.schedule.padding > 0.01
    assert padded.schedule.steps == packed.schedule.steps

    def log(job):
        lines = (tmp_path / job / "log.jsonl").read_text().splitlines()
        return [line["loss"] for line in map(json.loads, lines) if "loss" in line]

    assert log("packed") == pytest.approx(log("padded"), abs=1e-5)
    for name, value in weights(padded.model).items():
        torch.testing.assert_close(weights(packed.model)[name], value, atol=1e-4, rtol=0, msg=name)


def test_every_adapter_and_the_head_get_gradients(tmp_path, make_recipe, decoder_base):
    recipe = make_recipe(decoder_base, model=LORA)
    job = prepare(recipe, tmp_path)
    ids, mask = collate([ids for example in job.train[:8] for ids in example.ids])
    job.model(ids, mask).sum().backward()
    trained = {n: p.grad for n, p in job.model.named_parameters() if p.requires_grad}
    assert {"head.weight", "head.bias"} <= trained.keys()
    assert any("lora_B" in name for name in trained)
    assert all(
        grad is not None and grad.abs().sum() > 0
        for name, grad in trained.items()
        if "lora_A" not in name  # zero at the first step, since B starts at zero
    )


@pytest.mark.slow
def test_frozen_layers_keep_their_weights(tmp_path, make_recipe, encoder_base):
    recipe = make_recipe(
        encoder_base,
        model={"max_tokens": 32, "freeze_embeddings": True, "freeze_layers": 1},
    )
    before = weights(prepare(recipe, tmp_path).model)
    job, _ = fit(recipe, tmp_path / "run")
    after = weights(job.model)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert not any("embeddings" in name or "layer.0." in name for name in changed)
    assert any("layer.1." in name for name in changed)
    assert "head.weight" in changed


def test_the_log_tells_the_gradient_before_it_is_clipped(tmp_path, make_recipe, encoder_base):
    optim = {"learning_rate": 1e-3, "batch_tokens": 256, "max_steps": 1, "clip": 1e-4}
    fit(make_recipe(encoder_base, optim=optim), tmp_path)
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    (norm,) = (r["gradient_norm"] for r in map(json.loads, lines) if "gradient_norm" in r)
    assert norm > 1e-2


def test_a_loss_that_is_not_finite_stops_and_names_the_rows(tmp_path, make_recipe, encoder_base):
    recipe = make_recipe(encoder_base)
    job = prepare(recipe, tmp_path)
    job.train[0] = replace(job.train[0], weight=math.inf)
    with pytest.raises(HarmgaugeError, match=r"not finite at step .* lower optim.learning_rate"):
        train(job.model, job.train, job.valid, recipe, tmp_path, quiet=True)


def test_costs_that_are_not_finite_stop_before_a_checkpoint_is_chosen(
    tmp_path, make_recipe, encoder_base
):
    recipe = make_recipe(encoder_base)
    job = prepare(recipe, tmp_path)
    with torch.no_grad():
        job.model.head.bias.fill_(math.nan)
    with pytest.raises(HarmgaugeError, match="not finite after step 0"):
        train(job.model, job.train, job.valid, recipe, tmp_path, quiet=True)
    assert not (tmp_path / "best.safetensors").exists()


@pytest.mark.parametrize(
    ("model", "change"),
    [({}, {"unsafe": (0.5,)}), ({"members": 2}, {"id": "another"})],
    ids=["labels", "ids that members draw by"],
)
def test_a_run_is_not_resumed_on_other_rows(tmp_path, make_recipe, encoder_base, model, change):
    recipe = make_recipe(
        encoder_base,
        model={"max_tokens": 32, **model},
        optim={"batch_tokens": 256, "max_steps": 7},
    )
    job, _ = fit(recipe, tmp_path)
    job.train[0] = replace(job.train[0], **change)
    with pytest.raises(RecipeError, match="training rows are not those"):
        train(job.model, job.train, job.valid, recipe, tmp_path, quiet=True, resume=True)


def test_a_checkpoint_that_cannot_be_written_leaves_the_last_one(
    tmp_path, make_recipe, encoder_base, monkeypatch
):
    from accelerate import Accelerator

    recipe = make_recipe(encoder_base)
    job = prepare(recipe, tmp_path)
    real = Accelerator.save_state

    def full_disk(self, folder, **options):
        if (tmp_path / "checkpoint").exists():
            raise RuntimeError("PytorchStreamWriter failed")
        return real(self, folder, **options)

    monkeypatch.setattr(Accelerator, "save_state", full_disk)
    with pytest.raises(HarmgaugeError, match=r"step 14 cannot be written .* is the disk full"):
        train(job.model, job.train, job.valid, recipe, tmp_path, quiet=True)
    progress = json.loads((tmp_path / "checkpoint" / "progress.json").read_text())
    assert progress["step"] == 7


def test_patience_stops_early(tmp_path, make_recipe, encoder_base):
    recipe = make_recipe(
        encoder_base,
        optim={"learning_rate": 1e-9, "batch_tokens": 256, "epochs": 20},
        evaluate={"every": 2, "patience": 2, "checkpoint_every": 100},
    )
    _, progress = fit(recipe, tmp_path / "run")
    assert progress.finished
    assert progress.step < 60


@pytest.mark.parametrize("choose", ["best", "last"])
def test_the_last_evaluation_is_kept_where_it_is_chosen(
    tmp_path, make_recipe, encoder_base, monkeypatch, choose
):
    scores = iter([0.9, 0.8, 0.7, *[0.6] * 50])
    metrics = {"auroc": {}, "ranking": {}}
    monkeypatch.setattr(
        "harmgauge.training.cost.validation_metrics",
        lambda *_: {"auroc_mean": next(scores), **metrics},
    )
    recipe = make_recipe(
        encoder_base,
        optim={"batch_tokens": 256, "max_steps": 4},
        evaluate={"every": 2, "choose": choose},
    )
    initial = prepare(recipe, tmp_path / "run").model.state_dict()
    job, progress = fit(recipe, tmp_path / "run")
    assert progress.best_step == {"best": 0, "last": 4}[choose]
    kept = load_file(tmp_path / "run" / "best.safetensors")
    same = all(torch.equal(initial[name], value) for name, value in kept.items())
    assert same == (choose == "best")
    assert all(torch.equal(job.model.state_dict()[name], value) for name, value in kept.items())


def test_of_the_last_weights_and_their_average_the_better_are_kept(
    tmp_path, make_recipe, encoder_base, monkeypatch
):
    scores = chain([0.9] * 3, cycle([0.3, 0.6]))  # twice whether it can choose, and at step 0
    monkeypatch.setattr(
        "harmgauge.training.cost.validation_metrics",
        lambda *_: {"auroc_mean": next(scores), "auroc": {}, "ranking": {}},
    )
    recipe = make_recipe(
        encoder_base,
        optim={"batch_tokens": 256, "max_steps": 4, "ema": 0.5},
        evaluate={"every": 4, "choose": "last"},
    )
    _, progress = fit(recipe, tmp_path / "run")
    assert (progress.best_step, progress.best_weights) == (4, "average")


def test_patience_has_nothing_to_wait_for_where_the_last_is_chosen(make_recipe, encoder_base):
    with pytest.raises(ValueError, match="patience waits for a better evaluation"):
        make_recipe(encoder_base, evaluate={"choose": "last", "patience": 2})


def test_the_schedule_covers_each_epoch_once_and_norms_are_means_a_step(
    tmp_path, make_recipe, encoder_base
):
    recipe = make_recipe(
        encoder_base,
        optim={"learning_rate": 1e-3, "batch_tokens": 256, "epochs": 2, "accumulate": 3},
    )
    job = prepare(recipe, tmp_path)
    schedule = make_schedule(job.train, recipe.optim, recipe.seed)
    seen = np.bincount([i for step in schedule.steps for batch in step for i in batch])
    assert set(seen) == {2}
    pairs = sum(example.safer is not None for example in job.train)
    assert schedule.norms["rank"] == pytest.approx(2 * pairs / len(schedule.steps))


def test_one_class_sources_take_no_part_in_the_choice(tmp_path, make_recipe, encoder_base):
    recipe = make_recipe(encoder_base)
    job = prepare(recipe, tmp_path)
    safe_only = [example for example in job.valid if example.unsafe == (0.0,)]
    run = tmp_path / "run"
    run.mkdir()
    with pytest.raises(RecipeError, match="no validation source"):
        train(job.model, job.train, safe_only, recipe, run, quiet=True)


def test_progress_starts_before_any_evaluation():
    assert Progress().best_score == -math.inf
