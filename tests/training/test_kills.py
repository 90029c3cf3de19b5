"""Runs that are killed at any write, and end as if they had not been."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from test_cost import weights
from test_pipeline import write_recipe

from harmgauge.training.checkpoints import TrainingError
from harmgauge.training.cost import train
from harmgauge.training.pipeline import prepare, run
from kills import killed

OPTIM = {"learning_rate": 3e-3, "batch_tokens": 512, "max_steps": 8}
EVALUATE = {"every": 3, "checkpoint_every": 2, "cap": 40}


@pytest.fixture
def recipe(make_recipe, encoder_base):
    model = {"max_tokens": 32, "dropout": 0.1}
    return make_recipe(encoder_base, optim=OPTIM, evaluate=EVALUATE, model=model)


def log(folder: Path) -> list[dict]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "seconds"} for line in lines]


def trained(recipe, folder: Path, *, at: float = math.inf, resume: bool = False):
    """The model, and how many writes there were."""
    job = prepare(recipe, folder)
    folder.mkdir(exist_ok=True)
    with killed(folder, at) as death:
        train(job.model, job.train, job.watched, recipe, folder, resume=resume, quiet=True)
    return job.model, death.count


@pytest.mark.slow
def test_training_killed_at_any_write_ends_in_the_same_weights(tmp_path, recipe):
    whole, writes = trained(recipe, tmp_path / "whole")
    assert writes > 40
    for at in range(0, writes, 13):
        folder = tmp_path / f"killed-{at}"
        trained(recipe, folder, at=at)
        # What compiled code had begun to write.
        (folder / ".best.safetensors.9.part").write_bytes(b"half")
        (folder / "checkpoint.new").mkdir(exist_ok=True)
        (folder / "checkpoint.new" / "model.safetensors").write_bytes(b"half")
        resumed, _ = trained(recipe, folder, resume=True)
        expected, found = weights(whole), weights(resumed)
        assert all(torch.equal(expected[name], found[name]) for name in expected), at
        assert log(folder) == log(tmp_path / "whole"), at


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.slow
def test_an_end_killed_at_any_write_ends_in_the_same_bundle(tmp_path, recipe):
    whole = tmp_path / "tiny"
    run(recipe, tmp_path, whole, quiet=True)
    expected = files(whole / "bundle")
    done = {"resume": True, "quiet": True}
    with killed(whole, math.inf) as death:
        run(recipe, tmp_path, whole, **done)
    assert files(whole / "bundle") == expected
    for at in range(4, death.count, max(1, death.count // 5)):
        shutil.rmtree(whole / "bundle", ignore_errors=True)
        with killed(whole, at):
            run(recipe, tmp_path, whole, **done)
        run(recipe, tmp_path, whole, **done)
        assert files(whole / "bundle") == expected, at
        assert not list(whole.glob("**/.*")), at


@pytest.mark.slow
def test_a_run_killed_before_its_recipe_was_written_can_be_begun_again(tmp_path, recipe):
    folder = tmp_path / "run"
    for resume in (False, True):
        shutil.rmtree(folder, ignore_errors=True)
        with killed(folder, 2):
            run(recipe, tmp_path, folder, quiet=True)
        (left,) = folder.iterdir()
        assert left.match(".recipe.json.*.part")
        with killed(folder, 4):
            run(recipe, tmp_path, folder, resume=resume, quiet=True)
        assert (folder / "recipe.json").is_file()


@pytest.mark.slow
def test_a_process_that_is_killed_goes_on_to_the_same_bundle(tmp_path, recipe):
    path = write_recipe(tmp_path, recipe)
    whole, folder = tmp_path / "whole", tmp_path / "killed"
    run(recipe, tmp_path, whole, quiet=True)
    main = "from harmgauge.cli.main import main; main()"
    command = [sys.executable, "-c", main, "train", str(path), "--quiet"]
    process = subprocess.Popen([*command, "--out", str(folder)])
    records = folder / "log.jsonl"
    while process.poll() is None and not (records.is_file() and '"step": 3' in records.read_text()):
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    subprocess.run([*command, "--out", str(folder), "--resume"], check=True, capture_output=True)
    assert files(folder / "bundle") == files(whole / "bundle")
    assert log(folder) == log(whole)


@pytest.mark.slow
def test_a_damaged_checkpoint_is_told(tmp_path, recipe):
    folder = tmp_path / "run"
    trained(recipe, folder)
    for name in ("progress.json", "model.safetensors", "optimizer.bin"):
        file = folder / "checkpoint" / name
        kept = file.read_bytes()
        file.write_bytes(kept[: len(kept) // 2])
        with pytest.raises(TrainingError, match="checkpoint is damaged"):
            trained(recipe, folder, resume=True)
        file.write_bytes(kept)
