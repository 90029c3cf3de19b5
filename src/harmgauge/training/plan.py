"""What a run will cost, measured on a few real batches before it starts."""

from __future__ import annotations

import copy
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from .examples import Example
from .model import CostModel
from .monitor import collate
from .packing import row_length
from .schedule import Schedule

TRIALS = 12
"""batches to time: shapes differ, and so does their speed"""


@dataclass(frozen=True, slots=True)
class Plan:
    """The size of a run."""

    examples: int
    schedule: Schedule
    parameters: int
    trainable: int
    tokens_per_second: float
    """forward and backward, measured on this machine as it is now"""
    device: str
    """what that was measured on, in words"""
    minutes: float
    """steps alone; evaluations come on top"""
    memory_gb: float
    """peak resident memory of this process in the trial, plus optimizer state and gradients"""

    def __str__(self) -> str:
        return (
            f"{self.examples:,} examples, {self.schedule}\n"
            f"{self.trainable:,} of {self.parameters:,} parameters trained\n"
            f"about {max(self.minutes, 1):.0f} min at {self.tokens_per_second:,.0f} tokens/s on "
            f"{self.device}, evaluations aside; about {self.memory_gb:.1f} GB of memory"
        )


def make_plan(model: CostModel, examples: Sequence[Example], schedule: Schedule) -> Plan:
    """Time a few forward and backward passes on a copy of the model."""
    trial = copy.deepcopy(model).train()
    device = next(trial.parameters()).device  # a GPU where the base is held in 4 bits
    on_gpu = device.type != "cpu"
    trial.to(device)  # the head too
    batches = [batch for step in schedule.steps for batch in step]
    spread = [batches[i * (len(batches) - 1) // (TRIALS - 1)] for i in range(TRIALS)]
    seconds = tokens = 0.0
    for number, batch in enumerate(spread):
        sequences = [s for i in batch for s in examples[i].ids]
        ids, mask = collate(sequences)
        started = time.perf_counter()
        trial(ids.to(device), mask.to(device)).square().mean().backward()
        if on_gpu:  # it goes on with its work while Python does
            torch.accelerator.synchronize()
        if number:  # the first pass pays for memory that later ones reuse
            seconds += time.perf_counter() - started
            tokens += row_length(sequences, trial.packing)
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    # ru_maxrss is in kB on Linux and in bytes on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    rate = tokens / seconds
    return Plan(
        examples=len(examples),
        schedule=schedule,
        parameters=sum(p.numel() for p in model.parameters()),
        trainable=trainable,
        tokens_per_second=rate,
        device="a GPU" if on_gpu else f"{torch.get_num_threads()} CPU threads",
        minutes=schedule.tokens / rate / 60,
        memory_gb=(peak + 8 * trainable) / 1e9,
    )
