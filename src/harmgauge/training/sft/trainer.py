"""TRL's trainer, set up as a recipe says."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import torch
from huggingface_hub import constants
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    ProgressCallback,
    TrainerCallback,
)
from transformers.integrations import get_reporting_integration_callbacks
from trl import SFTConfig, SFTTrainer

from ...errors import RecipeError
from ..checkpoints import TrainingError, write_text
from ..divergence import DAMAGED, MEND, set_rates
from .recipe import SftRecipe
from .rows import Tokens


def make_trainer(
    model: Any,
    tokenizer: Any,
    recipe: SftRecipe,
    train: Tokens,
    valid: Tokens,
    out: Path,
    *,
    resume: bool = False,
    quiet: bool = False,
) -> Any:
    """The trainer, before its first step. It gets token ids and labels ready made.

    TRL would tokenise prompt and response as one string, in which a text can spell special tokens,
    and would quote texts in its warnings.

    Raises:
        RecipeError: an integration of `report_to` is unknown or not installed, or TRL refuses the
            settings.
    """
    constants.HF_HUB_DISABLE_TELEMETRY = True  # TRL would tell the Hub of every run
    watchers = [_Log(out / "log.jsonl"), _Rate(), *_integrations(recipe.report_to)]
    if recipe.evaluate.patience is not None:
        watchers.append(EarlyStoppingCallback(recipe.evaluate.patience))
    if not quiet:
        watchers.append(_Bar())
    bars = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    with warnings.catch_warnings():
        # TRL itself takes the name that gradient checkpointing had before transformers 5.24.
        warnings.simplefilter("ignore", FutureWarning)
        config = _config(recipe, out, resume)
    try:
        trainer = SFTTrainer(
            model,
            config,
            train_dataset=_dataset(train),
            eval_dataset=_dataset(valid),
            processing_class=tokenizer,
            callbacks=watchers,
        )
    except ValueError as error:
        reason = str(error).splitlines()[0]
        raise RecipeError(f"TRL refuses the settings of this recipe: {reason}") from error
    finally:
        if not bars:
            datasets.enable_progress_bars()
    trainer.remove_callback(PrinterCallback)  # standard output is for the result
    return trainer


def last_checkpoint(out: Path) -> str | None:
    """The newest whole checkpoint of a run; its state is written last, so a kill leaves none."""
    for folder in sorted((out / "checkpoints").glob("checkpoint-*"), key=_step, reverse=True):
        try:
            json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        return str(folder.resolve())
    return None


def _step(folder: Path) -> int:
    return int(folder.name.rpartition("-")[2])


def _dataset(tokens: Tokens) -> Any:
    return datasets.Dataset.from_dict({"input_ids": tokens.input_ids, "labels": tokens.labels})


def _config(recipe: SftRecipe, out: Path, resume: bool) -> Any:
    model, optim, evaluate = recipe.model, recipe.optim, recipe.evaluate
    cuda = torch.cuda.is_available()
    config = SFTConfig(
        # Absolute: the trainer keeps the path of the best checkpoint for a resume.
        output_dir=str(out.resolve() / "checkpoints"),
        run_name=recipe.name,
        seed=recipe.seed,
        data_seed=recipe.seed,
        bf16=cuda and torch.cuda.is_bf16_supported(),
        dataloader_pin_memory=cuda,  # else torch warns, in the midst of the bar
        gradient_checkpointing=model.gradient_checkpointing,
        max_length=model.max_tokens,
        packing=optim.packing,
        eval_packing=False,
        per_device_train_batch_size=optim.batch_size,
        per_device_eval_batch_size=1,  # a mean of responses, whatever batches they fall into
        gradient_accumulation_steps=optim.accumulate,
        learning_rate=optim.learning_rate,
        weight_decay=optim.weight_decay,
        adam_beta1=optim.betas[0],
        adam_beta2=optim.betas[1],
        warmup_steps=optim.warmup,  # below 1, a share
        lr_scheduler_type=optim.schedule,
        max_grad_norm=optim.clip,
        num_train_epochs=optim.epochs,
        max_steps=optim.max_steps or -1,
        eval_strategy="steps",
        eval_steps=evaluate.every,
        eval_on_start=not resume,
        save_strategy="steps",
        save_steps=evaluate.every,
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        logging_steps=evaluate.log_every,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
    )
    if config.n_gpu > 1:  # one GPU a process; TRL refuses to spread a batch over several
        config._n_gpu = 1
    return config


def _integrations(names: Sequence[str]) -> list[Any]:
    try:
        return [kind() for kind in get_reporting_integration_callbacks(list(names))]
    except (ValueError, RuntimeError, ImportError) as error:
        raise RecipeError(f"report_to={', '.join(names)}: {error}") from None


class _Log(TrainerCallback):  # type: ignore[misc]  # transformers is not followed
    """Writes the trainer's records to a file, a line each; stops where the loss is no number."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, float], **rest: Any
    ) -> None:
        if not all(math.isfinite(logs.get(key, 0.0)) for key in ("loss", "eval_loss")):
            step, every = state.global_step, args.logging_steps
            earlier = f", or in the {every - 1} before it" if step and every > 1 else ""
            raise TrainingError(
                f"the loss is not finite at step {step}{earlier}; {MEND if step else DAMAGED}"
            )
        if state.is_world_process_zero:
            lines = "".join(json.dumps(record) + "\n" for record in state.log_history)
            write_text(lines, self.path)


class _Rate(TrainerCallback):  # type: ignore[misc]
    """Goes on at the recipe's learning rate: that of a checkpoint may have been too high."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        optimizer, scheduler = rest["optimizer"], rest["lr_scheduler"]
        set_rates(optimizer, scheduler, [args.learning_rate] * len(optimizer.param_groups))


class _Bar(ProgressCallback):  # type: ignore[misc]
    """Shows the loss beside the bar, not a line a record on standard output."""

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, float], **rest: Any
    ) -> None:
        if self.training_bar is not None:
            shown = {key: f"{logs[key]:.3f}" for key in ("loss", "eval_loss") if key in logs}
            self.training_bar.set_postfix(shown)
