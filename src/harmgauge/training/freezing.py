"""What of a backbone is trained, and how: all, the upper layers or low-rank adapters."""

from __future__ import annotations

import warnings
from typing import Any

from torch import nn

from ..errors import RecipeError
from .model import CostModel, quiet_transformers
from .qlora import dequantised
from .recipe import Lora, Model


def choose_trainable(model: CostModel, settings: Model) -> None:
    """Freeze or adapt the backbone in place; the head is always trained in full, though with
    `freeze_costs` no term of the loss moves its cost.

    Raises:
        RecipeError: more layers are to be frozen than there are, adapters are asked for beside
            frozen layers, or they would fit no module; or the backbone has no such attention, or no
            gradient checkpointing.
    """
    if settings.attention is not None:
        _set_attention(model.backbone, settings.attention)
    if settings.gradient_checkpointing:
        _checkpoint_gradients(model.backbone)
    if settings.freeze_costs:
        model.backbone.requires_grad_(False)
        return
    if settings.lora is not None:
        if settings.freeze_embeddings or settings.freeze_layers:
            raise RecipeError(
                "model.lora freezes the whole base already; leave out model.freeze_embeddings and "
                "model.freeze_layers, or model.lora"
            )
        model.backbone = with_lora(model.backbone, settings.lora)
        return
    if settings.freeze_embeddings:
        model.backbone.get_input_embeddings().requires_grad_(False)
        embeddings = getattr(model.backbone, "embeddings", None)
        if embeddings is not None:  # encoders keep positions and a norm beside the word table
            embeddings.requires_grad_(False)
    if settings.freeze_layers:
        layers = transformer_layers(model.backbone)
        if settings.freeze_layers > len(layers):
            raise RecipeError(
                f"model.freeze_layers is {settings.freeze_layers}, but the base has only "
                f"{len(layers)} layers"
            )
        for layer in layers[: settings.freeze_layers]:
            layer.requires_grad_(False)


def _set_attention(backbone: Any, attention: str) -> None:
    try:
        with quiet_transformers():
            backbone.set_attn_implementation(attention)
    except (ImportError, ValueError) as error:
        raise unusable_attention(attention, error) from error
    if backbone.config._attn_implementation != attention:  # transformers would only warn
        raise unusable_attention(attention, ValueError())


def unusable_attention(attention: str, error: Exception) -> RecipeError:
    """The error for an attention that this base or this machine does not have."""
    return RecipeError(
        f"model.attention={attention} cannot be used here with this base "
        f"({type(error).__name__}); install what it needs, or leave it out"
    )


def _checkpoint_gradients(backbone: Any) -> None:
    if not backbone.supports_gradient_checkpointing:
        raise RecipeError(
            "this base has no gradient checkpointing; leave out model.gradient_checkpointing, and "
            "lower optim.batch_tokens"
        )
    backbone.config.use_cache = False  # of no use to a cost model, and in its way
    # The second is its name before transformers 5.24; both are called before v6.
    enable = getattr(backbone, "activation_checkpointing_enable", None)
    (enable or backbone.gradient_checkpointing_enable)({"use_reentrant": False})


def transformer_layers(backbone: nn.Module) -> nn.ModuleList:
    """The stack of transformer layers: the longest list of modules in the backbone."""
    lists = [module for module in backbone.modules() if isinstance(module, nn.ModuleList)]
    return max(lists, key=len)


def merged_backbone(backbone: nn.Module) -> nn.Module:
    """The backbone with any adapters folded into its weights, so that it loads without peft."""
    if not hasattr(backbone, "merge_and_unload"):
        return backbone
    if getattr(backbone.get_base_model(), "is_loaded_in_4bit", False):
        backbone = dequantised(backbone)
    merged: nn.Module = backbone.merge_and_unload()
    return merged


def with_lora(backbone: nn.Module, lora: Lora) -> nn.Module:
    """The backbone with adapters, which alone are trained.

    Raises:
        RecipeError: they fit no module.
    """
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.targets,
        use_rslora=lora.rank_stabilised,
        bias="none",
    )
    try:
        with warnings.catch_warnings():
            # peft takes the name that gradient checkpointing had before transformers 5.24.
            warnings.simplefilter("ignore", FutureWarning)
            return get_peft_model(backbone, config)
    except ValueError as error:
        raise RecipeError(
            f"model.lora.targets {lora.targets!r} fit no layer that can be adapted; name linear "
            "modules of the base, or all-linear"
        ) from error
