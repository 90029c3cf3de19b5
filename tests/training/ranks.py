"""Two processes of a run, forked from a server that has imported torch, so that they start fast."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Timer

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["harmgauge.training.pipeline", "harmgauge.cli.train"])


def run_in_two(
    arguments: list[str], output: Path, change: Callable[[int], None] | None = None
) -> list[int]:
    """Exit status of each rank of `harmgauge train ARGUMENTS`; `change` comes first in each.

    What they print is in `output`, as under a launcher.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ranks = [
        CONTEXT.Process(target=_rank, args=(rank, port, arguments, output, change), daemon=True)
        for rank in range(2)
    ]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join(500)
    for rank in ranks:
        rank.kill()
    return [rank.exitcode for rank in ranks]


def _rank(rank, port, arguments, output, change) -> None:
    places = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2}
    os.environ.update({name: str(value) for name, value in places.items()})
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), ACCELERATE_USE_CPU="true")
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.argv = ["harmgauge", *arguments]
    if change is not None:
        change(rank)
    from harmgauge.cli.main import ending_in_one_line
    from harmgauge.train import main

    ending_in_one_line(main)


def _before_step(number: int, act: Callable[[], None]) -> None:
    from harmgauge.training import cost

    real, calls = cost._step, []

    def step(*arguments):
        calls.append(1)
        if len(calls) == number:
            act()
        return real(*arguments)

    cost._step = step


def killed_at_step_11(rank: int) -> None:
    _before_step(11, lambda: os.kill(os.getpid(), signal.SIGKILL))


def interrupted_at_step_11(rank: int) -> None:
    """Ctrl-C, which finds the second process in the exchange of gradients."""
    # A shell has the jobs that it starts in the background ignore it, and so all their children.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupt() -> None:
        if rank == 1:
            Timer(2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        else:
            time.sleep(4)
            os.kill(os.getpid(), signal.SIGINT)

    _before_step(11, interrupt)


def error_on_rank_1(rank: int) -> None:
    from harmgauge.errors import HarmgaugeError

    def fail():
        raise HarmgaugeError("the second process cannot go on")

    if rank == 1:
        _before_step(3, fail)


def sharded(rank: int) -> None:
    """FSDP2 over gloo: accelerate shards only where there are GPUs, so that it is told of some."""
    from accelerate import PartialState
    from accelerate.utils import DistributedType

    del os.environ["ACCELERATE_USE_CPU"]
    os.environ.update(
        ACCELERATE_TORCH_DEVICE="cpu",
        ACCELERATE_USE_FSDP="true",
        FSDP_VERSION="2",
        FSDP_AUTO_WRAP_POLICY="TRANSFORMER_BASED_WRAP",
        FSDP_RESHARD_AFTER_FORWARD="true",
        FSDP_STATE_DICT_TYPE="SHARDED_STATE_DICT",
    )
    PartialState._prepare_backend = lambda *_: ("gloo", DistributedType.MULTI_GPU)
    PartialState()


def sharded_and_killed_at_step_11(rank: int) -> None:
    sharded(rank)
    killed_at_step_11(rank)
