"""How a classifier that was trained elsewhere lays out texts, found from its tokenizer."""

from __future__ import annotations

from ..errors import BundleError
from ..evaluation.scorers.classifier import ClassifierSource
from ..exchange import MARKERS
from ..windows import Layout
from .chat_layout import chat_layout
from .model import Pooling

MAX_TOKENS = 2048
"""longest window of a model that would take more"""


def classifier_layout(source: ClassifierSource, pooling: Pooling) -> Layout:
    """Where a classifier's own tokens go, so that windows are what its tokenizer gives.

    A chat template is taken apart into what it writes before and after each turn; without one
    prompt and response are a pair of texts, and earlier turns stand before them in like manner.

    Raises:
        BundleError: its tokenizer or chat template does not treat all texts alike.
    """
    longest = min(source.longest, MAX_TOKENS)
    if source.tokenizer.chat_template:
        # What is on trial is an exchange: not every template writes earlier answers as the last.
        layout = chat_layout(source.tokenizer, longest, turns=2)
        if layout is None:
            raise BundleError(
                f"{source.facts['transformers']}: its chat template does not write each turn in "
                "one way, so that texts could not be laid out in windows; measure it as it is: "
                "docs/scorers.md"
            )
        return layout
    tokenizer, config = source.tokenizer, source.model.config
    word = tokenizer("a", add_special_tokens=False)["input_ids"]
    pair = tokenizer("a", "a")
    ids, size = list(pair["input_ids"]), len(word)
    found = [at for at in range(len(ids)) if ids[at : at + size] == word]
    if len(found) != 2:
        raise BundleError(
            f"{source.facts['transformers']}: its tokenizer does not read a word alike everywhere, "
            "so that texts could not be laid out; measure it as it is: docs/scorers.md"
        )
    first, second = found
    separator, end = ids[first + size : second], ids[second + size :]
    while pooling == "last" and end and end[-1] == config.pad_token_id:
        end.pop()  # transformers takes the last token that is no pad, be it meant as one or not
    types = pair.get("token_type_ids")
    segments = bool(separator and types and types[second])
    return Layout(
        tuple(ids[:first]),
        tuple(separator),
        tuple(end),
        longest,
        turns=dict.fromkeys(MARKERS, ((), ())),
        segments=segments and getattr(config, "type_vocab_size", 0) > 1,
    )
