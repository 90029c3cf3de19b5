"""Training a cost model: the loop, its checkpoints and its choice of the best one."""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm import tqdm
from transformers import get_scheduler

from ..errors import HarmgaugeError, RecipeError
from ..evaluation.metrics import auroc, ranking_accuracy
from .batching import bucketed_batches, padding_share
from .examples import Example
from .losses import Targets, cost_terms
from .model import CostModel
from .recipe import Optim, Recipe

MIN_PER_CLASS = 10


class TrainingError(HarmgaugeError):
    """Training cannot go on; the last good checkpoint is kept."""


@dataclass(slots=True)
class Progress:
    """Where a run is; stored in each checkpoint."""

    step: int = 0
    best_step: int = -1
    best_score: float = -math.inf
    stale: int = 0
    """evaluations since the best one"""
    seconds: float = 0.0
    finished: bool = False


@dataclass(frozen=True, slots=True)
class Schedule:
    """Every batch of a run, known before it starts."""

    steps: list[list[list[int]]]
    """for each optimiser step its forward passes, each a list of example indices"""
    padding: float
    """share of tokens that are padding"""
    tokens: int
    """tokens of all steps, padding included"""
    norms: dict[str, float] = field(default_factory=dict)
    """mean weight of each loss term a step"""


def make_schedule(examples: Sequence[Example], optim: Optim, seed: int) -> Schedule:
    """All batches of all epochs, from the seed alone, so that a resumed run sees the same."""
    sizes = [example.size for example in examples]
    batches: list[list[int]] = []
    for epoch in range(math.ceil(optim.epochs)):
        rng = np.random.default_rng((seed, epoch))
        epoch_batches = bucketed_batches(sizes, optim.batch_tokens, rng)
        share = min(1.0, optim.epochs - epoch)
        batches += epoch_batches[: math.ceil(share * len(epoch_batches))]
    steps = [batches[i : i + optim.accumulate] for i in range(0, len(batches), optim.accumulate)]
    if optim.max_steps is not None:
        steps = steps[: optim.max_steps]
    flat = [batch for step in steps for batch in step]
    tokens = sum(sum(sizes[i][0] for i in b) * max(sizes[i][1] for i in b) for b in flat)
    return Schedule(
        steps, padding_share_of(sizes, flat), tokens, _norms(examples, flat, len(steps))
    )


def padding_share_of(sizes: Sequence[tuple[int, int]], batches: Sequence[Sequence[int]]) -> float:
    """Padding over batches that may hold an example more than once (several epochs)."""
    flat = [sizes[i] for batch in batches for i in batch]
    start, renumbered = 0, []
    for batch in batches:
        renumbered.append(list(range(start, start + len(batch))))
        start += len(batch)
    return padding_share(flat, renumbered)


def train(
    model: CostModel,
    train_examples: Sequence[Example],
    valid_examples: Sequence[Example],
    recipe: Recipe,
    run: Path,
    *,
    resume: bool = False,
    quiet: bool = False,
) -> Progress:
    """Train `model` in place and leave it with the weights of the best evaluation.

    Writes to `run`: `log.jsonl` (a line a step and an evaluation), `checkpoint/` (all that a
    resume needs) and `best.safetensors` (trained weights of the best evaluation so far).
    The best is the one with the highest AUROC averaged over the validation sources that hold
    both classes: a pooled one would reward recognising the source.

    Raises:
        RecipeError: no validation source holds both classes, so that nothing could be chosen.
        TrainingError: the loss is not finite.
    """
    check_choice(valid_examples)
    set_seed(recipe.seed)
    accelerator = Accelerator(mixed_precision=_precision())
    schedule = make_schedule(train_examples, recipe.optim, recipe.seed)
    optimizer = torch.optim.AdamW(
        _parameter_groups(model, recipe.optim),
        lr=recipe.optim.learning_rate,
        betas=recipe.optim.betas,
        fused=True,
    )
    scheduler = get_scheduler(
        recipe.optim.schedule,
        optimizer,
        num_warmup_steps=round(recipe.optim.warmup * len(schedule.steps)),
        num_training_steps=len(schedule.steps),
    )
    model, optimizer = accelerator.prepare(model, optimizer)
    accelerator.register_for_checkpointing(scheduler)

    progress = Progress()
    if resume and (run / "checkpoint").is_dir():
        accelerator.load_state(str(run / "checkpoint"))
        progress = Progress(**json.loads((run / "checkpoint" / "progress.json").read_text()))
        _cut_log(run / "log.jsonl", progress.step)
    elif (run / "log.jsonl").exists():
        (run / "log.jsonl").unlink()

    evaluate_every, checkpoint_every = recipe.evaluate.every, recipe.evaluate.checkpoint_every
    bar = tqdm(
        total=len(schedule.steps), initial=progress.step, unit="step", disable=quiet, mininterval=1
    )
    started = time.monotonic() - progress.seconds
    with (run / "log.jsonl").open("a", buffering=1, encoding="utf-8") as log, bar:
        if progress.step == 0:
            _evaluate_and_keep(model, valid_examples, recipe, run, progress, log)
        while progress.step < len(schedule.steps) and not progress.finished:
            record = _step(
                model, train_examples, schedule, progress.step, recipe, accelerator, optimizer
            )
            scheduler.step()
            progress.step += 1
            progress.seconds = time.monotonic() - started
            log.write(
                json.dumps(
                    {
                        "step": progress.step,
                        "seconds": round(progress.seconds, 2),
                        "learning_rate": scheduler.get_last_lr()[0],
                        **record,
                    }
                )
                + "\n"
            )
            bar.update()
            bar.set_postfix(loss=f"{record['loss']:.3f}", best=f"{progress.best_score:.3f}")
            last = progress.step == len(schedule.steps)
            if progress.step % evaluate_every == 0 or last:
                _evaluate_and_keep(model, valid_examples, recipe, run, progress, log)
                patience = recipe.evaluate.patience
                progress.finished = last or (patience is not None and progress.stale >= patience)
            if progress.step % checkpoint_every == 0 or progress.finished:
                log.flush()
                _save_checkpoint(accelerator, progress, run)
    _trainable_state(model, load_file(run / "best.safetensors"))
    model.eval()
    return progress


