"""Recipes: one YAML file that says everything a gauge is made from.

Keys are checked: an unknown one is refused by name, with the nearest known one as a hint. Any key
can be overridden on the command line as `optim.learning_rate=1e-4`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from ..data.columns import ColumnRole
from ..data.templates.family import Part
from ..members import is_member
from ..settings import Labels, Section, read_section
from ..taxonomy import CATEGORIES, category_key
from .licences import check_expression


def _listed(names: Any) -> Any:
    return [names] if isinstance(names, str) else names


Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]
"""one name stands for a list of one"""


class Source(Section):
    """One data file and how it takes part."""

    path: str
    """file below the data folder, an absolute path, hub:OWNER/NAME[:SPLIT] or
    templates:FAMILY[:PART]"""
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
    refusal_first: float = Field(default=0.0, ge=0, le=1)
    """put a refusal before this share of the responses, safe or unsafe; labels stay"""
    refused: Part | None = None
    """put a refusal in the stead of every response, and behind every prompt: rows are safe, and
    need no label. `train` or `valid`: whose words; of a pair one single is left"""
    balance: bool = False
    """safe and unsafe rows count alike, whatever their numbers: in the loss, or the calibration"""
    apart_from: tuple[str, ...] = ()
    """leave out rows whose prompt stands in these files, too: a validation source that shares
    prompts with training data would cost the latter its rows"""
    cap: int | None = Field(default=None, ge=1)
    """at most this many rows, drawn with `data.seed`"""
    weight: float = Field(default=1.0, gt=0)
    """of each row, in the loss, or of a validation source in the calibration"""
    unlabelled: bool = False
    """keep rows that say nothing of harm, by label or pair, for what teachers say of them"""
    taught: bool = True
    """ask the teachers about its rows; not where they are known to be wrong"""
    categories: list[str] | dict[str, list[str]] | None = None
    """the gauge's categories of all unsafe rows, or those of each upstream flag or `category`"""
    categories_from: str | None = None
    """file, under the same licence, with category flags of prompts: an unsafe row without flags
    takes those of its prompt"""
    exhaustive: bool = False
    """of an unsafe row with flags, the categories that are not flagged are absent, not unknown"""

    @model_validator(mode="after")
    def _refused_rows_are_safe(self) -> Source:
        if self.refused and self.refusal_first:
            raise ValueError(
                "refused leaves no answer for refusal_first to stand before; drop one of the two"
            )
        for key in ("label", "categories", "categories_from", "unlabelled"):
            if self.refused and getattr(self, key) not in (None, False):
                raise ValueError(f"refused rows are safe, whatever they were: leave out {key}")
        return self

    @model_validator(mode="after")
    def _unlabelled_are_taught(self) -> Source:
        if self.unlabelled and not self.taught:
            raise ValueError("unlabelled rows teach nothing where taught is false")
        return self

    @field_validator("categories", mode="before")
    @classmethod
    def _read_categories(cls, categories: Any) -> Any:
        """One name stands for a list of one; upstream spellings do not matter."""
        if isinstance(categories, dict):
            return {category_key(str(key)): _listed(own) for key, own in categories.items()}
        return _listed(categories)


class Data(Section):
    """Where rows come from."""

    root: str = "data"
    """folder that relative paths start from; the recipe's own folder is tried too"""
    seed: int = 0
    """of the rows that caps, refusals and `evaluate.cap` draw: its own, so that runs with
    several seeds see the same rows"""
    clean: bool = True
    """False trains on repeats and contradictions as they are: for measuring what cleaning brings"""
    weights: str | None = None
    """file of `harmgauge data noise`: what training rows count whose label is doubted"""
    train: list[Source] = Field(min_length=1)
    valid: list[Source] = Field(min_length=1)
    thresholds: tuple[Source, ...] = ()
    """safe rows, apart from those of `train` and `valid`, on which stored thresholds rest"""

    @model_validator(mode="after")
    def _validation_has_words_of_its_own(self) -> Self:
        for key, part in (("train", "train"), ("valid", "valid"), ("thresholds", None)):
            for number, source in enumerate(getattr(self, key)):
                if source.refused not in (None, part):
                    mend = f"write {part}" if part else "they rest on what people write"
                    raise ValueError(
                        f"{key}.{number} cannot have refused: {source.refused}; {mend}"
                    )
        return self


