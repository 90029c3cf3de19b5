"""What a chat template writes around turns, so that windows need no template."""

from __future__ import annotations

from typing import Any

from jinja2 import TemplateError

from ..exchange import Role
from ..windows import Layout

_ROLES: tuple[Role, ...] = ("user", "assistant", "user", "assistant")
# Capitals, digits and marks: some tokenizers join a letter to what stands before it, others these.
_PROBES = (("alpha", "beta", "gamma", "delta"), ("Hi.", "12 of 3", "?!", "\u00dcber (x)"))


def chat_layout(tokenizer: Any, max_tokens: int, *, turns: int = len(_ROLES)) -> Layout | None:
    """The layout whose windows are the token ids that a chat template gives.

    It is found from what the template makes of known words, and then held against the template.
    White space around a text, which some templates drop, stays.

    Args:
        tokenizer: of transformers, with a chat template.
        max_tokens: longest window.
        turns: chats of up to so many turns are held against the template.

    Returns:
        The layout, which writes each turn of a role in one way; None where the template does not.
    """

    def ids(text: str) -> tuple[int, ...]:
        return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])

    def written(words: tuple[str, ...]) -> str:
        chat = zip(_ROLES, words, strict=False)
        messages = [{"role": role, "content": word} for role, word in chat]
        text: str = tokenizer.apply_chat_template(messages, tokenize=False)
        return text

    try:
        layout = _layout(written, ids, max_tokens)
        for words in (probe[:count] for probe in _PROBES for count in range(1, turns + 1)):
            if layout is None or ids(written(words)) != _read(layout, words, ids):
                return None
    except TemplateError:
        return None
    return layout


def _layout(written: Any, ids: Any, max_tokens: int) -> Layout | None:
    def pieces(count: int) -> list[str]:
        rest, parts = written(_PROBES[0][:count]), []
        for word in _PROBES[0][:count]:
            part, _, rest = rest.partition(word)
            parts.append(part)
        return [*parts, rest]

    (before, after_user), (_, to_assistant, after_assistant) = pieces(1), pieces(2)
    _, _, to_user, _ = pieces(3)
    opening = to_user.removeprefix(after_assistant)
    if not (
        to_assistant.startswith(after_user)
        and to_user.startswith(after_assistant)
        and before.endswith(opening)
    ):
        return None
    return Layout(
        ids(before.removesuffix(opening)),
        (),
        (),
        max_tokens,
        turns={
            "user": (ids(opening), ids(after_user)),
            "assistant": (ids(to_assistant.removeprefix(after_user)), ids(after_assistant)),
        },
    )


def _read(layout: Layout, words: tuple[str, ...], ids: Any) -> tuple[int, ...]:
    read = layout.start
    for role, word in zip(_ROLES, words, strict=False):
        opening, closing = layout.turns[role]
        read += (*opening, *ids(word), *closing)
    return read
