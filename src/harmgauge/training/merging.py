"""One gauge of several: the mean of their weights, from which training goes on.

Models that were trained from the same pretrained weights mostly lie in one basin of the loss, where
the mean of their weights is about as good as the mean of what they say, at the price of one of them
(Wortsman et al., Model soups, arXiv 2203.05482, equation 1; Matena and Raffel, arXiv 2111.09832, of
models for several tasks). Whether two gauges do, validation data says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain

import torch
from tokenizers import Tokenizer
from torch import Tensor

from ..errors import RecipeError
from ..gauges import find
from .bases import Base, inherited, once
from .model import CostModel
from .recipe import GAUGE
from .reopen import read_cost_model


def merged(base: Base, shares: Mapping[str, float]) -> Base:
    """The base with weights that are a mean of its own and those of other gauges.

    Its vocabulary, windows and outputs stay. Of a token that another gauge has not, that one's part
    is the base's own; the weights of an output are a mean over the gauges that have it.

    Args:
        base: a gauge, changed in place.
        shares: names or folders of other gauges, and their parts of the mean; the rest is the
            base's.

    Raises:
        RecipeError: a gauge has another backbone, head or way to read texts.
        BundleError: a gauge is not there, or is damaged.
    """
    if not shares:
        return base
    model = base.model
    if model.spec.head is not None:
        raise RecipeError(
            f"model.merge: {model.spec.base} has the head of a classifier that was trained "
            "elsewhere, which does not merge; leave it out"
        )
    own = 1 - sum(shares.values())
    backbone = {name: own * weights.float() for name, weights in _weights(model).items()}
    heads = [(own, model, set(model.spec.outputs) - base.drawn)]
    data, teachers, gauges = [*base.data], [*base.teachers], [*base.gauges]
    names = [f"{own:.3g} {model.spec.base}"]
    for name, share in shares.items():
        other, tokenizer, manifest = read_cost_model(find(name), dtype=torch.float32)
        _check_fit(base, other, tokenizer, name)
        for key, weights in _in_shape_of(base, other, tokenizer).items():
            backbone[key] += share * weights
        heads.append((share, other, set(other.spec.outputs)))
        data += inherited(manifest)
        teachers += manifest.teachers
        gauges.append(manifest)
        names.append(f"{share:.3g} {GAUGE}{manifest.id}")
    with torch.no_grad():
        for key, weights in _weights(model).items():
            weights.copy_(backbone[key])
        drawn = _merge_heads(model, heads)
    # No file has these weights; the names have the hashes of those that they come from.
    model.spec = replace(model.spec, base=" + ".join(names), base_sha256=None)
    return replace(
        base,
        data=once(data),
        teachers=tuple(teachers),
        drawn=drawn,
        gauges=tuple(gauges),
    )


def _merge_heads(
    model: CostModel, heads: Sequence[tuple[float, CostModel, set[str]]]
) -> frozenset[str]:
    """Set each output to the mean of the heads that know it; returns those that none knows."""
    new = {key: weights.clone() for key, weights in model.head.state_dict().items()}
    for place, name in enumerate(model.spec.outputs):
        known = [(share, each) for share, each, outputs in heads if name in outputs]
        if not (total := sum(share for share, _ in known)):
            continue
        for key in new:
            new[key][place] = sum(
                share / total * each.head.state_dict()[key][each.spec.outputs.index(name)]
                for share, each in known
            )
    model.head.load_state_dict(new)
    return frozenset(model.spec.outputs).difference(*(outputs for _, _, outputs in heads))


def _weights(model: CostModel) -> dict[str, Tensor]:
    """Of the backbone, by name, what is a number and not a place."""
    state: dict[str, Tensor] = model.backbone.state_dict()
    return {name: weights for name, weights in state.items() if weights.is_floating_point()}


def _check_fit(base: Base, other: CostModel, tokenizer: Tokenizer, name: str) -> None:
    """Raises:
    RecipeError: the weights of the two do not stand for the same, as far as can be seen.
    """
    ours, theirs = _reads(base.model, base.tokenizer), _reads(other, tokenizer)
    if differing := [key for key in ours if ours[key] != theirs[key]]:
        raise RecipeError(
            f"model.merge: {name} has another {differing[0]} than {base.model.spec.base}; only "
            "gauges that were trained from the same base model merge"
        )


def _reads(model: CostModel, tokenizer: Tokenizer) -> dict[str, object]:
    """What has to be the same; ids as tokens, since a pruned vocabulary has others."""
    spec, words = model.spec, _embeddings(model)
    layout, config = spec.layout, model.backbone.config.get_text_config()
    marks = (layout.start, layout.separator, layout.end, *chain(*layout.turns.values()))
    kind = ("model_type", "num_attention_heads", "hidden_act", "activation")
    shapes = {
        key: weights.shape[1:] if key == words else weights.shape
        for key, weights in _weights(model).items()
    }
    return {
        "backbone": ([getattr(config, key, None) for key in kind], shapes),
        "head": spec.head,
        "pooling": spec.pooling,
        "template": (
            [spec.template, layout.segments, *layout.turns],
            [[tokenizer.id_to_token(id) for id in part] for part in marks],
        ),
    }


def _embeddings(model: CostModel) -> str:
    words = model.backbone.get_input_embeddings().weight
    names: dict[str, Tensor] = dict(model.backbone.named_parameters())
    return next(name for name, weights in names.items() if weights is words)


def _in_shape_of(base: Base, other: CostModel, tokenizer: Tokenizer) -> dict[str, Tensor]:
    """The weights of `other`, with an embedding for each token of the base."""
    weights, key = _weights(other), _embeddings(other)
    words = _weights(base.model)[key].float().clone()
    theirs = tokenizer.get_vocab(with_added_tokens=True)
    ours = base.tokenizer.get_vocab(with_added_tokens=True)
    for token, place in ours.items():
        there = theirs.get(token, len(weights[key]))
        if place < len(words) and there < len(weights[key]):  # a later [PAD] may have no embedding
            words[place] = weights[key][there]
    return {**weights, key: words}
