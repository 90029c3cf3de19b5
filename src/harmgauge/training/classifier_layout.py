"""How a classifier that was trained elsewhere lays out texts, found from its tokenizer."""

from __future__ import annotations

from jinja2 import TemplateError

from ..errors import BundleError
from ..evaluation.scorers.classifier import ClassifierSource
from ..exchange import MARKERS
from ..windows import Layout
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
        return _chat_layout(source, longest)
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


def _chat_layout(source: ClassifierSource, longest: int) -> Layout:
    """What a chat template writes around turns, found from what it makes of known words."""
    words = ("alpha", "beta", "gamma")

    def pieces(turns: int) -> list[str]:
        roles = ("user", "assistant", "user")[:turns]
        chat = zip(roles, words[:turns], strict=True)
        messages = [{"role": role, "content": word} for role, word in chat]
        rest, parts = source.tokenizer.apply_chat_template(messages, tokenize=False), []
        for word in words[:turns]:
            part, _, rest = rest.partition(word)
            parts.append(part)
        return [*parts, rest]

    def ids(text: str) -> tuple[int, ...]:
        return tuple(source.tokenizer(text, add_special_tokens=False)["input_ids"])

    try:
        (before, after_user), (_, to_assistant, after_assistant) = pieces(1), pieces(2)
        _, _, to_user, _ = pieces(3)
    except TemplateError as error:
        raise _unlike(source) from error
    if not (to_assistant.startswith(after_user) and to_user.startswith(after_assistant)):
        raise _unlike(source)
    opening = to_user.removeprefix(after_assistant)
    if not before.endswith(opening):
        raise _unlike(source)
    assistant = to_assistant.removeprefix(after_user)
    return Layout(
        ids(before.removesuffix(opening)),
        (),
        (),
        longest,
        turns={
            "user": (ids(opening), ids(after_user)),
            "assistant": (ids(assistant), ids(after_assistant)),
        },
    )


def _unlike(source: ClassifierSource) -> BundleError:
    return BundleError(
        f"{source.facts['transformers']}: its chat template does not write each turn in one way, "
        "so that texts could not be laid out in windows; measure it as it is: docs/scorers.md"
    )
