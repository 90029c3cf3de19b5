"""Batches as one row of tokens: no padding, and what sequences begin alike computed once.

A row holds the tokens of all sequences behind one another. Norms and linear layers, where nearly
all the work of a short text lies, see nothing but real tokens; attention is told which of them
each sequence is made of. In causal models a token does not depend on those behind it, so that
answers to one prompt may share its tokens; whether a model can be read so is found by trial.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

if TYPE_CHECKING:
    from .model import CostModel

Packing = Literal["padded", "packed", "shared"]
"""a batch as it comes; as a row; as a row in which sequences share what they begin with"""

ATTENTION = "harmgauge_segments"

# A shorter beginning saves less than the mask costs that it takes.
MIN_SHARED = 8
# Of the largest value; fp32 in another order of summation stays far below, a leak far above.
_TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True)
class Segments:
    """What attention must know of a row: for each sequence a segment, in the order of the row."""

    own: tuple[int, ...]
    """how many tokens stand in the row for the sequence alone; they are its last ones"""
    total: tuple[int, ...]
    """how many tokens the sequence has"""
    places: Tensor
    """where in the row these stand, sequence after sequence"""


@dataclass(frozen=True, slots=True)
class Row:
    """A padded batch `[n, length]` as one row of tokens."""

    tokens: Tensor
    """where in the flattened batch each token of the row stands"""
    places: Tensor
    """where in the row each token of the batch stands, 0 for padding, `[n, length]`"""
    segments: Segments


def make_row(input_ids: Tensor, attention_mask: Tensor, *, share: bool) -> Row:
    """Lay out a padded batch, padding on either side; with `share`, common beginnings once."""
    real = [mask.nonzero()[:, 0] for mask in attention_mask.cpu()]
    ids = [row[where].tolist() for row, where in zip(input_ids.cpu(), real, strict=True)]
    length = input_ids.shape[1]
    places = torch.zeros(input_ids.shape, dtype=torch.long)
    tokens: list[Tensor] = []
    sequences: list[Tensor] = []
    stop = 0
    for i, shared, before in _beginnings(ids, share=share):
        own = real[i][shared:]
        start, stop = stop, stop + len(own)
        sequence = torch.arange(start, stop)
        if shared:
            sequence = torch.cat([places[before, real[before][:shared]], sequence])
        places[i, real[i]] = sequence
        if len(own):
            tokens.append(i * length + own)
            sequences.append(sequence)
    device = input_ids.device
    segments = Segments(
        own=tuple(map(len, tokens)),
        total=tuple(map(len, sequences)),
        places=torch.cat(sequences).to(device),
    )
    return Row(torch.cat(tokens).to(device), places.to(device), segments)


def row_length(sequences: Sequence[list[int]], packing: Packing) -> int:
    """Tokens that are computed for the sequences of a batch."""
    if packing == "padded":
        return len(sequences) * max(map(len, sequences))
    beginnings = _beginnings(sequences, share=packing == "shared")
    return sum(len(sequences[i]) - shared for i, shared, _ in beginnings)


def read_packed(backbone: nn.Module, inputs: dict[str, Tensor], *, share: bool) -> Tensor:
    """Last hidden states of a padded batch that is computed as a row.

    Args:
        backbone: one whose attention is `ATTENTION`.
        inputs: `input_ids`, `attention_mask` and any others, all `[n, length]`.
        share: whether sequences share what they begin with.

    Returns:
        `[n, length, size]`; without meaning where there is padding.
    """
    mask = inputs["attention_mask"]
    row = make_row(inputs["input_ids"], mask, share=share)
    packed = {
        name: value.flatten()[row.tokens][None]
        for name, value in inputs.items()
        if name != "attention_mask"
    }
    # transformers takes a mask of four dimensions as it is; attention goes by the segments.
    everything = mask.new_ones((1, 1, 1, len(row.tokens)), dtype=torch.bool)
    output = backbone(
        **packed, attention_mask=everything, segments=row.segments, use_cache=False
    ).last_hidden_state[0]
    return output.index_select(0, row.places.flatten()).view(*mask.shape, -1)


def choose_packing(model: CostModel) -> Packing:
    """Set how the model reads a batch: in the way that computes least and changes nothing.

    Tried on sequences as long as the window, since some attention reaches only so far. On a GPU
    batches stay padded: there, many small calls cost more than padding.
    """
    model.packing = "padded"
    backbone: Any = model.backbone
    if torch.accelerator.is_available() or backbone.config._attn_implementation != "sdpa":
        return model.packing
    ids, mask = _trial(backbone.get_input_embeddings().num_embeddings, model.spec.layout.max_tokens)
    training = model.training
    model.eval()
    expected = _pooled(model, ids, mask)
    backbone.set_attn_implementation(ATTENTION)
    ways: tuple[Packing, ...] = ("shared", "packed")
    for model.packing in ways:
        try:
            found = _pooled(model, ids, mask)
        except Exception:  # whatever a model does that takes no segments, or no row
            continue
        if (found - expected).abs().max() <= _TOLERANCE * expected.abs().max():
            break
    else:
        stop_packing(model)
    model.train(training)
    return model.packing


def stop_packing(model: CostModel) -> None:
    """Have the model read padded batches again, with the attention that it came with."""
    if model.packing != "padded":
        model.packing = "padded"
        backbone: Any = model.backbone
        backbone.set_attn_implementation("sdpa")


def _beginnings(sequences: Sequence[list[int]], *, share: bool) -> list[tuple[int, int, int]]:
    """For each sequence, sorted: its index, how much it shares, and the index of which one.

    Of all that stand before a sequence in sorted order, the last has most in common with it.
    """
    order = range(len(sequences))
    if not share:
        return [(i, 0, i) for i in order]
    ordered = sorted(order, key=lambda i: sequences[i])
    found = [(ordered[0], 0, ordered[0])]
    for before, i in pairwise(ordered):
        shared = _common(sequences[before], sequences[i])
        found.append((i, shared if shared >= MIN_SHARED else 0, before))
    return found


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    """Length of what both begin with."""
    shortest = min(len(first), len(second))
    pairs = zip(first, second, strict=False)
    return next((i for i, (one, other) in enumerate(pairs) if one != other), shortest)


def _attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    segments: Segments | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Attention of each segment to its own sequence; without segments, as in any batch.

    Takes and gives what attention functions of transformers do: `[1, heads, length, size]`, and
    `[1, length, heads, size]`.
    """
    if segments is None:
        whole: tuple[Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, **options
        )
        return whole
    causal = options.get("is_causal")
    causal = getattr(module, "is_causal", True) if causal is None else causal
    window = options.get("sliding_window")
    if segments.own != segments.total:
        # Once for all, since the gradient of each piece that is taken is as large as the whole.
        key, value = (each.index_select(2, segments.places) for each in (key, value))
    outputs = []
    for own, total, asked, keys, values in zip(
        segments.own,
        segments.total,
        query.split(segments.own, dim=2),
        key.split(segments.total, dim=2),
        value.split(segments.total, dim=2),
        strict=True,
    ):
        mask = None
        if own < total or (window is not None and total > window):
            mask = _visible(own, total, causal=causal, window=window).to(query.device)
        output, _ = sdpa_attention_forward(module, asked, keys, values, mask, **options)
        outputs.append(output)
    return torch.cat(outputs, dim=1), None


def _visible(own: int, total: int, *, causal: bool, window: int | None) -> Tensor:
    """Which of a sequence's tokens each of its last `own` sees, `[1, 1, own, total]`."""
    distance = torch.arange(total - own, total)[:, None] - torch.arange(total)
    seen = distance >= 0 if causal else torch.ones_like(distance, dtype=torch.bool)
    if window is not None:
        seen &= distance.abs() < window
    return seen[None, None]


AttentionInterface.register(ATTENTION, _attend)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)


def _trial(vocabulary: int, length: int) -> tuple[Tensor, Tensor]:
    """A made-up batch: two answers to one prompt, another text, and one without anything shared."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(vocabulary, (4, length), generator=generator)
    half = length // 2
    ids[1, :half] = ids[0, :half]
    lengths = torch.tensor([length, length - 1, half + 1, 3])
    return ids, (torch.arange(length) < lengths[:, None]).long()


def _pooled(model: CostModel, ids: Tensor, mask: Tensor) -> Tensor:
    with torch.no_grad():
        return model.pooled(ids, mask)
