"""`report_to`: trackers get the figures of log.jsonl, and no text."""

from __future__ import annotations

import json

import pytest

from harmgauge.errors import RecipeError
from harmgauge.training import run_log
from harmgauge.training.cost import train
from harmgauge.training.pipeline import prepare


def test_tensorboard_has_what_the_log_has(tmp_path, make_recipe, encoder_base):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    recipe = make_recipe(
        encoder_base,
        optim={"learning_rate": 1e-3, "batch_tokens": 256, "max_steps": 3, "ema": 0.5},
        evaluate={"every": 2},
        report_to=["tensorboard"],
    )
    job = prepare(recipe, tmp_path)
    train(job.model, job.train, job.valid, recipe, tmp_path, quiet=True)

    records = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    events = EventAccumulator(str(tmp_path / "trackers" / "tiny")).Reload()
    found = {
        name: {event.step: event.value for event in events.Scalars(name)}
        for name in events.Tags()["scalars"]
    }
    for name in ("loss", "rank", "sign", "l2", "gradient_norm", "learning_rate", "seconds"):
        told = {record["step"]: record[name] for record in records if "step" in record}
        assert found.pop(name) == pytest.approx(told)
    checks = [record for record in records if "evaluated_at" in record]
    for weights, prefix in (("last", ""), ("average", "average/")):
        own = [check for check in checks if check["weights"] == weights]
        mean = {check["evaluated_at"]: check["auroc_mean"] for check in own}
        assert found.pop(f"{prefix}auroc_mean") == pytest.approx(mean)
        for kind, source in (("auroc", "singles"), ("ranking", "pairs")):
            told = {check["evaluated_at"]: check[kind][source] for check in own}
            assert found.pop(f"{prefix}{kind}/{source}") == pytest.approx(told)
    assert not found
    assert not any(events.Tags()[kind] for kind in ("tensors", "images", "graph"))


def test_without_trackers_nothing_is_made(tmp_path, make_recipe, encoder_base):
    recipe = make_recipe(encoder_base, optim={"batch_tokens": 256, "max_steps": 1})
    job = prepare(recipe, tmp_path)
    train(job.model, job.train, job.valid, recipe, tmp_path, quiet=True)
    assert not (tmp_path / "trackers").exists()


def test_unknown_and_missing_trackers_are_named(tmp_path, make_recipe, encoder_base, monkeypatch):
    with pytest.raises(
        RecipeError, match=r"report_to=pigeon: pigeon is not supported, only .*wandb"
    ):
        prepare(make_recipe(encoder_base, report_to=["pigeon"]), tmp_path)
    monkeypatch.setattr(run_log, "get_available_trackers", lambda: [])
    with pytest.raises(RecipeError, match="report_to=mlflow: mlflow is not installed"):
        run_log.check_trackers(["mlflow"])
