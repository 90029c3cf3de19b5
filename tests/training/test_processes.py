"""How the passes of a step are dealt to processes; the processes themselves: test_many_devices."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from harmgauge.errors import RecipeError
from harmgauge.training import processes
from harmgauge.training.sharding import is_sharded, to_be_sharded


def as_process(monkeypatch, rank: int, count: int) -> None:
    state = SimpleNamespace(process_index=rank, num_processes=count)
    monkeypatch.setattr(processes, "_state", lambda: state)


@pytest.mark.parametrize(("passes", "count"), [(0, 2), (1, 2), (5, 2), (6, 3), (7, 3), (4, 1)])
def test_every_pass_is_made_once_and_all_processes_make_as_many(passes, count, monkeypatch):
    dealt = []
    for rank in range(count):
        as_process(monkeypatch, rank, count)
        dealt.append(processes.dealt(passes))
    assert len({len(places) for places in dealt}) == 1
    made = [place for places in dealt for place in places]
    assert sorted(place for place in made if place < passes) == list(range(passes))
    assert len(made) - passes < count


def test_a_step_with_too_few_passes_for_all_is_refused(monkeypatch):
    as_process(monkeypatch, 0, 2)
    processes.check_work_for_all(2)
    with pytest.raises(RecipeError, match="accumulate=1 gives 2 processes too few"):
        processes.check_work_for_all(1)


def test_one_process_is_the_main_one():
    assert processes.is_main()
    assert not is_sharded()
    assert processes.dealt(3) == [0, 1, 2]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"optim": {"ema": 0.9}}, "optim.ema averages whole weights"),
        ({"model": {"quantise": "nf4", "lora": {}}}, "model.quantise=nf4 .* take model.dtype"),
    ],
    ids=["average", "4 bits"],
)
def test_what_cannot_be_sharded_is_refused(changes, says, make_recipe, tmp_path):
    accelerator = SimpleNamespace(distributed_type="FSDP")
    with pytest.raises(RecipeError, match=says):
        to_be_sharded(None, make_recipe(tmp_path, **changes), accelerator, "no")


@pytest.mark.parametrize("name", ["ddp", "fsdp", "deepspeed"])
def test_accelerate_reads_the_configurations(name):
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(Path("recipes/accelerate") / f"{name}.yaml"))
    kinds = {"ddp": "MULTI_GPU", "fsdp": "FSDP", "deepspeed": "DEEPSPEED"}
    assert config.distributed_type == kinds[name]
    assert config.mixed_precision == "no"
