"""Two processes over gloo do what one does, and end as one, whatever happens."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import ranks
import yaml
from click.testing import CliRunner
from safetensors.numpy import load_file
from tiny_task import texts

import harmgauge
from harmgauge.cli.main import cli

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def recipe(tmp_path_factory, make_recipe, encoder_base) -> Path:
    """Three passes a step, so that one of two processes has one too few; no dropout."""
    values = make_recipe(
        encoder_base,
        model={"max_tokens": 32, "dropout": 0},
        optim={"learning_rate": 3e-3, "batch_tokens": 256, "epochs": 2, "accumulate": 3},
        evaluate={"every": 5, "checkpoint_every": 4},
        runtime="torch",
    ).model_dump(mode="json", by_alias=True, exclude_unset=True)
    path = tmp_path_factory.mktemp("recipe") / "tiny.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def in_one(recipe: Path, run: Path, *options: str) -> None:
    result = CliRunner().invoke(cli, ["train", str(recipe), "--out", str(run), *options])
    assert result.exit_code == 0, (result.exception, result.output)


def in_two(recipe: Path, run: Path, *options: str, change=None) -> tuple[list[int], str]:
    """Exit statuses, and what the processes printed."""
    printed = run.with_suffix(".txt")
    arguments = [str(recipe), "--out", str(run), "--quiet", *options]
    statuses = ranks.run_in_two(arguments, printed, change)
    text = printed.read_text()
    printed.unlink()
    return statuses, text


@pytest.fixture(scope="module")
def one(recipe) -> Path:
    run = recipe.parent / "one"
    in_one(recipe, run, "--quiet")
    return run


@pytest.fixture(scope="module")
def two(recipe) -> Path:
    run = recipe.parent / "two"
    statuses, printed = in_two(recipe, run)
    assert statuses == [0, 0], printed
    assert printed == f"bundle written: {run / 'bundle'}\n"
    return run


@pytest.fixture(scope="module")
def adapted(tmp_path_factory, make_recipe, llama_base) -> tuple[Path, Path]:
    """A recipe of adapters on a base in bf16, with an ensemble of heads, and a run by one."""
    values = make_recipe(
        llama_base,
        model={
            **{"max_tokens": 32, "lora": {"rank": 4}, "dtype": "bfloat16", "members": 2},
            "gradient_checkpointing": True,
        },
        # Two passes, whose sum is the same in either order, and no clipping by a norm that is
        # not: bf16 would make a difference in the last place a large one.
        optim={
            **{"learning_rate": 3e-3, "batch_tokens": 256, "max_steps": 12},
            **{"accumulate": 2, "clip": 1e6},
        },
        evaluate={"every": 4, "checkpoint_every": 6},
        runtime="torch",
    ).model_dump(mode="json", by_alias=True, exclude_unset=True)
    path = tmp_path_factory.mktemp("adapted") / "tiny.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    run = path.parent / "one"
    in_one(path, run, "--quiet")
    return path, run


def log(run: Path) -> list[dict]:
    lines = (run / "log.jsonl").read_text().splitlines()
    return [{**json.loads(line), "seconds": 0} for line in lines]


def assert_same(run: Path, other: Path) -> None:
    """Losses, metrics, weights and costs, but for rounding."""
    for record, expected in zip(log(run), log(other), strict=True):
        assert record.keys() == expected.keys()
        for key, value in expected.items():
            if isinstance(value, str):
                assert record[key] == value
            else:  # numbers, and those of each source
                assert record[key] == pytest.approx(value, rel=1e-4, abs=1e-6), key
    found, expected = (load_file(each / "best.safetensors") for each in (run, other))
    assert found.keys() == expected.keys()
    for name in expected.keys():  # noqa: SIM118  # of a module's state
        if not name.endswith("key.bias"):  # attention is the same whatever it is: noise moves it
            np.testing.assert_allclose(found[name], expected[name], atol=1e-4, err_msg=name)
    prompts = [text for text, _ in texts(7, 20)]
    costs, wanted = (harmgauge.load(each / "bundle").score(prompts) for each in (run, other))
    assert np.ptp(wanted) > 1
    np.testing.assert_allclose(costs, wanted, atol=1e-3)


def test_two_processes_do_what_one_does(one, two):
    assert_same(two, one)


def test_the_main_process_alone_writes(one, two):
    def files(run: Path) -> set[str]:
        return {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}

    assert files(two) - files(one) == {"checkpoint/random_states_1.pkl"}
    assert not files(one) - files(two)
    steps = [record["step"] for record in log(two) if "step" in record]
    assert steps == list(range(1, len(steps) + 1))


def test_a_killed_run_is_resumed_to_the_same_end_by_two_or_by_one(recipe, one, two):
    broken = recipe.parent / "broken"
    statuses, _ = in_two(recipe, broken, change=ranks.killed_at_step_11)
    assert statuses == [-9, -9]
    for_one = Path(shutil.copytree(broken, recipe.parent / "for_one"))
    statuses, printed = in_two(recipe, broken, "--resume")
    assert statuses == [0, 0], printed
    assert log(broken) == log(two)
    found, expected = (load_file(run / "best.safetensors") for run in (broken, two))
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    in_one(recipe, for_one, "--resume", "--quiet")
    assert_same(for_one, one)


def test_an_error_of_one_process_ends_all_and_is_told_once(recipe):
    run = recipe.parent / "failed"
    statuses, printed = in_two(recipe, run, change=ranks.error_on_rank_1)
    assert statuses == [2, 2]
    assert printed == "harmgauge: the second process cannot go on\n"


def test_ctrl_c_ends_all_and_is_told_once(recipe):
    run = recipe.parent / "stopped"
    statuses, printed = in_two(recipe, run, change=ranks.interrupted_at_step_11)
    assert statuses == [130, 130], printed
    again = f"the same command with --resume goes on from the last checkpoint in {run}"
    assert printed == f"\nharmgauge: stopped; {again}\n"


def test_sharded_processes_that_were_killed_and_resumed_do_what_one_does(recipe, one):
    run = recipe.parent / "sharded"
    statuses, _ = in_two(recipe, run, change=ranks.sharded_and_killed_at_step_11)
    assert statuses == [-9, -9]
    statuses, printed = in_two(recipe, run, "--resume")
    assert statuses == [2, 2]
    assert "was begun with FSDP, not whole weights" in printed
    statuses, printed = in_two(recipe, run, "--resume", change=ranks.sharded)
    assert statuses == [0, 0], printed
    assert_same(run, one)


@pytest.mark.parametrize("change", [None, ranks.sharded], ids=["whole", "sharded"])
def test_two_processes_train_adapters_and_members_of_a_language_model(change, adapted):
    recipe, one = adapted
    two = one.with_name(f"two-{change is None}")
    statuses, printed = in_two(recipe, two, change=change)
    assert statuses == [0, 0], printed
    assert_same(two, one)


def test_under_a_launcher_a_mistake_is_told_once(recipe):
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    command += ["-m", "harmgauge.train", str(recipe), "optim.speed=3"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=recipe.parent)
    assert done.returncode != 0
    assert done.stderr.count("harmgauge: ") == 1
    assert "unknown key optim.speed" in done.stderr
    assert not done.stdout
