"""Training on the tiny task: it learns, resumes exactly, and survives a reload in a new process."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import PreTrainedTokenizerFast

from harmgauge.errors import HarmgaugeError, RecipeError
from harmgauge.exchange import Exchange
from harmgauge.training.checkpoints import Progress
from harmgauge.training.cost import train
from harmgauge.training.freezing import merged_backbone
from harmgauge.training.model import CostModel, ModelSpec, new_cost_model
from harmgauge.training.monitor import collate, score_examples, validation_metrics
from harmgauge.training.pipeline import prepare
from harmgauge.training.schedule import make_schedule
from harmgauge.windows import Layout, Windower
from tiny import make_tokenizer

LORA = {"max_tokens": 32, "lora": {"rank": 2, "alpha": 4}}


def fit(recipe, run, **options):
    job = prepare(recipe, run)
    run.mkdir(exist_ok=True)
    progress = train(job.model, job.train, job.valid, recipe, run, quiet=True, **options)
    return job, progress


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("kind", ["encoder", "decoder", "lora"])
def test_a_trained_model_scores_the_same_in_a_new_process(
    kind, tmp_path, make_recipe, encoder_base, decoder_base
):
    base = encoder_base if kind == "encoder" else decoder_base
    changes = {"model": LORA} if kind == "lora" else {}
    job, _ = fit(make_recipe(base, **changes), tmp_path / "run")
    before = np.concatenate(score_examples(job.model, job.valid))
    job.model.backbone = merged_backbone(job.model.backbone)
    job.model.save(tmp_path / "model", job.tokenizer)

    sequences = [ids for example in job.valid for ids in example.ids]
    (tmp_path / "ids.json").write_text(json.dumps(sequences))
    # Alone, and once padded on the left: position and pooling must follow the mask.
    script = f"""
import json, sys, torch
from pathlib import Path
from harmgauge.training.model import CostModel, ModelSpec, new_cost_model
model, _ = CostModel.load(Path({str(tmp_path / "model")!r}))
plain, left = [], []
for ids in json.loads(Path({str(tmp_path / "ids.json")!r}).read_text()):
    x = torch.tensor([ids])
    pad = torch.full((1, 32 - len(ids)), 3)  # the id of eos
    with torch.no_grad():
        plain.append(model(x, torch.ones_like(x)).item())
        padded = torch.cat([pad, x], 1)
        left.append(model(padded, torch.cat([0 * pad, torch.ones_like(x)], 1)).item())
