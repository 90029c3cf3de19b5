"""Weights between those of the base and the trained ones: most of what was learnt, less forgotten.

A gauge that is trained a little further, on few rows, learns these and forgets others; part of the
way back is a better bargain (WiSE-FT: Wortsman et al., Robust fine-tuning of zero-shot models,
arXiv 2109.01903, equation 1).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import Tensor

from .checkpoints import trainable_state
from .model import CostModel


def weights_now(model: CostModel) -> dict[str, Tensor]:
    """A copy of the weights that training will change, by name."""
    return {name: tensor.clone() for name, tensor in trainable_state(model).items()}


def interpolate(
    model: CostModel, begun: Mapping[str, Tensor], share: float, drawn: Collection[str] = ()
) -> None:
    """Set the trained weights of `model` to `1 - share` of `begun` and `share` of themselves.

    Args:
        model: the trained model, changed in place.
        begun: its weights before training, by name.
        share: how far from these to the trained ones, 0 to 1.
        drawn: outputs that the base has not. Their first weights were drawn at random, and so
            there is nothing to go back to: the trained ones stay.
    """
    new = [row for row, name in enumerate(model.spec.outputs) if name in drawn]
    for name, ended in trainable_state(model).items():
        # `begun` is where the model was before training, which may have moved it to a GPU.
        mixed = torch.lerp(begun[name].to(ended), ended, share)
        if name.startswith("head."):
            mixed[new] = ended[new]
        ended.copy_(mixed)
