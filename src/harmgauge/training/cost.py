"""Training a cost model: the loop and its choice of the best weights."""

from __future__ import annotations

import math
import time
from collections.abc import Container, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from safetensors.torch import load_file
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm
from transformers import get_scheduler

from ..errors import RecipeError
from .checkpoints import (
    BEST,
    Progress,
    cut_log,
    fingerprint,
    keep_trained_weights,
    load_checkpoint,
    save_checkpoint,
    trainable_state,
    write_tensors,
)
from .divergence import check_costs, check_step, set_rates
from .examples import Example
from .losses import Targets, category_term, cost_terms
from .members import draws, member_terms
from .model import CostModel
from .monitor import MIN_PER_CLASS, collate, score_examples, validation_metrics
from .processes import gathered, is_main, shares
from .recipe import Optim, Recipe
from .run_log import RunLog
from .schedule import Schedule, make_schedule
from .sharding import is_sharded, layout, to_be_sharded


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
    both classes: a pooled one would reward recognising the source. With `optim.ema` an
    exponential moving average of the weights is a second candidate at each evaluation. With
    `evaluate.choose: last` the last evaluation is the best.

    Of several processes each calls it, the step's batches are dealt to them, and the main process
    writes. It alone has the best weights at the end, when the others can no longer be reached.

    Raises:
        RecipeError: no validation source holds both classes, so that nothing could be chosen, the
            run was begun with other training rows, or settings do not fit the launcher's.
        TrainingError: the loss is not finite, or a checkpoint cannot be written.
    """
    check_choice(valid_examples)
    sharded, precision = is_sharded(), _precision()
    accelerator = Accelerator(
        mixed_precision="no" if sharded else precision,
        log_with=list(recipe.report_to) or None,
        project_dir=run / "trackers",
    )
    set_seed(recipe.seed, device_specific=True)  # each process drops out other units
    accelerator.init_trackers(recipe.name)
    trained = model
    if sharded:
        trained = to_be_sharded(model, recipe, accelerator, precision)
    schedule = make_schedule(train_examples, recipe.optim, recipe.seed)
    optimizer = torch.optim.AdamW(
        _parameter_groups(trained, recipe.optim),
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
    average = None
    if recipe.optim.ema is not None:
        decay = get_ema_multi_avg_fn(recipe.optim.ema)
        average = AveragedModel(model, device=accelerator.device, multi_avg_fn=decay)
        accelerator.register_for_checkpointing(average)
    trained, optimizer = accelerator.prepare(trained, optimizer)
    accelerator.register_for_checkpointing(scheduler)
    candidates = {"last": trained} | ({} if average is None else {"average": average.module})
    keep_trained_weights(accelerator)

    data = fingerprint(train_examples, by_id=recipe.model.members is not None)
    new = Progress(data=data, base=model.spec.base, layout=layout(accelerator))
    rates = [group["initial_lr"] for group in optimizer.param_groups]
    progress = (load_checkpoint(accelerator, run, new) if resume else None) or new
    set_rates(optimizer, scheduler, rates)  # the recipe's: those of the checkpoint may be too high
    if is_main():
        cut_log(run / "log.jsonl", progress.step or -1)  # of a run that begins anew, all

    names = set(trainable_state(model))
    evaluate_every, checkpoint_every = recipe.evaluate.every, recipe.evaluate.checkpoint_every
    bar = tqdm(
        total=len(schedule.steps), initial=progress.step, unit="step", disable=quiet, mininterval=1
    )
    started = time.monotonic() - progress.seconds
    with RunLog(run / "log.jsonl", accelerator) as log, bar:
        choose = recipe.evaluate.choose
        evaluate = partial(
            _evaluate_and_keep, accelerator, valid_examples, run, progress, log, choose
        )
        if progress.step == 0:
            evaluate({"last": trained}, names)
        while progress.step < len(schedule.steps) and not progress.finished:
            record = _step(
                trained, train_examples, schedule, progress.step, recipe, accelerator, optimizer
            )
            scheduler.step()
            if average is not None:
                average.update_parameters(trained)
            progress.step += 1
            progress.seconds = time.monotonic() - started
            log.write(
                {
                    "step": progress.step,
                    "seconds": round(progress.seconds, 2),
                    "learning_rate": scheduler.get_last_lr()[0],
                    **record,
                }
            )
            bar.update()
            bar.set_postfix(loss=f"{record['loss']:.3f}", best=f"{progress.best_score:.3f}")
            last = progress.step == len(schedule.steps)
            if progress.step % evaluate_every == 0 or last:
                evaluate(candidates, names)
                patience = recipe.evaluate.patience
                progress.finished = last or (patience is not None and progress.stale >= patience)
            if progress.step % checkpoint_every == 0 or progress.finished:
                log.flush()
                save_checkpoint(accelerator, progress, run)
    # Under bf16 accelerate leaves autocast on `forward`; what is saved and exported is fp32.
    accelerator.unwrap_model(trained, keep_fp32_wrapper=False)
    accelerator.end_training()
    if is_main():
        trainable_state(model, load_file(run / BEST))
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
            "rows, so that no checkpoint could be chosen; add one to data.valid, or raise "
            "evaluate.cap"
        )


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
    names = [name for name, norm in schedule.norms.items() if norm]
    temperature = recipe.distil.temperature if recipe.distil else 1.0
    members = recipe.model.members or 0
    passes = []
    for batch, times in shares(accelerator, model, schedule.steps[step]):
        chosen = [examples[i] for i in batch]
        ids, mask = collate([s for example in chosen for s in example.ids])
        with accelerator.autocast():
            scores = model(ids.to(accelerator.device), mask.to(accelerator.device))
        targets = _targets(chosen, accelerator.device)
        scores, deviations = scores.split([scores.shape[1] - members, members], 1)
        shape = recipe.loss.label_smoothing, temperature
        if members:
            counts = draws(chosen, members, recipe.seed).to(accelerator.device)
            terms = member_terms(scores[:, 0], deviations, targets, counts, *shape)
        else:
            terms = cost_terms(scores[:, 0], targets, *shape)
        # Each term is divided by its own mean count a step, so that every row weighs the same
        # in whichever batch it falls.
        sums = {name: getattr(terms, name) for name in names if name != "category"}
        if "category" in names:
            sums["category"] = _category(scores[:, 1:], chosen, schedule.positive_weights)
        values = [sums[name] / schedule.norms[name] for name in names]
        loss = sum(
            (recipe.weight_of(name) * v for name, v in zip(names, values, strict=True)),
            start=scores.new_zeros(()),
        )
        accelerator.backward(loss * times)
        passes.append(torch.stack([loss, *values]).detach())
    # Read once a step, since a GPU stands still for each value that is read.
    table = gathered(accelerator, torch.stack(passes), len(schedule.steps[step])).tolist()
    for batch, (value, *_) in zip(schedule.steps[step], table, strict=True):
        check_step("loss", [value], step + 1, [examples[i] for i in batch])
    norm = float(accelerator.clip_grad_norm_(model.parameters(), recipe.optim.clip))
    # Before it is learnt: a checkpoint must never hold weights that are no numbers.
    rows = [examples[i] for batch in schedule.steps[step] for i in batch]
    check_step("gradient", [norm], step + 1, rows)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    loss_total, *totals = map(math.fsum, zip(*table, strict=True))
    return {
        "loss": loss_total,
        **dict(zip(names, totals, strict=True)),
        "gradient_norm": norm,
    }


def _targets(examples: Sequence[Example], device: torch.device) -> Targets:
    unsafe: list[float] = []
    weight: list[float] = []
    teacher: list[float] = []
    safer: list[int] = []
    riskier: list[int] = []
    for example in examples:
        if example.safer is not None:
            safer.append(len(unsafe) + example.safer)
            riskier.append(len(unsafe) + 1 - example.safer)
        unsafe += example.unsafe
        weight += [example.weight] * len(example.ids)
        teacher += example.teacher or [math.nan] * len(example.ids)
    return Targets(
        unsafe=torch.tensor(unsafe, device=device),
        weight=torch.tensor(weight, device=device),
        safer=torch.tensor(safer, dtype=torch.long, device=device),
        riskier=torch.tensor(riskier, dtype=torch.long, device=device),
        teacher=torch.tensor(teacher, device=device),
    )


def _category(
    scores: torch.Tensor, examples: Sequence[Example], positive_weights: Sequence[float]
) -> torch.Tensor:
    flags = [each for example in examples for each in example.flags]
    weight = [example.weight for example in examples for _ in example.flags]
    return category_term(
        scores,
        torch.tensor(flags, device=scores.device),
        torch.tensor(weight, device=scores.device),
        torch.tensor(positive_weights, device=scores.device),
    )


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
    accelerator: Accelerator,
    examples: Sequence[Example],
    run: Path,
    progress: Progress,
    log: RunLog,
    choose: str,
    candidates: Mapping[str, CostModel],
    names: Container[str],
) -> None:
    """Measure the candidates, and keep the trained weights, by `names`, of the best so far, or,
    where the last is chosen, of the better one of these."""
    progress.stale += 1
    if choose == "last":
        progress.best_score = -math.inf
    for weights, model in candidates.items():
        costs = score_examples(model, examples, together=True)
        check_costs(costs, progress.step, examples)
        metrics = validation_metrics(examples, costs)
        score = metrics["auroc_mean"]
        line = {"evaluated_at": progress.step, "weights": weights, **metrics}
        log.write(line)
        log.flush()
        if score > progress.best_score:
            progress.best_step, progress.best_score, progress.stale = progress.step, score, 0
            progress.best_weights = weights
            whole = accelerator.get_state_dict(model)  # of the processes' parts
            if is_main():
                best = {name: value for name, value in whole.items() if name in names}
                write_tensors(best, run / BEST)