print(json.dumps([plain, left]))
"""
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    plain, left = json.loads(result.stdout)
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


@pytest.mark.parametrize(
    ("model", "optim"),
    [
        ({"max_tokens": 32}, {}),
        (LORA, {}),
        ({"max_tokens": 32}, {"accumulate": 3, "schedule": "cosine", "batch_tokens": 96}),
    ],
    ids=["full", "lora", "accumulate"],
)
def test_a_resumed_run_ends_in_the_same_weights(tmp_path, make_recipe, encoder_base, model, optim):
    optim = {"learning_rate": 3e-3, "batch_tokens": 256, "epochs": 2, **optim}
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

    expected, found = weights(whole.model), weights(resumed.model)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=0, msg=name)

    def log(folder):
        lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
        return [{k: v for k, v in line.items() if k != "seconds"} for line in lines]

    assert log(run) == log(tmp_path / "whole")


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


def test_freezing_more_layers_than_there_are_is_refused(tmp_path, make_recipe, encoder_base):
    recipe = make_recipe(encoder_base, model={"max_tokens": 32, "freeze_layers": 9})
    with pytest.raises(RecipeError, match="only 2 layers"):
        prepare(recipe, tmp_path)


def test_more_tokens_than_positions_is_refused(tmp_path, make_recipe, encoder_base):
    with pytest.raises(RecipeError, match="only 32 positions"):
        prepare(make_recipe(encoder_base, model={"max_tokens": 64}), tmp_path)


def test_positions_that_a_base_keeps_for_padding_are_not_counted(tmp_path):
    from transformers import RobertaConfig, RobertaModel

    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = RobertaConfig(vocab_size=300, max_position_embeddings=34, pad_token_id=1, **sizes)
    RobertaModel(config).save_pretrained(tmp_path)
    tokenizer = make_tokenizer()
    names = {"unk_token": "[UNK]", "sep_token": "[SEP]", "eos_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(tmp_path)
    with pytest.raises(RecipeError, match="only 32 positions"):
        new_cost_model(str(tmp_path), max_tokens=33)
    model, _ = new_cost_model(str(tmp_path), max_tokens=32)
    ids = torch.full((1, 32), 7)
    assert torch.isfinite(model(ids, torch.ones_like(ids))).all()


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        (["tokenizer.json", "tokenizer_config.json"], r"has no tokenizer\.json"),
        (["model.safetensors"], "weights or the tokenizer of base"),
    ],
)
def test_a_base_that_lacks_a_file_is_refused(tmp_path, encoder_base, lost, said):
    folder = tmp_path / "base"
    shutil.copytree(encoder_base, folder)
    for name in lost:
        (folder / name).unlink()
    with pytest.raises(RecipeError, match=said):
        new_cost_model(str(folder), max_tokens=32)
    (folder / "model.safetensors").write_bytes(b"no weights at all")
    with pytest.raises(RecipeError, match="weights or the tokenizer of base"):
        new_cost_model(str(folder), max_tokens=32)


def test_dropout_is_set_in_every_place_that_a_base_has(decoder_base):
    model, _ = new_cost_model(str(decoder_base), max_tokens=32, dropout=0.25)
    rates = {module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)}
    assert rates == {0.25}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lora": {}, "freeze_layers": 1}, "leave out model.freeze_embeddings"),
        ({"lora": {"targets": ["nowhere"]}}, r"\['nowhere'\] fit no layer"),
        ({"lora": {"targets": "nowhere"}}, "'nowhere' fit no layer"),
    ],
)
def test_adapters_that_cannot_be_are_refused(tmp_path, make_recipe, encoder_base, changes, said):
    with pytest.raises(RecipeError, match=said):
        prepare(make_recipe(encoder_base, model={"max_tokens": 32, **changes}), tmp_path)


def test_adapters_start_alike_for_one_seed(tmp_path, make_recipe, encoder_base):
    recipe = make_recipe(encoder_base, model=LORA)
    first, again = (weights(prepare(recipe, tmp_path).model) for _ in range(2))
    other = weights(prepare(recipe.model_copy(update={"seed": 1}), tmp_path).model)
    drawn = [name for name in first if "lora_A" in name or name == "head.weight"]
    assert len(drawn) > 1
    for name in drawn:
        assert torch.equal(first[name], again[name])
        assert not torch.equal(first[name], other[name])


def test_a_base_that_does_not_exist_is_refused_offline(tmp_path, make_recipe, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(RecipeError, match="no-such-base"):
        prepare(make_recipe(tmp_path / "no-such-base"), tmp_path)


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


def test_a_run_is_not_resumed_on_other_rows(tmp_path, make_recipe, encoder_base):
    recipe = make_recipe(encoder_base, optim={"batch_tokens": 256, "max_steps": 7})
    job, _ = fit(recipe, tmp_path)
    job.train[0] = replace(job.train[0], unsafe=(0.5,))
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
            raise OSError(28, "No space left on device", folder)
        return real(self, folder, **options)

    monkeypatch.setattr(Accelerator, "save_state", full_disk)
    with pytest.raises(OSError, match="No space left"):
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


def test_a_head_of_another_shape_is_refused(tmp_path, tiny_model):
    from safetensors.torch import save_file

    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    save_file({"weight": torch.zeros(1, 7), "bias": torch.zeros(1)}, folder / "head.safetensors")
    with pytest.raises(HarmgaugeError, match="head"):
        CostModel.load(folder)


def test_progress_starts_before_any_evaluation():
    assert Progress().best_score == -math.inf


@pytest.mark.parametrize("kind", ["Roberta", "MPNet", "DistilBert", "GPTNeoX", "Llama"])
def test_padding_on_either_side_changes_no_cost(kind):
    import transformers

    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=40,
        pad_token_id=1,
    )
    if kind == "DistilBert":
        config.update({"dim": 16, "n_heads": 2, "n_layers": 2, "hidden_dim": 32})
    backbone = getattr(transformers, f"{kind}Model")(config)
    pooling = "last" if kind in ("GPTNeoX", "Llama") else "mean"
    model = CostModel(backbone, ModelSpec(pooling, Layout((), (2,), (2,), 32))).eval()
    torch.nn.init.normal_(model.head.weight)
    ids = torch.tensor([[5, 1, 7, 1]])  # a real token may have the pad's id
    pad = torch.ones(1, 3, dtype=torch.long)
    ones = torch.ones_like(ids)
    with torch.no_grad():
        alone = model(ids, ones)
        left = model(torch.cat([pad, ids], 1), torch.cat([0 * pad, ones], 1))
        right = model(torch.cat([ids, pad], 1), torch.cat([ones, 0 * pad], 1))
    torch.testing.assert_close(left, alone, atol=1e-5, rtol=0)
    torch.testing.assert_close(right, alone, atol=1e-5, rtol=0)


def test_a_long_word_is_read_in_pieces_and_not_as_unknown(encoder_base):
    model, tokenizer = new_cost_model(str(encoder_base), max_tokens=32)
    windows = Windower(tokenizer, model.spec.layout).windows(Exchange(prompt="b" * 150))
    unknown = tokenizer.token_to_id("[UNK]")
    assert all(unknown not in window for window in windows)
    assert len(windows) > 1
