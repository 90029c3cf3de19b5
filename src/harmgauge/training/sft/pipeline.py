"""From a recipe to a fine-tuned language model that `harmgauge train` takes as its base."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed

from ...errors import RecipeError
from ...files import whole_folder
from ...windows import Windower
from ..bases import resolve_base, weights_sha256
from ..checkpoints import TrainingError, write_text
from ..freezing import merged_backbone, unusable_attention, with_lora
from ..licences import check_licence
from ..model import (
    UNLOADABLE,
    check_positions,
    is_encoder,
    load_config,
    load_tokenizer,
    quiet_transformers,
    unloadable,
)
from ..pictures import draw_loss
from ..qlora import nf4
from ..run_folder import check_run_folder, remove_scratch
from ..source_table import source_table
from ..vocabulary import check_vocabulary
from .packing import check_packing
from .provenance import Provenance, read_provenance, template_for
from .recipe import Model, SftRecipe
from .rows import SftRows, Tokens, check_rows, read_rows_of, tokenise
from .trainer import last_checkpoint, make_trainer

MAY_DIFFER = frozenset({"description", "licence", "report_to", "optim.learning_rate", "optim.clip"})
"""settings that may differ on resuming"""


@dataclass(slots=True)
class SftJob:
    """All that is known before the first step."""

    model: Any
    tokenizer: Any
    place: str
    """folder or Hub id of the base"""
    rows: SftRows
    train: Tokens
    valid: Tokens
    provenance: Provenance

    def describe(self) -> str:
        """A table of what became of the rows of each source, and how much is learnt."""
        learnt = sum(label >= 0 for labels in self.train.labels for label in labels)
        tokens = sum(map(len, self.train.input_ids))
        return "\n".join(
            [
                *source_table({"train": self.rows.train, "valid": self.rows.valid}),
                f"{len(self.train.input_ids)} rows of {tokens} tokens, {learnt} of them learnt",
            ]
        )


def prepare(recipe: SftRecipe, folder: Path) -> SftJob:
    """Read the data and load the language model; `folder` is the recipe's own.

    Raises:
        RecipeError: the recipe cannot be followed, which is found out here and not at the end.
        DataError: a file is missing or unreadable, or nothing of it can be used.
    """
    set_seed(recipe.seed)  # adapters' first weights belong to the run
    place = resolve_base(recipe.base)
    earlier = read_provenance(place)
    inherited = earlier.inherited() if earlier else ()
    check_licence(recipe.licence, (), inherited)
    config = load_config(place)
    if config.is_encoder_decoder or is_encoder(config):
        raise RecipeError(f"base {recipe.base!r} is no causal language model; name one that is")
    template = template_for(recipe.model.template, earlier)
    tokenizer, layout = load_tokenizer(
        place, recipe.model.max_tokens, encoder=False, template=template
    )
    windower = Windower(tokenizer.backend_tokenizer, layout)
    _, closing = windower.turns["assistant"]
    if not (closing or layout.end):
        raise RecipeError(f"the tokenizer of base {recipe.base!r} has no end token; give it one")
    rows = read_rows_of(recipe, folder)
    train, valid = tokenise(rows.train, windower), tokenise(rows.valid, windower)
    check_rows(rows.train, "train")
    check_rows(rows.valid, "valid")
    model = _load(place, recipe.model)
    check_positions(model, recipe.model.max_tokens, recipe.base)
    check_vocabulary(model, tokenizer.backend_tokenizer, layout, recipe.base)
    if recipe.optim.packing:
        check_packing(model, recipe.model.attention)
    if recipe.model.lora is not None:
        model = with_lora(model, recipe.model.lora)
    name = Path(place).name if Path(place).is_dir() else place
    return SftJob(
        model,
        tokenizer,
        place,
        rows,
        train,
        valid,
        Provenance(
            recipe.name,
            recipe.licence,
            earlier.title if earlier else name,
            weights_sha256(place),
            (*inherited, *_sources(rows)),
            template,
        ),
    )


def run(
    recipe: SftRecipe, folder: Path, out: Path, *, resume: bool = False, quiet: bool = False
) -> Path:
    """Fine-tune, and save the best checkpoint; returns the model's folder.

    Raises:
        RecipeError: `out` holds a run and `resume` is not asked for, a run of other settings or
            rows, or something else.
        TrainingError: the loss is not finite, or the checkpoint is damaged.
    """
    check_run_folder(out, recipe, resume, may_differ=MAY_DIFFER)
    job = prepare(recipe, folder)
    out.mkdir(parents=True, exist_ok=True)
    remove_scratch(out)
    # The recipe first: without it a folder that a kill left holds no run.
    write_text(recipe.model_dump_json(indent=2, by_alias=True), out / "recipe.json")
    _check_rows_of_run(job.train, out)
    write_text(job.describe() + "\n", out / "data.txt")
    if not quiet:
        click.echo(job.describe(), err=True)
    last = last_checkpoint(out) if resume else None
    trainer = make_trainer(
        job.model,
        job.tokenizer,
        recipe,
        job.train,
        job.valid,
        out,
        resume=last is not None,
        quiet=quiet,
    )
    try:
        with quiet_transformers():
            trainer.train(resume_from_checkpoint=last)  # ends with the best checkpoint's weights
    except (RuntimeError, SafetensorError) as error:
        if last is None or not any(sign in str(error) for sign in _UNREADABLE):
            raise
        raise TrainingError(
            f"{last} is damaged, which no kill does but a failing disk may; remove it, and "
            "--resume goes on from the one before"
        ) from error
    draw_loss(out / "log.jsonl", out / "loss.png")
    with quiet_transformers(), whole_folder(out / "model") as new:
        merged_backbone(trainer.model).save_pretrained(new)
        # As the base's, not as set up here: `harmgauge train` sets it up itself.
        AutoTokenizer.from_pretrained(job.place).save_pretrained(new)
        job.provenance.write(new)
    return out / "model"


_UNREADABLE = ("PytorchStreamReader", "deserializing")
"""what torch and safetensors say of a file that is not whole"""


def _load(place: str, settings: Model) -> Any:
    """The language model, its head included."""
    options: dict[str, Any] = {"dtype": getattr(torch, settings.dtype)}
    if settings.quantise is not None:
        options |= nf4()
    if settings.attention is not None:
        options["attn_implementation"] = settings.attention
    try:
        with quiet_transformers():
            model, info = AutoModelForCausalLM.from_pretrained(
                place, output_loading_info=True, **options
            )
    except (ImportError, *UNLOADABLE) as error:
        if settings.attention is not None and isinstance(error, (ImportError, ValueError)):
            raise unusable_attention(settings.attention, error) from error
        raise unloadable(place, error) from error
    if info["missing_keys"]:
        raise RecipeError(
            f"base {place!r} lacks weights of a language model, such as "
            f"{sorted(info['missing_keys'])[0]}; name a base with its language-model head"
        )
    return model


def _check_rows_of_run(train: Tokens, out: Path) -> None:
    """A resumed run skips the rows that it has seen, by their number."""
    path, now = out / "rows.sha256", train.fingerprint()
    if not path.is_file():
        write_text(now + "\n", path)
    elif path.read_text(encoding="utf-8").strip() != now:
        raise RecipeError(
            f"the training rows are not those with which {out} was begun; resume with the same "
            "files, or choose another --out"
        )


def _sources(rows: SftRows) -> list[Mapping[str, Any]]:
    reports = [loaded.report for loaded in rows.train]
    return [{"source": each.source, "licence": each.licence, "rows": each.used} for each in reports]
