"""A soup: the mean of the weights of finished runs of one recipe, as far as that helps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ..errors import RecipeError
from ..settings import validate
from .checkpoints import write_text
from .examples import Example
from .model import CostModel, ModelSpec
from .monitor import score_examples, validation_metrics
from .recipe import Recipe

SAME = ("licence", "base", "data", "distil", "model")
"""sections that the runs must share with the recipe: the bundle tells where its weights are from"""


def greedy_soup(
    runs: Sequence[Path], recipe: Recipe, spec: ModelSpec, watched: Sequence[Example], out: Path
) -> CostModel:
    """Average finished runs greedily (Wortsman et al., Model soups, arXiv 2203.05482).

    From the best run on, each next best is added to the mean if the mean AUROC on validation data
    does not fall; so the soup is no worse there than its best run. `out/soup.json` tells which
    were taken. LoRA is merged into the weights of a finished run, so that it is averaged rightly.

    Args:
        runs: folders of finished runs, which may differ in seed, loss and optimisation.
        recipe: what the soup is made by.
        spec: of the model that the recipe makes.
        watched: validation examples that choose.
        out: folder of the soup.

    Raises:
        RecipeError: a run is not finished, is named twice, or was made otherwise.
        BundleError: its model folder is damaged.
    """
    if len({run.resolve() for run in runs}) < len(runs):
        raise RecipeError("a run of the soup is named twice; name each once")
    scored, shared = [], set(spec.outputs)
    for run in runs:
        model = _model(run, recipe, spec)
        shared.intersection_update(model.spec.outputs)
        scored.append((_score(model, watched), run))
    # A run may have left out a category that it could not calibrate.
    spec = replace(spec, outputs=tuple(name for name in spec.outputs if name in shared))
    scored.sort(key=lambda each: each[0], reverse=True)

    (best, first), *others = scored
    model = _model(first, recipe, spec)
    mean, taken = _copy(model), 1
    told = [{"run": str(first), "auroc_mean": best, "soup": best, "taken": True}]
    for alone, run in others:
        new = _model(run, recipe, spec).state_dict()
        trial = {name: torch.lerp(mean[name], new[name], 1 / (taken + 1)) for name in mean}
        model.load_state_dict(trial, strict=False)
        score = _score(model, watched)
        better = score >= best
        told.append({"run": str(run), "auroc_mean": alone, "soup": score, "taken": better})
        if better:
            mean, best, taken = trial, score, taken + 1
    model.load_state_dict(mean, strict=False)
    write_text(json.dumps(told, indent=2), out / "soup.json")
    return model


def _model(run: Path, recipe: Recipe, spec: ModelSpec) -> CostModel:
    path = run / "recipe.json"
    if not path.is_file() or not (run / "model").is_dir():
        raise RecipeError(f"{run} is no finished run; name folders that harmgauge train wrote")
    made = validate(Recipe, json.loads(path.read_text(encoding="utf-8")), path)
    others = [key for key in SAME if getattr(made, key) != getattr(recipe, key)]
    model, _ = CostModel.load(run / "model")
    outputs = tuple(name for name in spec.outputs if name in model.spec.outputs)
    model.set_outputs(outputs)
    if others or model.spec != replace(spec, outputs=outputs):
        what = ", ".join(others) or "model"
        raise RecipeError(
            f"{run} was made with another {what} than the recipe says; a soup is of runs that "
            "differ in seed, loss and optim alone"
        )
    return model


def _copy(model: CostModel) -> dict[str, Tensor]:
    """The floating-point weights."""
    state = model.state_dict()
    return {name: value.clone() for name, value in state.items() if value.is_floating_point()}


def _score(model: CostModel, watched: Sequence[Example]) -> float:
    return float(validation_metrics(watched, score_examples(model, watched))["auroc_mean"])
