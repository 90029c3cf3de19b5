"""The processes of a run: one for `harmgauge train`, one a device under `accelerate launch`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import Any

import torch
from accelerate import Accelerator, PartialState
from accelerate.utils import parse_flag_from_env

from ..errors import RecipeError

PATIENCE = timedelta(days=7)
"""for how long the others wait while the main process asks the teachers. A process that died is
seen by the launcher, which ends them all"""


def _state() -> Any:
    # accelerate itself would take the processes that torchrun starts on CPUs for single ones.
    launched_on_cpu = "LOCAL_RANK" in os.environ and not torch.accelerator.is_available()
    cpu = parse_flag_from_env("ACCELERATE_USE_CPU") or launched_on_cpu
    return PartialState(cpu=cpu, timeout=PATIENCE)


def is_main() -> bool:
    """True in the process that writes; of one process, always."""
    return bool(_state().is_main_process)


def wait() -> None:
    """Until every process is here."""
    _state().wait_for_everyone()


def main_first() -> AbstractContextManager[None]:
    """The main process runs the block before the others do."""
    context: AbstractContextManager[None] = _state().main_process_first()
    return context


def check_work_for_all(accumulate: int) -> None:
    """See that a step has a forward pass for every process.

    Raises:
        RecipeError: it has fewer, so that devices would stand idle.
    """
    processes = _state().num_processes
    if accumulate < processes:
        raise RecipeError(
            f"optim.accumulate={accumulate} gives {processes} processes too few forward passes a "
            f"step; set it to a multiple of {processes}, and lower optim.batch_tokens as much"
        )


def dealt(passes: int) -> list[int]:
    """Which of so many forward passes this process makes.

    All processes make equally many, since each pass is an exchange between them: a place of
    `passes` or beyond is of a pass that must count nothing.
    """
    state = _state()
    rounds = -(-passes // state.num_processes)
    return [turn * state.num_processes + state.process_index for turn in range(rounds)]


def shares(
    accelerator: Accelerator, model: Any, batches: Sequence[list[int]]
) -> Iterator[tuple[list[int], int]]:
    """This process's batches of a step, and by what the loss of each is multiplied.

    Processes exchange gradients with the last one, and then hold their mean. The loss counts as
    often as there are processes, so that the mean is the sum of one process with all batches; a
    batch that is there only for its exchange counts 0.
    """
    places = dealt(len(batches))
    for place in places:
        accelerator.sync_gradients = place == places[-1]
        with nullcontext() if accelerator.sync_gradients else accelerator.no_sync(model):
            if place < len(batches):
                yield batches[place], accelerator.num_processes
            else:
                yield batches[0][:1], 0


def gathered(accelerator: Accelerator, values: torch.Tensor, passes: int) -> torch.Tensor:
    """What all processes say of the passes of a step, in the order of its batches.

    Args:
        accelerator: of the run.
        values: of this process's passes, `[its passes, ...]`, as `shares` gives them.
        passes: how many the step has.

    Returns:
        `[passes, ...]`, the same in every process.
    """
    every = accelerator.gather(values).view(accelerator.num_processes, *values.shape)
    in_order: torch.Tensor = every.transpose(0, 1).flatten(0, 1)[:passes]
    return in_order


def failed_first() -> bool:
    """True in the first process that asks: the one to say why the run ends."""
    if not torch.distributed.is_initialized():
        return True
    try:
        host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        soon = timedelta(seconds=10)
        store = torch.distributed.TCPStore(host, port, is_master=False, timeout=soon)
        return bool(store.add("harmgauge/failed", 1) == 1)
    except RuntimeError:  # gone with the main process, which has said it
        return False
