"""A bundle as a cost model again: to train further, or to write in another form."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
from tokenizers import Tokenizer
from transformers import AutoConfig

from ..bundle import Manifest, read_bundle
from ..errors import BundleError
from ..runtime.weights import MODEL
from .model import CostModel, ModelSpec, Pooling, new_backbone, read_head, set_dropout
from .quantise import read_parameters


def read_cost_model(
    folder: Path, *, dropout: float | None = None, dtype: torch.dtype | None = None
) -> tuple[CostModel, Tokenizer, Manifest]:
    """The cost model of a bundle, in evaluation mode, its raw scores uncalibrated.

    Args:
        folder: of the bundle.
        dropout: for training further; None keeps what the gauge was trained with.
        dtype: of the backbone's weights; None is what torch bundles were saved in, and fp32.

    Raises:
        BundleError: the bundle is damaged, or its graph lacks parameters of the model.
    """
    manifest = read_bundle(folder)
    if manifest.runtime == "torch":
        return *CostModel.load(folder, dropout=dropout, dtype=dtype), manifest
    if not (folder / "config.json").is_file():
        raise BundleError(f"{folder} has no config.json of its backbone; export it again")
    spec = ModelSpec(
        cast(Pooling, manifest.pooling),
        manifest.layout,
        manifest.outputs,
        manifest.base["name"] or "",
        manifest.base["sha256"],
        manifest.template,
        read_head(manifest.head),
    )
    config = AutoConfig.from_pretrained(folder)
    set_dropout(config, dropout)
    model = CostModel(new_backbone(config, dtype or torch.float32), spec)
    parameters = {k: torch.from_numpy(v) for k, v in read_parameters(folder / MODEL).items()}
    missing, _ = model.load_state_dict(parameters, strict=False)
    if missing:
        raise BundleError(
            f"{folder / MODEL} lacks {len(missing)} parameters of the model, such as {missing[0]}; "
            "train it with runtime: torch, whose bundle holds them all"
        )
    return model.eval(), Tokenizer.from_file(str(folder / "tokenizer.json")), manifest
