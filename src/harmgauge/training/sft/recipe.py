"""Recipes of `harmgauge sft`: one YAML file, keys checked by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from ...data.columns import ColumnRole
from ...settings import Labels, Section, read_section
from .. import recipe as cost_recipe
from ..recipe import GAUGE, Backbone, Named, Names


class Source(Section):
    """One data file; of each pair the safer response is learnt."""

    path: str
    """file below the data folder, an absolute path, or hub:OWNER/NAME[:SPLIT]"""
    licence: str
    """licence of the data, carried into every gauge made from the model"""
    name: str | None = None
    """name in logs; by default the name of the file's folder"""
    schema_name: str | None = Field(default=None, alias="schema")
    """upstream schema, where the columns alone do not settle it"""
    columns: dict[ColumnRole, str] | None = None
    """names of the columns of a file of any other layout, by what they hold"""
    labels: Labels | None = None
    """label column's values to unsafe (1), safe (0) or left out (null)"""
    safe_only: bool = False
    """leave out responses that are labelled unsafe, the safer ones of pairs among them"""
    kind: str | None = None
    """keep only rows whose `kind` column says this"""
    apart_from: tuple[str, ...] = ()
    """leave out rows whose prompt stands in these files, too"""
    cap: int | None = Field(default=None, ge=1)
    """at most this many rows, drawn with `data.seed`"""

    def read(self) -> cost_recipe.Source:
        """How a cost model's recipe would say the same; rows need no label here."""
        own = {"cap", "safe_only"}
        return cost_recipe.Source(
            **self.model_dump(exclude=own, by_alias=True), safer_only=True, unlabelled=True
        )


class Data(Section):
    """Where rows come from."""

    root: str = "data"
    """folder that relative paths start from; the recipe's own folder is tried too"""
    seed: int = 0
    """of the rows that caps draw, and of the prompts that `valid_share` takes"""
    train: list[Source] = Field(min_length=1)
    valid: tuple[Source, ...] = ()
    """by default rows of `train`, see `valid_share`"""
    valid_share: float = Field(default=0.05, gt=0, lt=1)
    """share of the prompts of `train` that validate, where `valid` is not given"""

    def read(self) -> cost_recipe.Data:
        """As in a cost model's recipe."""
        train = [source.read() for source in self.train]
        valid = [source.read() for source in self.valid]
        return cost_recipe.Data(root=self.root, seed=self.seed, train=train, valid=valid or train)


class Model(Backbone):
    """How the language model is read and trained."""

    max_tokens: int = Field(default=512, ge=16)
    """longest sequence; should be that of the cost model's recipe"""


class Optim(Section):
    """Optimisation."""

    learning_rate: float = Field(default=2e-5, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    betas: tuple[float, float] = (0.9, 0.95)
    warmup: float = Field(default=0.03, ge=0, lt=1)
    """share of steps over which the learning rate rises"""
    schedule: Literal["linear", "cosine", "constant"] = "cosine"
    clip: float = Field(default=1.0, gt=0)
    """largest gradient norm"""
    epochs: float = Field(default=3.0, gt=0)
    max_steps: int | None = Field(default=None, ge=1)
    """stop after this many steps, whatever `epochs` says"""
    batch_size: int = Field(default=8, ge=1)
    """sequences of one forward pass; with `packing`, rows of `max_tokens` filled with several"""
    accumulate: int = Field(default=1, ge=1)
    """forward passes an optimiser step"""
    packing: bool = False
    """fill rows with several exchanges; refused where the attention would mix them"""


class Evaluate(Section):
    """Watching the loss on validation data, choosing the checkpoint."""

    every: int = Field(default=100, ge=1)
    """steps between evaluations; each leaves a checkpoint from which a run can resume"""
    cap: int | None = Field(default=1000, ge=1)
    """rows a validation source"""
    patience: int | None = Field(default=None, ge=1)
    """stop after this many evaluations without a better one"""
    log_every: int = Field(default=10, ge=1)
    """steps between records of the training loss"""


class SftRecipe(Named):
    """Everything a fine-tuned language model is made from."""

    base: str
    """causal language model: Hub id, folder, or name of a folder in the cache of base models"""
    seed: int = 0
    """of adapters' first weights, the order of batches and dropout"""
    report_to: Names = ()
    """integrations of transformers that get the metrics: tensorboard, wandb, mlflow …"""
    data: Data
    model: Model = Model()
    optim: Optim = Optim()
    evaluate: Evaluate = Evaluate()

    @model_validator(mode="after")
    def _base_is_a_language_model(self) -> Self:
        if self.base.startswith(GAUGE):
            raise ValueError("base: a gauge writes no text; name a causal language model")
        return self


def read_sft_recipe(path: Path, overrides: Sequence[str] = ()) -> SftRecipe:
    """Read a recipe and apply `key=value` overrides.

    Raises:
        RecipeError: the file is missing or no YAML, or a key is unknown, missing, there twice or
            ill-valued.
    """
    return read_section(
        SftRecipe,
        path,
        overrides,
        see="docs/sft.md",
        other=("harmgauge train", cost_recipe.Recipe),
    )
