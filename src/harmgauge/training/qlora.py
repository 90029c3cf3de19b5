"""A base that is held in 4 bits while its adapters are trained (QLoRA, arXiv 2305.14314)."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import torch

from ..errors import RecipeError


def nf4() -> dict[str, Any]:
    """Options by which transformers loads a model in 4 bits, on this process's GPU.

    Raises:
        RecipeError: there is no GPU, or no bitsandbytes.
    """
    lacking = []
    if not torch.cuda.is_available():
        lacking.append("a GPU (CUDA) that torch can use")
    if find_spec("bitsandbytes") is None:
        lacking.append("the package bitsandbytes")
    if lacking:
        raise RecipeError(
            f"model.quantise=nf4 needs {' and '.join(lacking)}, not found here; add what is "
            "lacking, or leave it out (model.dtype=bfloat16 halves the memory of the base)"
        )
    from accelerate import PartialState
    from transformers import BitsAndBytesConfig

    half = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=half,
    )
    return {"quantization_config": config, "device_map": {"": PartialState().device}}


def dequantised(adapted: Any) -> Any:
    """A peft model whose base is in 4 bits, on the same base with its values in full precision.

    peft would round merged weights to 4 bits again, which is another model than was trained.
    """
    from peft import get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict

    config, adapters = adapted.peft_config["default"], get_peft_model_state_dict(adapted)
    again = get_peft_model(adapted.unload().dequantize(), config)
    set_peft_model_state_dict(again, adapters)
    return again
