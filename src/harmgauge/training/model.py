"""The cost model: any Hugging Face backbone, pooling by attention mask, an fp32 linear head.

Saved as a *model folder*: the backbone as transformers writes it, `head.safetensors`,
`tokenizer.json` and `harmgauge.json` (pooling, layout, template). A bundle is made from it.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.models import WordPiece
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoTokenizer
from transformers import __version__ as transformers_version
from transformers.utils import logging as transformers_logging

from ..errors import BundleError, RecipeError
from ..exchange import TEMPLATE_ID
from ..windows import Layout
from .chat_layout import chat_layout
from .heads import ClassifierHead, Head
from .packing import Packing, read_packed
from .qlora import nf4
from .symbols import read_symbols

Pooling = Literal["mean", "last", "first"]
Template = Literal["turns", "chat"]


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What a model folder needs beside its weights to be used as it was trained."""

    pooling: Pooling
    """mean over real tokens (encoders), the last real token (decoders) or the first (classifiers
    that were trained elsewhere)"""
    layout: Layout
    outputs: tuple[str, ...] = ("cost",)
    """what each output of the head means: the cost comes first, then categories, then members"""
    base: str = ""
    """the Hub id or folder name the backbone came from"""
    base_sha256: str | None = None
    template: str = TEMPLATE_ID
    head: Head | None = None
    """of a classifier that was trained elsewhere; None is linear"""

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> ModelSpec:
        values = json.loads(text)
        values["layout"] = Layout.from_dict(values["layout"])
        values["outputs"] = tuple(values["outputs"])
        values["head"] = read_head(values.get("head"))
        return cls(**values)


class CostModel(nn.Module):  # type: ignore[misc]  # torch is not followed, see pyproject
    """Backbone, pooling, head. `forward` gives raw, uncalibrated scores.

    The head has a bias, so that the border at 0 need not pass through the zero vector, and stays
    in fp32, since bf16 scores collapse into ties.
    """

    def __init__(self, backbone: nn.Module, spec: ModelSpec) -> None:
        super().__init__()
        self.backbone = backbone
        self.spec = spec
        size = _hidden_size(backbone.config)
        self.head = (
            ClassifierHead(size, spec.head) if spec.head else _new_head(size, len(spec.outputs))
        )
        self._first_position = _first_position(backbone)
        self.packing: Packing = "padded"
        """how a batch is read; `packing.choose_packing` sets it"""

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Raw scores.

        Args:
            input_ids: token ids, `[batch, length]`.
            attention_mask: 1 for real tokens, `[batch, length]`; padding on either side.

        Returns:
            fp32 scores, `[batch, outputs]`, the cost first.
        """
        pooled = self.pooled(input_ids, attention_mask)
        with torch.autocast(device_type=pooled.device.type, enabled=False):
            scores: Tensor = self.head(pooled)
        return scores

    def pooled(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """What the head sees, `[batch, size]`; arguments as of `forward`."""
        inputs: dict[str, Tensor] = {"input_ids": input_ids, "attention_mask": attention_mask}
        if self._first_position is not None:
            # Positions must start at the first real token under left padding too.
            positions = (attention_mask.cumsum(1) - 1).clamp(min=0)
            inputs["position_ids"] = positions + self._first_position
        if self.spec.layout.segments:
            inputs["token_type_ids"] = self._segments(input_ids, attention_mask)
        if self.packing == "padded":
            hidden = self.backbone(**inputs).last_hidden_state
        else:
            hidden = read_packed(self.backbone, inputs, share=self.packing == "shared")
        return pool(hidden.float(), attention_mask, self.spec.pooling)

    def _segments(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Token types: 1 after the last separator but the one at the end."""
        separators = ((input_ids == self.spec.layout.separator[-1]) & attention_mask.bool()).long()
        passed = separators.cumsum(1) - separators
        given = (separators.sum(1, keepdim=True) - 1).clamp(min=1)
        return (passed >= given).long()

    def set_outputs(self, outputs: tuple[str, ...]) -> None:
        """Give the head these outputs; those that it has already keep their weights.

        Raises:
            RecipeError: the head is that of a classifier trained elsewhere.
        """
        if outputs == self.spec.outputs:
            return
        if self.spec.head is not None:
            raise RecipeError(
                f"base {self.spec.base!r} was imported with the head of its classifier, which has "
                "no room for categories and members; leave out model.categories and model.members"
            )
        old = self.head
        self.head = _new_head(old.in_features, len(outputs)).to(old.weight.device)
        with torch.no_grad():
            for row, name in enumerate(outputs):
                if name in self.spec.outputs:
                    place = self.spec.outputs.index(name)
                    self.head.weight[row] = old.weight[place]
                    self.head.bias[row] = old.bias[place]
        self.spec = replace(self.spec, outputs=outputs)

    def save(self, folder: Path, tokenizer: Tokenizer) -> None:
        """Write a model folder; `folder` is made."""
        folder.mkdir(parents=True, exist_ok=True)
        with quiet_transformers():
            self.backbone.save_pretrained(folder)
        save_file(
            {name: value.contiguous() for name, value in self.head.state_dict().items()},
            folder / "head.safetensors",
        )
        tokenizer.save(str(folder / "tokenizer.json"))
        (folder / "harmgauge.json").write_text(self.spec.to_json(), encoding="utf-8")

    @classmethod
    def load(
        cls, folder: Path, *, dropout: float | None = None, dtype: torch.dtype | None = None
    ) -> tuple[CostModel, Tokenizer]:
        """Read a model folder, in evaluation mode.

        Args:
            folder: as `save` writes it.
            dropout: another one, for training it further.
            dtype: of the backbone's weights; None is what they were saved in.

        Raises:
            BundleError: the folder lacks a file, or the head does not fit the backbone.
        """
        for name in ("config.json", "head.safetensors", "tokenizer.json", "harmgauge.json"):
            if not (folder / name).is_file():
                raise BundleError(f"{folder} is not a model folder: it has no {name}")
        spec = ModelSpec.from_json((folder / "harmgauge.json").read_text(encoding="utf-8"))
        config = load_config(str(folder))
        set_dropout(config, dropout)
        saved = torch.bfloat16 if config.dtype == torch.bfloat16 else torch.float32
        model = cls(_load_backbone(str(folder), config, dtype or saved), spec)
        # strict: a head that is missing or misshapen must never be replaced by a random one.
        try:
            model.head.load_state_dict(load_file(folder / "head.safetensors"), strict=True)
        except RuntimeError as error:
            raise BundleError(
                f"{folder}: head.safetensors does not fit this backbone; save the model again"
            ) from error
        return model.eval(), Tokenizer.from_file(str(folder / "tokenizer.json"))


