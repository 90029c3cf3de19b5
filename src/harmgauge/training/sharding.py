"""FSDP and DeepSpeed, where each process holds only a part of what is trained."""

from __future__ import annotations

import copy

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType, parse_flag_from_env

from ..errors import RecipeError
from .model import CostModel
from .recipe import Recipe


def is_sharded() -> bool:
    """True where the launcher asks for FSDP or DeepSpeed."""
    return any(parse_flag_from_env(f"ACCELERATE_USE_{kind}") for kind in ("FSDP", "DEEPSPEED"))


def layout(accelerator: Accelerator) -> str:
    """How the processes hold the weights: FSDP, DEEPSPEED, or empty where each has them all."""
    kind = accelerator.distributed_type
    return str(kind.value) if kind in (DistributedType.FSDP, DistributedType.DEEPSPEED) else ""


def to_be_sharded(
    model: CostModel, recipe: Recipe, accelerator: Accelerator, precision: str
) -> CostModel:
    """A copy of the model for `accelerator` to cut up; the model itself stays whole.

    Raises:
        RecipeError: `optim.ema` needs whole weights in each process, or `model.quantise` makes
            weights that FSDP cannot cut up.
    """
    if recipe.optim.ema is not None:
        raise RecipeError(
            "optim.ema averages whole weights, which no process has under FSDP and DeepSpeed; "
            "leave it out, or launch with the configuration of DDP"
        )
    if recipe.model.quantise and accelerator.distributed_type == DistributedType.FSDP:
        raise RecipeError(
            f"model.quantise={recipe.model.quantise} holds the base in numbers that FSDP cannot "
            "cut up; take model.dtype=bfloat16, or launch with the configuration of DDP"
        )
    trained = copy.deepcopy(model)
    trained._no_split_modules = getattr(model.backbone, "_no_split_modules", None)
    if precision == "bf16":  # as theirs, the head would be in bf16, too
        cast = torch.autocast("cuda", torch.bfloat16)
        trained.forward = cast(trained.forward)  # type: ignore[method-assign]
    if accelerator.distributed_type == DistributedType.DEEPSPEED:
        accelerator.state.deepspeed_plugin.deepspeed_config |= {
            "train_micro_batch_size_per_gpu": 1,  # it asks for one, and batches are ours
            "gradient_clipping": recipe.optim.clip,
        }
    return trained
