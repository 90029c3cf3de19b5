"""A shallower model from a deeper one: every so many of its layers, with the weights they have.

Sanh et al. (DistilBERT, arXiv 1910.01108) start a student so, from every other layer of its
teacher; with fresh weights theirs ended clearly worse.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from ..errors import RecipeError
from .freezing import transformer_layers
from .model import CostModel, new_backbone

_PLACES = ("layer_idx", "layer_id")
"""attributes in which a module holds the index of the layer that it is in"""
_LISTS = ("layer", "attention_window")
"""parts of the names under which a config holds a list with one entry a layer"""


def spaced(count: int, total: int) -> tuple[int, ...]:
    """Indices of so many of all layers, evenly spaced, the first and the last among them.

    One alone is the first, since it is the one that has learnt to read embeddings.
    """
    if count == 1:
        return (0,)
    return tuple(int(i * (total - 1) / (count - 1) + 0.5) for i in range(count))


def keep_layers(model: CostModel, count: int | None) -> None:
    """Drop layers of the backbone in place, until so many are left; None keeps all.

    Raises:
        RecipeError: there are fewer, or the backbone is not made of layers that stand for
            themselves, so that a smaller one of its kind could not hold them.
    """
    if count is None:
        return
    backbone: Any = model.backbone
    config = backbone.config.get_text_config()
    layers = transformer_layers(backbone)
    total = config.num_hidden_layers
    if count > total:
        raise RecipeError(
            f"model.layers is {count}, but {model.spec.base} has only {total} layers; lower it, or "
            "leave it out to keep all"
        )
    if count == total:
        return
    if len(layers) != total:  # ALBERT reads one layer many times
        raise _inseparable(model)
    kept = spaced(count, total)
    for index in reversed(range(total)):
        if index not in kept:
            del layers[index]
    for place, layer in enumerate(layers):
        for module in layer.modules():
            for name in _PLACES:
                if hasattr(module, name):
                    setattr(module, name, place)
    _shorten(config, kept)
    if not getattr(backbone, "is_loaded_in_4bit", False):  # whose modules are of other classes
        try:
            with torch.device("meta"):
                fresh = new_backbone(copy.deepcopy(backbone.config))
        except (AssertionError, IndexError, TypeError, ValueError):  # a config at odds with itself
            raise _inseparable(model) from None
        if _structure(fresh) != _structure(backbone):
            raise _inseparable(model)


def _shorten(config: Any, kept: tuple[int, ...]) -> None:
    """Have a config say of the kept layers what it said of all."""
    total = config.num_hidden_layers
    for name, value in list(vars(config).items()):
        listed = isinstance(value, list) and any(part in name for part in _LISTS)
        if listed and len(value) == total:
            setattr(config, name, [value[index] for index in kept])
    if hasattr(config, "attention_types"):  # GPT-Neo's: what `attention_layers` is read from
        config.attention_types = [[list(config.attention_layers), 1]]
    config.num_hidden_layers = len(kept)


def _structure(backbone: nn.Module) -> dict[str, Any]:
    """Shapes of a backbone's weights, and what its layers say of themselves in plain values.

    Weights that lack their place in a model are drawn anew when it is loaded, and a layer that
    thinks itself another (the window of its attention) computes otherwise, both without a word.
    """
    shapes = {name: tuple(weight.shape) for name, weight in backbone.state_dict().items()}
    values = {
        f"{path}:{name}": value
        for path, module in transformer_layers(backbone).named_modules()
        for name, value in vars(module).items()
        if name != "training" and not name.startswith("_")
        if value is None or isinstance(value, (bool, int, float, str))
    }
    return shapes | values


def _inseparable(model: CostModel) -> RecipeError:
    return RecipeError(
        f"the layers of {model.spec.base} depend on where they stand, so that some alone make no "
        "model that could be loaded again; leave out model.layers, or take another base"
    )