def read_head(values: Mapping[str, Any] | None) -> Head | None:
    """A head as JSON has it; None or nothing is a linear one."""
    if not values:
        return None
    names = {key: tuple(values[key]) for key in ("labels", "unsafe")}
    return Head(**{**values, **names})


def _new_head(size: int, outputs: int) -> nn.Linear:
    head = nn.Linear(size, outputs, dtype=torch.float32)
    # Small, so that training starts near cost 0, where every loss term is ln 2.
    nn.init.normal_(head.weight, std=0.02)
    nn.init.zeros_(head.bias)
    return head


def pool(hidden: Tensor, attention_mask: Tensor, pooling: Pooling) -> Tensor:
    """One vector a sequence, `[batch, length, size]` to `[batch, size]`.

    The mask decides, never the token id: pad may equal eos, and padding may be on either side.
    """
    if pooling == "mean":
        mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * mask).sum(1) / mask.sum(1).clamp(min=1)
    positions = torch.arange(attention_mask.shape[1], device=attention_mask.device)
    if pooling == "first":
        positions = positions.flip(0)
    place = (attention_mask * (positions + 1)).argmax(1)  # outermost real token
    return hidden[torch.arange(hidden.shape[0], device=hidden.device), place]


def new_cost_model(
    base: str,
    *,
    max_tokens: int,
    pooling: Pooling | None = None,
    dropout: float | None = None,
    base_sha256: str | None = None,
    template: Template = "turns",
    dtype: torch.dtype = torch.float32,
    quantise: bool = False,
) -> tuple[CostModel, Tokenizer]:
    """A cost model with a fresh head on a pretrained backbone.

    Args:
        base: Hub id, or folder in Hugging Face layout.
        max_tokens: longest window in tokens; at most what the backbone has positions for.
        pooling: None chooses mean for encoders and last for decoders.
        dropout: hidden and attention dropout where the backbone has it; None keeps its own.
        base_sha256: hash of the base's weights, to be kept.
        template: turns in harmgauge's plain text, or as the base's chat template writes them.
        dtype: of the backbone's weights.
        quantise: hold them in 4 bits, on a GPU, for adapters to be trained.

    Raises:
        RecipeError: the base cannot be loaded, is neither encoder nor decoder, has no tokenizer or
            no chat template that can be followed, or has fewer positions than `max_tokens`; or
            what `quantise` needs is not here.
    """
    config = load_config(base)
    if config.is_encoder_decoder:
        raise RecipeError(f"base {base!r} is an encoder with a decoder; name one that is either")
    set_dropout(config, dropout)
    few_bits = nf4() if quantise else {}
    try:
        backbone = _load_backbone(base, config, dtype, **few_bits)
    except UNLOADABLE as error:
        raise unloadable(base, error) from error
    encoder = is_encoder(config)
    fast, layout = load_tokenizer(base, max_tokens, encoder=encoder, template=template)
    check_positions(backbone, max_tokens, base)
    spec = ModelSpec(
        pooling=pooling or ("mean" if encoder else "last"),
        layout=layout,
        base=Path(base).name if Path(base).is_dir() else base,
        base_sha256=base_sha256,
    )
    return CostModel(backbone, spec), fast.backend_tokenizer


