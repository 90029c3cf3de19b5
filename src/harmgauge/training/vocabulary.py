"""A vocabulary cut down to the tokens that texts use: of a small encoder, word embeddings are half.

A word whose token is gone is spelt by smaller ones, as WordPiece reads every word that it has no
token for. So what a model says of such a text changes, and what was fitted to its scores with it.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from tokenizers import Tokenizer
from torch import nn

from ..data.row import Row
from ..errors import RecipeError
from ..windows import Layout, Windower
from .model import CostModel

_AT_ONCE = 1000
_SPECIAL = ("pad_token_id", "bos_token_id", "eos_token_id")
"""keys of a backbone's config that hold a token's id"""


def check_vocabulary(backbone: nn.Module, tokenizer: Tokenizer, layout: Layout, base: str) -> None:
    """See that the backbone has an embedding for each token of a text and of what stands around it.

    Other special tokens, such as a padding token put in later, need none: no text can spell them.

    Raises:
        RecipeError: it has not, so that some text would stop a run in the middle.
    """
    known = backbone.get_input_embeddings().num_embeddings
    special = {id for id, added in tokenizer.get_added_tokens_decoder().items() if added.special}
    spelt = set(tokenizer.get_vocab(with_added_tokens=True).values()) - special
    largest = max(spelt.union(layout.start, layout.separator, layout.end))
    if largest >= known:
        raise RecipeError(
            f"the tokenizer of base {base!r} has token {largest}, but the model only {known} "
            f"embeddings, for tokens 0 to {known - 1}; use the tokenizer that it was trained with, "
            "or give it the missing ones (resize_token_embeddings) and train those"
        )


def texts_of(rows: Iterable[Row]) -> set[str]:
    """What is said in rows, prompts and earlier turns too, each text once."""
    return {text for row in rows for item in row.items for _, text in item.exchange.turns}


def used_tokens(tokenizer: Tokenizer, texts: Iterable[str], least: int = 1) -> set[int]:
    """Ids of the tokens that occur in at least so many of the texts."""
    tokenizer.no_truncation()
    texts = list(texts)
    counts: Counter[int] = Counter()
    for start in range(0, len(texts), _AT_ONCE):
        some = texts[start : start + _AT_ONCE]
        for encoding in tokenizer.encode_batch(some, add_special_tokens=False):
            counts.update(set(encoding.ids))
    return {token for token, count in counts.items() if count >= least}


def prune_vocabulary(
    model: CostModel, tokenizer: Tokenizer, used: Collection[int]
) -> tuple[CostModel, Tokenizer]:
    """A copy of a model that knows fewer tokens, and its tokenizer; ids are given out anew.

    Kept are `used`, special tokens, what stands around turns, single characters, and words that
    these cannot spell, so that what was read is read still. A text all of whose tokens are kept
    has the score that it had.

    Args:
        model: is left as it is.
        tokenizer: of the model; is left as it is.
        used: ids to keep, as of `used_tokens`.

    Raises:
        RecipeError: the tokenizer is not of WordPiece; the pieces of others are made of each
            other, and one that is gone takes all that are made of it along.
    """
    state = json.loads(tokenizer.to_str())
    pieces = state["model"]
    if pieces["type"] != "WordPiece":
        raise RecipeError(
            f"the vocabulary of {model.spec.base} is of {pieces['type']}, and only one of "
            "WordPiece can be pruned; leave out model.min_token_count"
        )
    vocabulary: dict[str, int] = pieces["vocab"]
    prefix: str = pieces["continuing_subword_prefix"]
    config = model.backbone.config
    layout = model.spec.layout
    special = {key: old for key in _SPECIAL if (old := getattr(config, key, None)) is not None}
    needed = {*used, *special.values(), *layout.start, *layout.separator, *layout.end}
    turns = Windower(tokenizer, layout).turns
    needed |= {id for sides in turns.values() for ids in sides for id in ids}
    needed |= {added["id"] for added in state["added_tokens"]}
    needed |= {
        id
        for token, id in vocabulary.items()
        if token == pieces["unk_token"] or not _is_spelt(token, vocabulary, prefix)
    }
    rows = model.backbone.get_input_embeddings().weight.detach()
    kept = sorted(id for id in needed if id < len(rows))
    new_id = {old: new for new, old in enumerate(kept)}

    pieces["vocab"] = {token: new_id[id] for token, id in vocabulary.items() if id in new_id}
    for added in state["added_tokens"]:
        added["id"] = new_id[added["id"]]
    # Neither is used, see `Windower`, and both hold ids of old.
    state["post_processor"] = state["padding"] = None

    model = copy.deepcopy(model)
    padding = model.backbone.get_input_embeddings().padding_idx
    table = nn.Embedding.from_pretrained(
        rows[kept].clone(), freeze=False, padding_idx=new_id.get(padding)
    )
    model.backbone.set_input_embeddings(table)
    config = model.backbone.config
    config.vocab_size = len(kept)
    for key, old in special.items():
        setattr(config, key, new_id.get(old))

    def renumbered(ids: Iterable[int]) -> tuple[int, ...]:
        return tuple(new_id[id] for id in ids)

    layout = replace(
        layout,
        start=renumbered(layout.start),
        separator=renumbered(layout.separator),
        end=renumbered(layout.end),
        turns={
            role: (renumbered(opening), renumbered(closing))
            for role, (opening, closing) in layout.turns.items()
        },
    )
    model.spec = replace(model.spec, layout=layout)
    return model, Tokenizer.from_str(json.dumps(state))


def _is_spelt(token: str, vocabulary: Mapping[str, int], prefix: str) -> bool:
    """Whether other tokens, a character each, spell a token."""
    inner = token.startswith(prefix) and token != prefix
    letters = token.removeprefix(prefix) if inner else token
    spelling = [prefix * (inner or place > 0) + each for place, each in enumerate(letters)]
    return len(spelling) > 1 and all(piece in vocabulary for piece in spelling)