def check_choice(valid_examples: Sequence[Example]) -> None:
    """See that validation data can tell a better checkpoint from a worse one.

    Raises:
        RecipeError: no source holds both classes.
    """
    blind = [np.zeros(len(example.ids)) for example in valid_examples]
    if math.isnan(validation_metrics(valid_examples, blind)["auroc_mean"]):
        raise RecipeError(
            f"no validation source holds at least {MIN_PER_CLASS} safe and {MIN_PER_CLASS} unsafe "
            "rows, so that no checkpoint could be chosen; add one to data.valid"
        )


def score_examples(
    model: CostModel, examples: Sequence[Example], batch_tokens: int = 16384
) -> list[np.ndarray]:
    """Raw costs of each example's sequences, in order, in evaluation mode."""
    model.eval()
    device = next(model.parameters()).device
    sizes = [example.size for example in examples]
    costs: list[np.ndarray] = [np.empty(0)] * len(examples)
    with torch.inference_mode():
        for batch in bucketed_batches(sizes, batch_tokens, np.random.default_rng(0)):
            chosen = [examples[i] for i in batch]
            ids, mask = collate([s for example in chosen for s in example.ids])
            scores = model(ids.to(device), mask.to(device))[:, 0].float().cpu().numpy()
            start = 0
            for index, example in zip(batch, chosen, strict=True):
                costs[index] = scores[start : start + len(example.ids)]
                start += len(example.ids)
    return costs