def load_tokenizer(
    base: str, max_tokens: int, *, encoder: bool, template: Template = "turns"
) -> tuple[Any, Layout]:
    """The fast tokenizer of a base, made to hide no text, and where its special tokens go.

    Raises:
        RecipeError: the base has none, it cannot be loaded, or its chat template is to be followed
            and there is none or it cannot be.
    """
    try:
        fast = AutoTokenizer.from_pretrained(base)
    except (OSError, ValueError) as error:
        raise unloadable(base, error) from error
    # Where its files are missing, transformers makes a tokenizer that knows no word.
    if not fast.is_fast or fast.vocab_size <= len(fast.all_special_ids):
        raise RecipeError(f"base {base!r} has no tokenizer.json; put it into the folder")
    if template == "chat":
        layout = _chat_layout(fast, max_tokens, base)
    else:
        layout = _layout(fast, max_tokens, encoder=encoder)
    tokenizer: Tokenizer = fast.backend_tokenizer
    read_long_words(tokenizer)
    read_symbols(tokenizer)
    return fast, layout


UNLOADABLE = (OSError, ValueError, RuntimeError, SafetensorError)
"""what transformers raises of files that are not whole, or do not fit each other"""


def unloadable(base: str, error: Exception) -> RecipeError:
    """The error for a base whose files are there and not whole, or too large for a GPU."""
    if isinstance(error, torch.OutOfMemoryError):
        return RecipeError(
            f"base {base!r} does not fit into the GPU's memory; take a smaller one, or a larger GPU"
        )
    return RecipeError(
        f"the weights or the tokenizer of base {base!r} cannot be loaded "
        f"({type(error).__name__}); make the folder again (recipes/README.md)"
    )


def read_long_words(tokenizer: Tokenizer) -> None:
    """Cut runs of letters that WordPiece would read as one unknown token: text would be hidden."""
    if isinstance(tokenizer.model, WordPiece):
        cut = pre_tokenizers.FixedLength(tokenizer.model.max_input_chars_per_word)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([tokenizer.pre_tokenizer, cut])


def check_positions(backbone: nn.Module, max_tokens: int, base: str) -> None:
    """Refuse windows that are longer than what the backbone has positions for."""
    positions = getattr(backbone.config, "max_position_embeddings", None)
    if positions is None:
        return
    positions -= _first_position(backbone) or 0
    if max_tokens > positions:
        raise RecipeError(
            f"max_tokens is {max_tokens}, but {base} has only {positions} positions; lower it"
        )


def set_dropout(config: Any, dropout: float | None) -> None:
    """Set hidden and attention dropout where a config has them; None leaves them."""
    if dropout is None:
        return
    for key in _DROPOUTS:
        if hasattr(config, key):
            setattr(config, key, dropout)


