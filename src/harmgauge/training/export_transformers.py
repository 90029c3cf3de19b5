"""A bundle as a Hugging Face folder, for pipelines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, processors
from transformers import PreTrainedTokenizerFast

from ..bundle import CARD
from ..errors import BundleError
from ..files import whole_folder
from ..integrations.transformers import HarmgaugeConfig, HarmgaugeForSequenceClassification
from ..members import members_at
from ..scales import Scales
from ..windows import Layout, Windower
from .card import model_card
from .reopen import read_cost_model


def export_transformers(bundle: Path, folder: Path) -> None:
    """Write a bundle as a Hugging Face folder, whole or not at all.

    Its logits are costs at the stored priors, its tokenizer lays out a prompt (`text`) and a
    response (`text_pair`) as the gauge does, and where these have scales of their own its token
    types tell them apart. Long texts are not windowed: the tokenizer warns.

    Raises:
        BundleError: `bundle` cannot be read, was imported from a Hugging Face classifier or is
            calibrated by isotonic regression, or `folder` is not empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BundleError(f"{folder} is not empty; name another folder")
    cost_model, tokenizer, manifest = read_cost_model(bundle)
    if manifest.head:
        raise BundleError(
            f"{bundle} was imported from a Hugging Face classifier, whose head the class of gauges "
            f"cannot hold; use the folder it came from ({manifest.base.get('name')})"
        )
    scales = manifest.scales
    if any(scale.knots for scale in scales.named.values()):
        raise BundleError(
            f"{bundle} is calibrated by isotonic regression, which a linear head cannot hold; "
            "make it a bundle with harmgauge calibrate --recalibrate platt, and export that"
        )
    backbone = cost_model.backbone.config
    backbone._name_or_path = ""  # else this machine's folder would go into the file
    config = HarmgaugeConfig(
        backbone_config=backbone,
        pooling=manifest.pooling,
        max_tokens=manifest.layout.max_tokens,
        kinds=_kinds(scales),
        id2label=dict(enumerate(manifest.outputs)),
        label2id={name: index for index, name in enumerate(manifest.outputs)},
        dtype="float32",
    )
    model = HarmgaugeForSequenceClassification(config)
    calibration = scales.common
    with torch.no_grad():
        head = cost_model.head
        head.weight[0] /= calibration.temperature
        head.bias[0] = head.bias[0] / calibration.temperature + calibration.bias
        for row in members_at(manifest.outputs):
            head.weight[row] /= calibration.temperature
            head.bias[row] /= calibration.temperature
        for row, name in enumerate(manifest.category_names, 1):
            scale = manifest.categories[name]
            head.weight[row] /= scale.temperature
            head.bias[row] = head.bias[row] / scale.temperature + scale.bias
    model.cost_model.load_state_dict(cost_model.state_dict())

    with whole_folder(folder) as new:
        model.save_pretrained(new)
        saved = _tokenizer(tokenizer, manifest.layout, backbone, kinds=config.kinds is not None)
        saved.save_pretrained(new)
        usage = _USAGE + (_KINDS if config.kinds else "")
        (new / CARD).write_text(usage + model_card(manifest), encoding="utf-8")


def _kinds(scales: Scales) -> dict[str, list[float]] | None:
    """Slope and offset from the common scale to those of a prompt and of an exchange."""
    if not scales.by_kind:
        return None
    common, kinds = scales.common, {}
    for kind in ("prompt", "exchange"):
        slope = common.temperature / scales.of(kind).temperature
        kinds[kind] = [slope, scales.of(kind).bias - slope * common.bias]
    return kinds


def _tokenizer(
    tokenizer: Tokenizer, layout: Layout, config: Any, *, kinds: bool
) -> PreTrainedTokenizerFast:
    """A tokenizer that gives the ids of `Windower` for a prompt, or a prompt and a response; with
    `kinds` token types, too, that are 1 in a response."""
    turns = Windower(tokenizer, layout).turns
    (user, asked), (assistant, answered) = turns["user"], turns["assistant"]
    pieces = {
        "<start>": layout.start,
        "<user>": user,
        "<separator>": [*asked, *layout.separator],
        "<assistant>": assistant,
        "<asked>": [*asked, *layout.end],
        "<answered>": [*answered, *layout.end],
    }
    prompt = ["<start>", "<user>", "$A", "<asked>"]
    pair = ["<start>", "<user>", "$A", "<separator>", "<assistant>:1", "$B:1", "<answered>"]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=[piece for piece in prompt if pieces.get(piece.removesuffix(":1"), True)],
        pair=[piece for piece in pair if pieces.get(piece.removesuffix(":1"), True)],
        special_tokens=[
            {"id": name, "ids": list(ids), "tokens": [tokenizer.id_to_token(i) for i in ids]}
            for name, ids in pieces.items()
            if ids
        ],
    )
    # Pooling goes by the mask, but some backbones count positions by their own pad id.
    pad = config.pad_token_id if config.pad_token_id is not None else pieces["<answered>"][-1]
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=tokenizer.id_to_token(pad),
        model_max_length=layout.max_tokens,
        # The gauge itself has no token types.
        model_input_names=["input_ids", "attention_mask", *(["token_type_ids"] if kinds else [])],
        split_special_tokens=True,  # special tokens spelled in a text are text
        clean_up_tokenization_spaces=False,
    )


_USAGE = """---
library_name: transformers
pipeline_tag: text-classification
---
The gauge below for transformers: the first logit is the cost, with the calibration folded into the
head.

```python
import harmgauge.integrations.transformers  # registers the model class
from transformers import pipeline

# Of several outputs a pipeline gives the highest, which need not be the cost: ask for all.
pipe = pipeline("text-classification", "this folder", top_k=None)
texts = ["a prompt alone", {"text": "a prompt", "text_pair": "a response"}]
costs = [next(o["score"] for o in outputs if o["label"] == "cost") for outputs in pipe(texts)]
```

"""

_KINDS = """Prompts and exchanges have scales of their own. The tokenizer's `token_type_ids` tell
which one a text has: pass them on. Without them costs are on the common scale.

"""