class Lora(Section):
    """Low-rank adapters instead of full fine-tuning; the head is always trained in full."""

    rank: int = Field(default=16, ge=1)
    alpha: int = Field(default=32, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    targets: str | list[str] = "all-linear"
    """module names, or all-linear"""
    rank_stabilised: bool = True
    """scale by alpha/sqrt(rank), arXiv 2312.03732"""


class Backbone(Section):
    """How a base is read, held and trained, by `harmgauge sft` as by `harmgauge train`."""

    template: Literal["turns", "chat"] | None = None
    """turns: plain text of harmgauge's own; chat: what the base's chat template writes around each
    turn. By default what a gauge or a fine-tuned base has learnt, else turns"""
    lora: Lora | None = None
    """adapters, merged into the weights at the end; null trains all weights"""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """of the weights of the base, in training and when saved; the head stays in fp32"""
    quantise: Literal["nf4"] | None = None
    """hold the base in 4 bits while its adapters are trained (QLoRA, arXiv 2305.14314)"""
    attention: Literal["eager", "sdpa", "flash_attention_2"] | None = None
    """by default what transformers chooses"""
    gradient_checkpointing: bool = False
    """less memory, for a second forward pass of every layer"""

    @model_validator(mode="after")
    def _few_bits_take_adapters(self) -> Self:
        for key, few in (("quantise", self.quantise), ("dtype", self.dtype != "float32")):
            if few and self.lora is None:
                raise ValueError(
                    f"{key}={getattr(self, key)} needs adapters, since steps of the optimiser are "
                    "smaller than what so few bits can tell apart; add lora: {}"
                )
        return self


class Model(Backbone):
    """Shape of the cost model."""

    max_tokens: int = Field(default=256, ge=16)
    """longest window; longer texts are read in several"""
    min_token_count: int | None = Field(default=None, ge=1)
    """keep of the vocabulary only tokens that so many training texts have, and what spells words"""
    layers: int | None = Field(default=None, ge=1)
    """keep only so many of the base's layers, evenly spaced over its depth; null keeps all"""
    pooling: Literal["mean", "last"] | None = None
    """by default mean for encoders, last for decoders"""
    dropout: float | None = Field(default=None, ge=0, lt=1)
    """by default what the base was trained with"""
    freeze_embeddings: bool = False
    freeze_layers: int = Field(default=0, ge=0)
    """how many of the lowest layers keep their pretrained weights"""
    freeze_costs: bool = False
    """of a gauge: what it says of costs stays, and the outputs of categories alone are trained"""
    merge: dict[str, Annotated[float, Field(gt=0, lt=1)]] = Field(default_factory=dict)
    """of a gauge: others, names or folders, and their parts of the mean that its weights become"""
    categories: tuple[str, ...] = ()
    """kinds of harm that get an output each, where validation data can calibrate it"""
    members: int | None = Field(default=None, ge=2)
    """heads of an ensemble, whose mean is the cost and whose spread is a verdict's `uncertainty`"""


class Loss(Section):
    """Weights of the terms of the cost loss, see `losses.cost_terms`."""

    rank: float = Field(default=1.0, ge=0)
    sign: float = Field(default=1.0, ge=0)
    l2: float = Field(default=1e-3, ge=0)
    distil: float = Field(default=1.0, ge=0)
    """has a part only where the recipe has `distil`"""
    category: float = Field(default=1.0, ge=0)
    """has a part only where the model has categories"""
    label_smoothing: float = Field(default=0.0, ge=0, lt=0.5)
    """labels become s and 1-s: annotators err, and a sure model calibrates badly"""


class Distil(Section):
    """Learning from what other gauges say, see `teachers`."""

    teachers: list[str] = Field(min_length=1)
    """installed gauges by name, folders of bundles, or files of costs; costs are averaged"""
    temperature: float = Field(default=1.0, gt=0)
    """above 1, softer targets; far above, the costs themselves are matched"""


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
    ema: float | None = Field(default=None, gt=0, lt=1)
    """decay a step of an average of the weights, a second candidate at each evaluation"""
    interpolate: float = Field(default=1.0, gt=0, le=1)
    """how far the kept weights lie from those of the base, a gauge, to the trained ones"""


class Evaluate(Section):
    """Watching validation data, choosing the checkpoint, calibrating."""

    every: int = Field(default=200, ge=1)
    """steps between evaluations"""
    cap: int = Field(default=200, ge=2)
    """rows a validation source while training; calibration uses all"""
    watch: list[str] | None = Field(default=None, min_length=1)
    """validation sources that choose the checkpoint, by name; by default all"""
    choose: Literal["best", "last"] = "best"
    """which evaluation's weights are kept: the one with the highest mean AUROC, or the last, where
    what is to be mended shows in no AUROC (with `optim.ema` the better of the last weights and
    their average)"""
    patience: int | None = Field(default=None, ge=1)
    """stop after this many evaluations without a better one"""
    checkpoint_every: int = Field(default=100, ge=1)
    """steps between checkpoints from which a run can resume"""

    @model_validator(mode="after")
    def _the_last_is_not_chosen_by_its_score(self) -> Self:
        if self.choose == "last" and self.patience is not None:
            raise ValueError("patience waits for a better evaluation; leave it out, or choose best")
        return self


GAUGE = "gauge:"
"""before the name or folder of a gauge that training goes on from"""
NAME = r"^[a-z0-9][a-z0-9._-]*$"
"""what a gauge or model may be called"""


class Named(Section):
    """What every recipe says of the weights that it makes."""

    name: str = Field(pattern=NAME)
    description: str = ""
    licence: str
    """licence of the weights, an SPDX expression"""

    @field_validator("licence")
    @classmethod
    def _licence_is_known(cls, licence: str) -> str:
        check_expression(licence)
        return licence


class Recipe(Named):
    """Everything a gauge is made from."""

    base: str
    """Hub id, folder, name of a folder in the cache of base models, or `gauge:` and a gauge"""
    seed: int = 0
    """of the head's first weights, the order of batches and dropout"""
    storage: Literal["int8", "int6", "fp16", "fp32"] = "int8"
    """how the bundle stores its weights"""
    runtime: Literal["onnx", "torch"] = "onnx"
    report_to: Names = ()
    """trackers that get the figures of the log: tensorboard, wandb, mlflow …"""
    calibrate: bool = True
    """fit bias and temperature on validation data; else raw scores are taken for costs"""
    data: Data
    distil: Distil | None = None
    """teachers whose costs are targets beside the labels"""
    model: Model = Model()
    loss: Loss = Loss()
    optim: Optim = Optim()
    evaluate: Evaluate = Evaluate()

    @model_validator(mode="after")
    def _unlabelled_rows_need_a_teacher(self) -> Self:
        if any(source.unlabelled for source in self.data.valid):
            raise ValueError("data.valid measures by labels; leave out unlabelled")
        if any(source.unlabelled for source in self.data.thresholds):
            raise ValueError("data.thresholds takes safe rows by their labels; state label: 0")
        if self.distil is None and any(source.unlabelled for source in self.data.train):
            raise ValueError("unlabelled rows teach nothing without teachers; add distil.teachers")
        return self

    @model_validator(mode="after")
    def _interpolation_is_between_gauges(self) -> Self:
        if self.optim.interpolate < 1:
            if not self.base.startswith(GAUGE):
                raise ValueError(
                    "optim.interpolate goes back towards a gauge, and the head of any other base "
                    "is drawn at random; leave it out, or set base: gauge:NAME"
                )
            if self.model.lora is not None:
                raise ValueError(
                    "optim.interpolate needs whole weights, and adapters are two factors of them; "
                    "leave out model.lora or optim.interpolate"
                )
            if self.model.layers is not None:
                raise ValueError(
                    "optim.interpolate goes back towards the base, and one with fewer layers is no "
                    "gauge any more; leave out model.layers or optim.interpolate"
                )
        return self

    @model_validator(mode="after")
    def _gauges_merge_with_a_gauge(self) -> Self:
        if not self.model.merge:
            return self
        if not self.base.startswith(GAUGE):
            raise ValueError(
                "model.merge averages the weights of gauges, and the base is none; set base: "
                "gauge:NAME, or leave it out"
            )
        if (total := sum(self.model.merge.values())) >= 1:
            raise ValueError(
                f"the parts of model.merge are {total:g} together, which leaves nothing to the "
                "base; lower them to less than 1"
            )
        return self

    @model_validator(mode="after")
    def _costs_that_stay_are_those_of_a_gauge(self) -> Self:
        if not self.model.freeze_costs:
            return self
        if not self.base.startswith(GAUGE):
            raise ValueError(
                "model.freeze_costs keeps the costs of a gauge, and no other base has any; leave "
                "it out, or set base: gauge:NAME"
            )
        if not self.model.categories:
            raise ValueError(
                "model.freeze_costs trains categories alone, and model.categories names none"
            )
        misplaced = {
            "distil": self.distil is not None,
            "data.thresholds": bool(self.data.thresholds),
            "calibrate=false": not self.calibrate,
            "model.lora": self.model.lora is not None,
            "model.merge": bool(self.model.merge),
            "model.layers": self.model.layers is not None,
            "model.min_token_count": self.model.min_token_count is not None,
            "model.members": self.model.members is not None,
            "model.freeze_layers": self.model.freeze_layers > 0,
            "model.freeze_embeddings": self.model.freeze_embeddings,
            "optim.ema": self.optim.ema is not None,
        }
        if named := [key for key, is_set in misplaced.items() if is_set]:
            raise ValueError(
                "model.freeze_costs keeps scales, thresholds and all weights but those of "
                f"categories, beside which {named[0]} has no place; leave one of the two out"
            )
        if self.evaluate.choose != "last":
            raise ValueError(
                "with model.freeze_costs every checkpoint gives the same costs, by which the best "
                "would be chosen; set evaluate.choose: last"
            )
        return self

    @model_validator(mode="after")
    def _categories_are_known(self) -> Self:
        if taken := [name for name in self.model.categories if is_member(name)]:
            raise ValueError(f"model.categories: {taken[0]!r} is what a member is called")
        known = {*CATEGORIES, *self.model.categories}
        for source in (*self.data.train, *self.data.valid):
            stated = source.categories or []
            lists = stated.values() if isinstance(stated, dict) else [stated]
            if unknown := sorted({name for names in lists for name in names} - known):
                raise ValueError(
                    f"categories of {source.path} name {unknown[0]!r}, which is neither in "
                    "model.categories nor in docs/categories.md"
                )
        return self

    def weight_of(self, term: str) -> float:
        """The weight of a term of the loss; where costs stay, only that of categories has one."""
        if self.model.freeze_costs and term != "category":
            return 0.0
        weight: float = getattr(self.loss, term)
        return weight


def read_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe and apply `key=value` overrides.

    Raises:
        RecipeError: the file is missing or no YAML, or a key is unknown, missing, there twice or
            ill-valued.
    """
    from .sft.recipe import SftRecipe  # which imports from here

    return read_section(
        Recipe, path, overrides, see="recipes/README.md", other=("harmgauge sft", SftRecipe)
    )
