"""What a run leaves on disk while it goes on, so that it can be resumed to the same end."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from accelerate import Accelerator
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from ..errors import HarmgaugeError, RecipeError
from ..files import whole_file
from .examples import Example
from .model import CostModel
from .processes import is_main, wait

BEST = "best.safetensors"
"""trained weights of the best evaluation so far, in the run's folder and in each checkpoint"""


class TrainingError(HarmgaugeError):
    """Training cannot go on; the last good checkpoint is kept."""


@dataclass(slots=True)
class Progress:
    """Where a run is; stored in each checkpoint."""

    step: int = 0
    best_step: int = -1
    best_score: float = -math.inf
    best_weights: str = "last"
    """last, or the average where that was better"""
    stale: int = 0
    """evaluations since the best one"""
    seconds: float = 0.0
    finished: bool = False
    data: str = ""
    """fingerprint of the training examples"""
    base: str = ""
    """what training began at, since a checkpoint holds only weights that are trained"""
    layout: str = ""
    """how processes share the weights: FSDP, DEEPSPEED, or each has them all"""


def fingerprint(examples: Iterable[Example], *, by_id: bool = False) -> str:
    """Hash of all that a run reads of its examples; `by_id` where ids are (`members.draws`)."""
    digest = hashlib.sha256()
    for each in examples:
        known = (each.ids, each.unsafe, each.safer, each.weight, *each.teacher, *each.flags)
        digest.update(repr((each.id, *known) if by_id else known).encode())
    return digest.hexdigest()


def trainable_state(model: CostModel, new: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
    """The trained weights by name; with `new`, they are set first."""
    state = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    if new is not None:
        for name, tensor in state.items():
            tensor.copy_(new[name])
    return state


def keep_trained_weights(accelerator: Accelerator) -> None:
    """Have checkpoints hold what is trained alone, since the rest is the base's, by the same names
    whatever the number of processes that write and read. Sharded ones hold all."""

    def trained(models: list[Any], weights: list[dict[str, Tensor]], folder: str) -> None:
        whole = (accelerator.unwrap_model(model) for model in models if weights)
        weights[:] = [trainable_state(model) for model in whole]

    def unwrap(models: list[Any], folder: str) -> None:
        models[:] = [accelerator.unwrap_model(model) for model in models]

    accelerator.register_save_state_pre_hook(trained)
    accelerator.register_load_state_pre_hook(unwrap)


def write_tensors(tensors: dict[str, Tensor], path: Path) -> None:
    with whole_file(path) as scratch:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, scratch)


def write_text(text: str, path: Path) -> None:
    with whole_file(path) as scratch:
        scratch.write_text(text, encoding="utf-8")


def load_checkpoint(accelerator: Accelerator, run: Path, now: Progress) -> Progress | None:
    """Restore the last checkpoint, and the best weights as they were then; None where there is none
    yet.

    Raises:
        RecipeError: it has another base or other training examples than the run has `now`, or
            was written by processes that shared the weights otherwise.
        TrainingError: it is damaged.
    """
    folder, old = run / "checkpoint", run / "checkpoint.old"
    if is_main() and not folder.is_dir() and old.is_dir():  # killed in the middle of a swap
        os.replace(old, folder)
    wait()
    if not folder.is_dir():
        return None
    try:
        progress = Progress(**json.loads((folder / "progress.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise _damaged(folder) from error
    if progress.base not in ("", now.base):
        raise RecipeError(
            f"{run} was begun from {progress.base}, and what is there now is {now.base}; put the "
            "old one back, or choose another --out"
        )
    if progress.data not in ("", now.data):
        raise RecipeError(
            f"the training rows are not those with which {run} was begun; resume with the same "
            "files, or choose another --out"
        )
    if progress.layout != now.layout:
        layouts = (progress.layout, now.layout)
        begun, found = (each or "whole weights in each process" for each in layouts)
        raise RecipeError(
            f"{run} was begun with {begun}, not {found}; resume with the same launcher's settings"
        )
    try:
        accelerator.load_state(str(folder), **({} if now.layout else {"strict": False}))
    except _UNREADABLE as error:
        raise _damaged(folder) from error
    if is_main() and (folder / BEST).is_file():  # those of steps that are gone may be others
        with whole_file(run / BEST) as scratch:
            shutil.copyfile(folder / BEST, scratch)
    return progress


_UNREADABLE = (
    *(OSError, RuntimeError, ValueError, KeyError, EOFError),
    *(SafetensorError, UnpicklingError),
)
"""what torch, safetensors and accelerate raise of a file that is not whole"""


def _damaged(folder: Path) -> TrainingError:
    return TrainingError(
        f"{folder} is damaged, which no kill does but a failing disk may; copy it from a backup, "
        "or begin anew in another --out"
    )


def save_checkpoint(accelerator: Accelerator, progress: Progress, run: Path) -> None:
    """Write beside the old checkpoint, then swap, so that a kill at any moment leaves one.

    Raises:
        TrainingError: it cannot be written.
    """
    new, old = run / "checkpoint.new", run / "checkpoint.old"
    if is_main():
        for leftover in (new, old):
            shutil.rmtree(leftover, ignore_errors=True)
    wait()
    try:
        accelerator.save_state(str(new))
        if is_main():
            _link(run / BEST, new / BEST)
            (new / "progress.json").write_text(json.dumps(asdict(progress)), encoding="utf-8")
    except (OSError, RuntimeError, SafetensorError) as error:  # torch reports a full disk as one
        shutil.rmtree(new, ignore_errors=True)  # there is little room
        raise TrainingError(
            f"the checkpoint of step {progress.step} cannot be written to {run} "
            f"({type(error).__name__}; is the disk full?); make room, then --resume from the last"
        ) from error
    wait()
    if not is_main():
        return
    if (run / "checkpoint").exists():
        os.replace(run / "checkpoint", old)
    os.replace(new, run / "checkpoint")
    shutil.rmtree(old, ignore_errors=True)


def _link(source: Path, target: Path) -> None:
    """The same file under another name, which it keeps when the first is replaced; else a copy."""
    try:
        os.link(source, target)
    except OSError:  # a file system without links
        shutil.copyfile(source, target)


def cut_log(path: Path, step: int) -> None:
    """Drop log lines of steps after the checkpoint; they will be written again."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    # What follows the last line break was cut off by a kill.
    lines = [
        line
        for line in text.split("\n")[:-1]
        if (record := json.loads(line)).get("step", record.get("evaluated_at", 0)) <= step
    ]
    write_text("".join(line + "\n" for line in lines), path)
