"""Recipes: one YAML file that says everything a gauge is made from.

Keys are checked: an unknown one is refused by name, with the nearest known one as a hint. Any key
can be overridden on the command line as `optim.learning_rate=1e-4`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field

from ..data.columns import ColumnRole
from ..errors import RecipeError
from ..settings import Labels, Section, read_mapping, validate


class Source(Section):
    """One data file and how it takes part."""

    path: str
    """file below the data folder, an absolute path, or hub:OWNER/NAME[:SPLIT]"""
    licence: str
    """licence of the data, carried into the bundle"""
    name: str | None = None
    """name in logs and metrics; by default the name of the file's folder"""
    schema_name: str | None = Field(default=None, alias="schema")
    """upstream schema, where the columns alone do not settle it"""
    columns: dict[ColumnRole, str] | None = None
    """names of the columns of a file of any other layout, by what they hold"""
    labels: Labels | None = None
    """label column's values to unsafe (1), safe (0) or left out (null)"""
    label: float | None = None
    """label of every row that has none"""
    part: Literal["exchange", "prompt", "response"] = "exchange"
    """what of each row is read"""
    recast: Literal["prompt", "response"] | None = None
    """read a lone text as what a user (prompt) or an assistant (response) says"""
    safer_only: bool = False
    """of each pair, read only the safer response, as a single"""
    kind: str | None = None
    """keep only rows whose `kind` column says this"""
    balance: bool = False
    """safe and unsafe rows count alike, whatever their numbers: in the loss, or the calibration"""
    cap: int | None = Field(default=None, ge=1)
    """at most this many rows, drawn with the recipe's seed"""
    weight: float = Field(default=1.0, gt=0)
    """of each row, in the loss, or of a validation source in the calibration"""


class Data(Section):
    """Where rows come from."""

    root: str = "data"
    """folder that relative paths start from; the recipe's own folder is tried too"""
    train: list[Source] = Field(min_length=1)
    valid: list[Source] = Field(min_length=1)


class Lora(Section):
    """Low-rank adapters instead of full fine-tuning; the head is always trained in full."""

    rank: int = Field(default=16, ge=1)
    alpha: int = Field(default=32, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    targets: str | list[str] = "all-linear"
    """module names, or all-linear"""
    rank_stabilised: bool = True
    """scale by alpha/sqrt(rank), arXiv 2312.03732"""


class Model(Section):
    """Shape of the cost model."""

    max_tokens: int = Field(default=256, ge=16)
    """longest window; longer texts are read in several"""
    pooling: Literal["mean", "last"] | None = None
    """by default mean for encoders, last for decoders"""
    dropout: float | None = Field(default=None, ge=0, lt=1)
    """by default what the base was trained with"""
    freeze_embeddings: bool = False
    freeze_layers: int = Field(default=0, ge=0)
    """how many of the lowest layers keep their pretrained weights"""
    lora: Lora | None = None


class Loss(Section):
    """Weights of the terms of the cost loss, see `losses.cost_loss`."""

    rank: float = Field(default=1.0, ge=0)
    sign: float = Field(default=1.0, ge=0)
    l2: float = Field(default=1e-3, ge=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=0.5)
    """labels become s and 1-s: annotators err, and a sure model calibrates badly"""


class Optim(Section):
    """Optimisation."""

    learning_rate: float = Field(default=1e-4, gt=0)
    head_learning_rate: float | None = Field(default=None, gt=0)
    """by default ten times the learning rate"""
    weight_decay: float = Field(default=0.01, ge=0)
    betas: tuple[float, float] = (0.9, 0.98)
    warmup: float = Field(default=0.06, ge=0, lt=1)
    """share of steps over which the learning rate rises"""
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    clip: float = Field(default=1.0, gt=0)
    """largest gradient norm"""
    epochs: float = Field(default=2.0, gt=0)
    max_steps: int | None = Field(default=None, ge=1)
    """stop after this many steps, whatever `epochs` says"""
    batch_tokens: int = Field(default=4096, ge=16)
    """tokens of one forward pass, padding included"""
    accumulate: int = Field(default=1, ge=1)
    """forward passes an optimiser step"""


class Evaluate(Section):
    """Watching validation data, choosing the checkpoint, calibrating."""

    every: int = Field(default=200, ge=1)
    """steps between evaluations"""
    cap: int = Field(default=200, ge=2)
    """rows a validation source while training; calibration uses all"""
    watch: list[str] | None = Field(default=None, min_length=1)
    """validation sources that choose the checkpoint, by name; by default all"""
    patience: int | None = Field(default=None, ge=1)
    """stop after this many evaluations without a better one"""
    checkpoint_every: int = Field(default=100, ge=1)
    """steps between checkpoints from which a run can resume"""


class Recipe(Section):
    """Everything a gauge is made from."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    description: str = ""
    licence: str
    """licence of the weights, an SPDX expression"""
    base: str
    """Hub id, folder, name of a folder in the cache of base models, or `gauge:` and a gauge"""
    seed: int = 0
    storage: Literal["int8", "fp32"] = "int8"
    """how the bundle stores its weights"""
    runtime: Literal["onnx", "torch"] = "onnx"
    calibrate: bool = True
    """fit bias and temperature on validation data; else raw scores are taken for costs"""
    data: Data
    model: Model = Model()
    loss: Loss = Loss()
    optim: Optim = Optim()
    evaluate: Evaluate = Evaluate()


def read_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe and apply `key=value` overrides.

    Raises:
        RecipeError: the file is missing or no YAML, or a key is unknown, missing, there twice or
            ill-valued.
    """
    values = read_mapping(path, "recipe", "recipes/README.md")
    for override in overrides:
        _override(values, override)
    return validate(Recipe, values, path)


def _override(values: Any, override: str) -> None:
    """Set one dotted key, such as `data.train.0.cap=100`, in the raw YAML values.

    A position one past the end of a list appends to it.
    """
    key, sign, text = override.partition("=")
    if not sign or not key:
        raise RecipeError(f"override {override!r} is not of the form key=value")
    *parents, last = key.split(".")
    target = values
    try:
        for parent in parents:
            if isinstance(target, list):
                target = target[int(parent)]
            else:
                if target.get(parent) is None:
                    target[parent] = {}
                target = target[parent]
        value = yaml.safe_load(text)  # reads 1e-4 as a string, which pydantic makes a number
        if isinstance(target, list):
            if int(last) == len(target):
                target.append(value)
            else:
                target[int(last)] = value
        else:
            target[last] = value
    except yaml.YAMLError:
        raise RecipeError(f"the value of override {override!r} is not valid YAML") from None
    except (ValueError, IndexError, AttributeError, TypeError):
        raise RecipeError(f"override {override!r} names no place in the recipe") from None
