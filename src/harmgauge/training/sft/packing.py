"""Packed rows: several exchanges in one, allowed only where none sees another."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...errors import RecipeError

LENGTH = 8
"""tokens of each of the two made-up sequences of the test"""


def check_packing(model: Any, attention: str | None) -> None:
    """See by trial that a sequence is read as if those packed before it were not there.

    Two sequences are packed as the trainer packs them; where another first one changes what the
    model says of the second, attention leaks. No list of safe attentions could keep up.

    Raises:
        RecipeError: it leaks.
    """
    generator = torch.Generator().manual_seed(0)
    vocabulary = model.get_input_embeddings().num_embeddings
    first, other, second = torch.randint(vocabulary, (3, LENGTH), generator=generator).tolist()
    try:
        after = [_second(model, before, second) for before in (first, other)]
    except TypeError:  # takes no lengths of packed sequences
        after = []
    if not after or not torch.allclose(*after, atol=1e-5):
        raise RecipeError(
            f"optim.packing is refused: with {attention or 'its default'} attention this base "
            "lets one exchange see those packed before it; set optim.packing=false, or on a GPU "
            "with the package flash-attn model.attention=flash_attention_2"
        )


def _second(model: Any, first: list[int], second: list[int]) -> Tensor:
    """Logits of the second of two packed sequences, `[length, vocabulary]`."""
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    collate = DataCollatorForLanguageModeling(pad_token_id=0, padding_free=True)
    batch = collate([{"input_ids": [*first, *second], "seq_lengths": [len(first), len(second)]}])
    device = "cuda" if torch.cuda.is_available() else "cpu"
    inputs = {
        key: value.to(device) if isinstance(value, Tensor) else value
        for key, value in batch.items()
        if key != "labels"
    }
    half = torch.autocast(device, torch.bfloat16, enabled=device == "cuda")
    with torch.no_grad(), half:
        logits: Tensor = model.to(device).eval()(**inputs, use_cache=False).logits
    return logits[0, len(first) :].float().cpu()