def collate(sequences: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Right-padded ids and mask, `[n, longest]`. The pad id is 0: the mask hides it everywhere."""
    longest = max(map(len, sequences))
    ids = torch.zeros(len(sequences), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = torch.tensor(sequence)
        mask[row, : len(sequence)] = 1
    return ids, mask


def validation_metrics(examples: Sequence[Example], costs: Sequence[np.ndarray]) -> dict[str, Any]:
    """AUROC of each source with both classes, their mean, and ranking accuracy of pair sources.

    A source with fewer than `MIN_PER_CLASS` rows of a class would add noise to the choice, not
    sense, and is left out of it.
    """
    by_source: dict[str, list[int]] = {}
    for index, example in enumerate(examples):
        by_source.setdefault(example.source, []).append(index)
    aurocs: dict[str, float] = {}
    rankings: dict[str, float] = {}
    for source, indices in sorted(by_source.items()):
        labels = np.concatenate([examples[i].unsafe for i in indices])
        values = np.concatenate([costs[i] for i in indices])
        known = ~np.isnan(labels)
        positive = labels[known] >= 0.5
        if min(positive.sum(), (~positive).sum()) >= MIN_PER_CLASS:
            aurocs[source] = auroc(positive, values[known])
        pairs = [(costs[i], s) for i in indices if (s := examples[i].safer) is not None]
        if pairs:
            rankings[source] = ranking_accuracy(
                [cost[safer] for cost, safer in pairs], [cost[1 - safer] for cost, safer in pairs]
            )
    mean = float(np.mean(list(aurocs.values()))) if aurocs else math.nan
    return {"auroc_mean": mean, "auroc": aurocs, "ranking": rankings}


def _step(
    model: CostModel,
    examples: Sequence[Example],
    schedule: Schedule,
    step: int,
    recipe: Recipe,
    accelerator: Accelerator,
    optimizer: Any,
) -> dict[str, float]:
    """One optimiser step; returns what the log says of it."""
    model.train()
    totals = dict.fromkeys(("rank", "sign", "l2"), 0.0)
    weights = {"rank": recipe.loss.rank, "sign": recipe.loss.sign, "l2": recipe.loss.l2}
    loss_total = 0.0
    for batch in schedule.steps[step]:
        chosen = [examples[i] for i in batch]
        ids, mask = collate([s for example in chosen for s in example.ids])
        with accelerator.autocast():
            scores = model(ids.to(accelerator.device), mask.to(accelerator.device))
        terms = cost_terms(
            scores[:, 0], _targets(chosen, accelerator.device), recipe.loss.label_smoothing
        )
        # Each term is divided by its own mean count a step, so that every row weighs the same
        # in whichever batch it falls.
        loss = scores.new_zeros(())
        for name, value in (("rank", terms.rank), ("sign", terms.sign), ("l2", terms.l2)):
            if schedule.norms[name]:
                value = value / schedule.norms[name]
                totals[name] += value.item()
                loss = loss + weights[name] * value
        if not torch.isfinite(loss):
            raise TrainingError(
                f"the loss is not finite at step {step + 1}, rows {chosen[0].id} to "
                f"{chosen[-1].id}; lower optim.learning_rate and resume from the last checkpoint"
            )
        accelerator.backward(loss)
        loss_total += loss.item()
    norm = accelerator.clip_grad_norm_(model.parameters(), recipe.optim.clip)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return {"loss": loss_total, **totals, "gradient_norm": float(norm)}


def _targets(examples: Sequence[Example], device: torch.device) -> Targets:
    unsafe: list[float] = []
    weight: list[float] = []
    safer: list[int] = []
    riskier: list[int] = []
    for example in examples:
        if example.safer is not None:
            safer.append(len(unsafe) + example.safer)
            riskier.append(len(unsafe) + 1 - example.safer)
        unsafe += example.unsafe
        weight += [example.weight] * len(example.ids)
    return Targets(
        unsafe=torch.tensor(unsafe, device=device),
        weight=torch.tensor(weight, device=device),
        safer=torch.tensor(safer, dtype=torch.long, device=device),
        riskier=torch.tensor(riskier, dtype=torch.long, device=device),
    )


def _norms(
    examples: Sequence[Example], batches: Sequence[Sequence[int]], steps: int
) -> dict[str, float]:
    rank = sign = l2 = 0.0
    for index in (i for batch in batches for i in batch):
        example = examples[index]
        rank += example.weight * (example.safer is not None)
        sign += example.weight * sum(not math.isnan(label) for label in example.unsafe)
        l2 += example.weight * len(example.ids)
    return {"rank": rank / steps, "sign": sign / steps, "l2": l2 / steps}


def _parameter_groups(model: CostModel, optim: Optim) -> Iterator[dict[str, Any]]:
    """No decay on biases and norms; the fresh head learns faster than the pretrained backbone."""
    backbone = [p for p in model.backbone.parameters() if p.requires_grad]
    head_rate = optim.head_learning_rate or 10 * optim.learning_rate
    yield {"params": [p for p in backbone if p.ndim >= 2], "weight_decay": optim.weight_decay}
    yield {"params": [p for p in backbone if p.ndim < 2], "weight_decay": 0.0}
    yield {"params": list(model.head.parameters()), "weight_decay": 0.0, "lr": head_rate}


def _precision() -> str:
    return "bf16" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "no"


def _evaluate_and_keep(
    model: CostModel,
    examples: Sequence[Example],
    recipe: Recipe,
    run: Path,
    progress: Progress,
    log: Any,
) -> None:
    costs = score_examples(model, examples)
    if not all(np.isfinite(cost).all() for cost in costs):
        raise TrainingError(
            f"costs of validation rows are not finite after step {progress.step}; lower "
            "optim.learning_rate and start again"
        )
    metrics = validation_metrics(examples, costs)
    score = metrics["auroc_mean"]
    log.write(json.dumps({"evaluated_at": progress.step, **metrics}) + "\n")
    log.flush()
    if score > progress.best_score:
        progress.best_step, progress.best_score, progress.stale = progress.step, score, 0
        _write_tensors(_trainable_state(model), run / "best.safetensors")
    else:
        progress.stale += 1


def _trainable_state(model: CostModel, new: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
    """The trained weights by name; with `new`, they are set first."""
    state = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    if new is not None:
        for name, tensor in state.items():
            tensor.copy_(new[name])
    return state


def _write_tensors(tensors: dict[str, Tensor], path: Path) -> None:
    temporary = path.with_suffix(".tmp")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, temporary)
    os.replace(temporary, path)


def _save_checkpoint(accelerator: Accelerator, progress: Progress, run: Path) -> None:
    """Write beside the old checkpoint, then swap, so that a kill at any moment leaves one."""
    new, old = run / "checkpoint.new", run / "checkpoint.old"
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)
    accelerator.save_state(str(new))
    (new / "progress.json").write_text(json.dumps(asdict(progress)))
    if (run / "checkpoint").exists():
        os.replace(run / "checkpoint", old)
    os.replace(new, run / "checkpoint")
    shutil.rmtree(old, ignore_errors=True)


def _cut_log(path: Path, step: int) -> None:
    """Drop log lines of steps after the checkpoint; they will be written again."""
    lines = [
        line
        for line in path.read_text(encoding="utf-8").splitlines()
        if (record := json.loads(line)).get("step", record.get("evaluated_at", 0)) <= step
    ]
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
