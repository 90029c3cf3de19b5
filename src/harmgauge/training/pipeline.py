"""From a recipe to a measured bundle: rows, training, export, calibration, measurement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import torch
from tokenizers import Tokenizer

from ..bundle import Manifest
from ..errors import RecipeError
from ..members import is_member, member_names
from ..windows import Windower
from .bases import Base, load_base
from .categories import CategoryCount, count_categories, flagged
from .checkpoints import write_text
from .cost import check_choice, train
from .depth import keep_layers
from .divergence import RATES
from .examples import Example, LoadedSource, drop_leaks, load_sources, tokenise
from .finish import check_storage, make_bundle
from .freezing import choose_trainable, merged_backbone
from .interpolation import interpolate, weights_now
from .kinds import count_kinds
from .licences import check_licence
from .merging import merged
from .model import CostModel
from .monitor import capped
from .noise import apply_doubts
from .overlap import overlap
from .packing import choose_packing
from .pictures import draw_losses
from .processes import check_work_for_all, is_main, main_first, wait
from .promises import SafeTexts, safe_texts
from .recipe import Recipe
from .run_folder import check_run_folder, remove_scratch
from .run_log import check_trackers
from .schedule import Schedule, make_schedule
from .soup import greedy_soup
from .source_table import source_table
from .teachers import provenance, taught
from .validation import check_calibration, check_classes, check_training
from .vocabulary import prune_vocabulary, texts_of, used_tokens

MAY_DIFFER = RATES | {
    *("description", "licence", "report_to", "storage", "runtime", "calibrate", "optim.interpolate")
}
"""settings that may differ on resuming: training does not hang on them, or a loss or an export that
failed says to change them"""


@dataclass(slots=True)
class Job:
    """All that is known before the first step."""

    recipe: Recipe
    model: CostModel
    tokenizer: Tokenizer
    earlier_data: tuple[Mapping[str, Any], ...]
    """what the base was trained on before, where it is a gauge or comes from `harmgauge sft`"""
    drawn: frozenset[str]
    """as in `Base.drawn`"""
    teachers: tuple[Mapping[str, Any], ...]
    """as in `Manifest.teachers`, those of the base first"""
    kept: Manifest | None
    """of the gauge whose costs stay (`model.freeze_costs`)"""
    train: list[Example]
    valid: list[Example]
    watched: list[Example]
    """the validation examples that choose the checkpoint"""
    train_sources: list[LoadedSource]
    valid_sources: list[LoadedSource]
    threshold_sources: list[LoadedSource]
    safe_texts: list[SafeTexts]
    """of `threshold_sources`, on which stored thresholds rest"""
    categories: list[CategoryCount]
    """what the rows say of each category that the recipe asks for"""
    schedule: Schedule

    def describe(self) -> str:
        """A table of what became of the rows of each source."""
        lines = source_table(
            {
                "train": self.train_sources,
                "valid": self.valid_sources,
                "thresholds": self.threshold_sources,
            }
        )
        lines.append(f"training sources: {overlap(self.train_sources)}")
        if least := self.recipe.model.min_token_count:
            kept = self.tokenizer.get_vocab_size()
            lines.append(f"vocabulary: {kept} tokens, those of {least} training texts or more")
        lines += [f"category {count}" for count in self.categories]
        if self.recipe.calibrate:
            lines += [f"kind {count}" for count in count_kinds(self.valid_sources)]
        lines += [f"thresholds of {safe}" for safe in self.safe_texts]
        return "\n".join(lines)


def prepare(recipe: Recipe, folder: Path) -> Job:
    """Read the data and make the untrained model; `folder` is the recipe's own.

    Raises:
        RecipeError: the recipe cannot be followed, which is found out here and not at the end.
        DataError: a file is missing or unreadable, or nothing of it can be used.
    """
    check_trackers(recipe.report_to)
    torch.manual_seed(recipe.seed)  # the head's first weights belong to the run
    base = load_base(recipe.base, recipe.model)
    kept = base.gauges[0] if recipe.model.freeze_costs else None
    if kept is not None:
        check_storage(recipe, kept)
    base = merged(base, recipe.model.merge)
    keep_layers(base.model, recipe.model.layers)
    new_teachers = provenance(recipe.distil.teachers if recipe.distil else ())
    teachers = tuple({each["gauge"]: each for each in (*base.teachers, *new_teachers)}.values())
    check_licence(recipe.licence, teachers, base.data, base.gauges)
    train_sources = load_sources(recipe.data.train, recipe.data, folder)
    cleaned = recipe.data.model_copy(update={"clean": True})  # what measures always is
    valid_sources = load_sources(recipe.data.valid, cleaned, folder)
    drop_leaks(train_sources, valid_sources)
    base = _with_vocabulary(base, recipe.model.min_token_count, train_sources)
    choose_trainable(base.model, recipe.model)
    threshold_sources = load_sources(recipe.data.thresholds, cleaned, folder)
    safe = safe_texts(threshold_sources, [*train_sources, *valid_sources])
    if recipe.data.weights is not None:
        apply_doubts(train_sources, Path(recipe.data.weights))
    windower = Windower(base.tokenizer, base.model.spec.layout)
    counts = count_categories(recipe.model.categories, train_sources, valid_sources)
    categories = [count.name for count in counts if count.enough]
    base.model.set_outputs(("cost", *categories, *member_names(recipe.model.members)))
    examples = flagged(tokenise(train_sources, windower), train_sources, categories)
    check_training(examples, train_sources)
    packing = choose_packing(base.model)
    schedule = make_schedule(examples, recipe.optim, recipe.seed, packing)
    told = recipe.distil is not None and recipe.loss.distil > 0
    terms = ("rank", "sign") if kept is None else ("category",)
    if not told and not any(recipe.weight_of(term) * schedule.norms[term] for term in terms):
        raise RecipeError(
            "nothing can be learnt: loss.rank weighs pairs, loss.sign labels, loss.distil "
            "teachers, with model.freeze_costs loss.category alone counts, and of what the recipe "
            "and its training rows hold the weight is 0"
        )
    if kept is None and not told and not recipe.loss.rank * schedule.norms["rank"]:
        check_classes(examples)
    valid = tokenise(valid_sources, windower)
    watched = capped(_watched(valid, recipe.evaluate.watch), recipe.evaluate.cap, recipe.data.seed)
    check_choice(watched)
    if recipe.calibrate:
        check_calibration(valid_sources)
    return Job(
        recipe,
        base.model,
        base.tokenizer,
        base.data,
        base.drawn,
        teachers,
        kept,
        examples,
        valid,
        watched,
        train_sources,
        valid_sources,
        threshold_sources,
        safe,
        counts,
        schedule,
    )


def run(
    recipe: Recipe,
    folder: Path,
    out: Path,
    *,
    soup: Sequence[Path] = (),
    resume: bool = False,
    quiet: bool = False,
) -> Path:
    """Train, export, calibrate and measure; returns the bundle's folder.

    With `soup`, finished runs of the recipe are averaged, and nothing is trained. Of several
    processes all train, and the main one does and writes the rest.

    Raises:
        RecipeError: `out` holds a run and `resume` is not asked for, a run of other settings, or
            something else; or a step has too few forward passes for all processes.
    """
    quiet = quiet or not is_main()
    check_work_for_all(recipe.optim.accumulate)
    check_run_folder(out, recipe, resume, may_differ=MAY_DIFFER)
    if soup and recipe.model.freeze_costs:
        raise RecipeError(
            "runs with model.freeze_costs all give the same costs, by which a soup takes them; "
            "train one, for longer"
        )
    job = prepare(recipe, folder)
    wait()  # until all have seen what `out` holds
    if is_main():
        out.mkdir(parents=True, exist_ok=True)
        remove_scratch(out)
        write_text(recipe.model_dump_json(indent=2, by_alias=True), out / "recipe.json")
        write_text(job.describe() + "\n", out / "data.txt")
    if not quiet:
        click.echo(f"{job.describe()}\n{job.schedule}", err=True)

    if not soup:
        if recipe.distil is not None:
            with main_first():  # the others find its costs in the cache
                teachers = recipe.distil.teachers
                job.train = taught(job.train, job.train_sources, teachers, quiet=quiet)
        part_way = is_main() and recipe.optim.interpolate < 1
        begun = weights_now(job.model) if part_way else {}
        train(job.model, job.train, job.watched, recipe, out, resume=resume, quiet=quiet)
        if part_way:
            interpolate(job.model, begun, recipe.optim.interpolate, job.drawn)
    if not is_main():
        return out / "bundle"
    if soup:
        job.model = greedy_soup(soup, recipe, job.model.spec, job.watched, out)
        # Members of several runs have nothing in common but their numbers.
        outputs = job.model.spec.outputs
        job.model.set_outputs(tuple(name for name in outputs if not is_member(name)))
    else:
        draw_losses(out / "log.jsonl", out / "loss.png")
        job.model.backbone = merged_backbone(job.model.backbone)
    if recipe.runtime == "torch":
        job.model.cpu()  # makes room on the GPU for the bundle that is measured
    return make_bundle(job, out)


def _with_vocabulary(base: Base, least: int | None, sources: Iterable[LoadedSource]) -> Base:
    """The base with only the tokens that so many training texts have; None keeps all."""
    if least is None:
        return base
    texts = texts_of(row for loaded in sources for row in loaded.rows)
    used = used_tokens(base.tokenizer, texts, least)
    model, tokenizer = prune_vocabulary(base.model, base.tokenizer, used)
    return replace(base, model=model, tokenizer=tokenizer)


def _watched(examples: Sequence[Example], names: Sequence[str] | None) -> Sequence[Example]:
    """The examples of the sources that choose the checkpoint."""
    if names is None:
        return examples
    known = {example.source for example in examples}
    if unknown := sorted(set(names) - known):
        raise RecipeError(
            f"evaluate.watch names {unknown[0]}, which is no source of data.valid; its sources are "
            f"{', '.join(sorted(known))}"
        )
    return [example for example in examples if example.source in names]