def is_encoder(config: Any) -> bool:
    """True for bidirectional backbones: a masked-LM class exists for their model type."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CAUSAL
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES as MASKED

    if config.model_type in MASKED:
        return not getattr(config, "is_decoder", False)
    return config.model_type not in CAUSAL


def _layout(tokenizer: Any, max_tokens: int, *, encoder: bool) -> Layout:
    """Special tokens as the base was trained with them: a BOS only where its tokenizer adds one."""
    bare = tokenizer("a", add_special_tokens=False)["input_ids"]
    dressed = tokenizer("a")["input_ids"]
    at = next(i for i in range(len(dressed)) if dressed[i : i + len(bare)] == bare)
    start, end = dressed[:at], dressed[at + len(bare) :]
    if not end and tokenizer.eos_token_id is not None:
        end = [tokenizer.eos_token_id]
    if encoder:
        separator = [tokenizer.sep_token_id] if tokenizer.sep_token_id is not None else end
    else:
        separator = tokenizer("\n\n", add_special_tokens=False)["input_ids"]
    return Layout(tuple(start), tuple(separator), tuple(end), max_tokens)


def _chat_layout(tokenizer: Any, max_tokens: int, base: str) -> Layout:
    if not tokenizer.chat_template:
        raise RecipeError(f"base {base!r} has no chat template; leave out model.template")
    layout = chat_layout(tokenizer, max_tokens)
    if layout is None:
        raise RecipeError(
            f"the chat template of base {base!r} does not write every turn of a role in one way "
            "(or fails), so that long texts could not be read in windows; leave out model.template"
        )
    return layout


def _first_position(backbone: nn.Module) -> int | None:
    """Position id of a text's first token; None where the backbone takes no position ids."""
    if "position_ids" not in inspect.signature(backbone.forward).parameters:
        return None
    table = getattr(getattr(backbone, "embeddings", None), "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)
    return 0 if padding is None else padding + 1  # RoBERTa and its kin count from behind the pad


def _hidden_size(config: Any) -> int:
    return int(config.get_text_config().hidden_size)


def load_config(base: str) -> Any:
    """The config of a base.

    Raises:
        RecipeError: there is no such base, or it is of a kind that transformers does not know.
    """
    try:
        return AutoConfig.from_pretrained(base)
    except (OSError, ValueError) as error:
        if (Path(base) / "config.json").is_file():
            raise RecipeError(
                f"the config.json of base {base!r} is damaged, or names a kind of model that the "
                f"installed transformers {transformers_version} does not know; make the folder "
                "again, or install a later transformers"
            ) from error
        raise RecipeError(
            f"base {base!r} is neither a Hugging Face folder nor a reachable Hub id; "
            "make the folder first (recipes/README.md) or check the spelling"
        ) from error


def _load_backbone(base: str, config: Any, dtype: torch.dtype, **options: Any) -> nn.Module:
    options |= _backbone_options(config) | {"dtype": dtype}
    # Masked-LM heads in a checkpoint are not ours; the warning about them would only alarm.
    with quiet_transformers():
        backbone: nn.Module = AutoModel.from_pretrained(base, config=config, **options)
    return backbone


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """No bars and warnings of transformers; they are about what is done on purpose."""
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        transformers_logging.enable_progress_bar()


def new_backbone(config: Any, dtype: torch.dtype = torch.float32) -> nn.Module:
    """The architecture of a backbone's config, with weights yet to be loaded."""
    options = _backbone_options(config) | {"dtype": dtype}
    backbone: nn.Module = AutoModel.from_config(config, **options)
    return backbone


def _backbone_options(config: Any) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if config.model_type in _POOLER_TYPES:  # a pooler we would neither use nor train
        options["add_pooling_layer"] = False
    if config.model_type == "mpnet":  # has no SDPA path in transformers 5
        options["attn_implementation"] = "eager"
    return options


_DROPOUTS = (
    *("hidden_dropout_prob", "attention_probs_dropout_prob"),  # BERT and its kin
    *("dropout", "attention_dropout", "mlp_dropout", "embedding_dropout", "hidden_dropout"),
    *("resid_pdrop", "embd_pdrop", "attn_pdrop", "resid_dropout", "embed_dropout"),  # GPT
)
_POOLER_TYPES = frozenset({"bert", "camembert", "mpnet", "roberta", "xlm-roberta"})
