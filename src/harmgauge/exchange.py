"""What is judged: a prompt, a response, or both, and the one template that turns it into turns.

Training and scoring both go through `Exchange.turns`, so that a gauge never sees a layout it was
not trained on.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from .errors import ExchangeError

Role = Literal["user", "assistant"]
Turn = tuple[Role, str]
Kind = Literal["prompt", "response", "exchange"]
"""what is on trial: a prompt, a response with nothing before it, or one in the light of others"""
KINDS: tuple[Kind, ...] = get_args(Kind)

# Bumped whenever the layout of turns or their markers changes; a bundle names the one it was
# trained with, and scoring refuses any other.
TEMPLATE_ID = "turns-1"
# A marker ends in a newline because text after one is tokenised alike by every kind of tokenizer.
MARKERS: dict[Role, str] = {"user": "User:\n", "assistant": "Assistant:\n"}

# Chat roles as the world writes them. System turns are context, said by neither party on trial.
_ROLES: dict[str, Role] = {
    "user": "user",
    "human": "user",
    "system": "user",
    "developer": "user",
    "tool": "user",
    "function": "user",
    "assistant": "assistant",
    "model": "assistant",
    "gpt": "assistant",
}


@dataclass(frozen=True, slots=True)
class Exchange:
    """One thing to judge.

    A prompt alone asks: is saying or asking this harmful? With a response, only the response is
    on trial, in the light of the prompt. `history` holds the turns before them, oldest first.

    Raises:
        ExchangeError: neither prompt nor response is given, or one is not encodable text.
    """

    prompt: str | None = None
    response: str | None = None
    history: tuple[Turn, ...] = ()

    def __post_init__(self) -> None:
        if self.prompt is None and self.response is None:
            raise ExchangeError("an exchange needs a prompt, a response or both; it has neither")
        _check_text("prompt", self.prompt)
        _check_text("response", self.response)
        for number, (role, text) in enumerate(self.history, 1):
            if role not in MARKERS:
                raise ExchangeError(
                    f"turn {number} of the history has an unknown role; use {' or '.join(MARKERS)}"
                )
            _check_text(f"turn {number} of the history", text)

    @classmethod
    def from_messages(cls, messages: Sequence[Mapping[str, Any]]) -> Exchange:
        """Read chat messages (`{"role": …, "content": …}`); the last turn is on trial.

        Content may be a string or OpenAI's list of `{"type": "text", "text": …}` parts. Earlier
        messages that only call tools say nothing, and are left out.

        Raises:
            ExchangeError: there is no message, a role is unknown, content is not text, or the
                last message only calls tools.
        """
        if isinstance(messages, (str, bytes)) or not isinstance(messages, Sequence):
            raise ExchangeError("messages must be a list of {role, content} objects")
        turns = [
            _read_message(number, message)
            for number, message in enumerate(messages, 1)
            if number == len(messages) or not _only_calls_tools(message)
        ]
        if not turns:
            raise ExchangeError("messages is empty; give at least one message")
        *earlier, (role, text) = turns
        if role == "user":
            return cls(prompt=text, history=tuple(earlier))
        if earlier and earlier[-1][0] == "user":
            return cls(prompt=earlier[-1][1], response=text, history=tuple(earlier[:-1]))
        return cls(response=text, history=tuple(earlier))

    @classmethod
    def of(cls, value: Any) -> Exchange:
        """Read anything that can be judged: an exchange, a string (a prompt), a mapping with
        `prompt`, `response` or `messages`, or a list of messages.

        Raises:
            ExchangeError: the value is none of these.
        """
        if isinstance(value, Exchange):
            return value
        if isinstance(value, str):
            return cls(prompt=value)
        if isinstance(value, Mapping):
            if value.get("messages") is not None:
                return cls.from_messages(value["messages"])
            return cls(prompt=value.get("prompt"), response=value.get("response"))
        if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
            return cls.from_messages(value)
        raise ExchangeError(
            f"expected text, an Exchange or messages, found {type(value).__name__}; "
            "pass a string or harmgauge.Exchange(prompt=…, response=…)"
        )

    @property
    def on_trial(self) -> str:
        """The text that the verdict is about."""
        return self.response if self.response is not None else self.prompt or ""

    @property
    def kind(self) -> Kind:
        """What sort of input this is; a gauge may have a scale of its own for each."""
        if self.response is None:
            return "prompt"
        return "response" if self.prompt is None and not self.history else "exchange"

    @property
    def blank(self) -> bool:
        """True when the text on trial shows nothing: white space, controls, zero-width only."""
        return all(
            unicodedata.category(character) in _INVISIBLE or character in _BLANK_LETTERS
            for character in self.on_trial
        )

    @property
    def turns(self) -> tuple[Turn, ...]:
        """All turns, oldest first; the last one is on trial."""
        turns = list(self.history)
        if self.prompt is not None:
            turns.append(("user", self.prompt))
        if self.response is not None:
            turns.append(("assistant", self.response))
        return tuple(turns)


# Unicode general categories with nothing to see: control, format (zero-width), line and
# paragraph separators, spaces. Unassigned is not among them: it may be a newer emoji.
_INVISIBLE = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs"})
# Of other categories, yet blank: combining grapheme joiner, Hangul fillers, Braille blank.
_BLANK_LETTERS = frozenset("\u034f\u115f\u1160\u2800\u3164\uffa0") | frozenset(
    map(chr, range(0xFE00, 0xFE10))  # variation selectors
)


def _check_text(name: str, text: Any) -> None:
    if text is None:
        return
    if not isinstance(text, str):
        raise ExchangeError(f"{name} must be a string, found {type(text).__name__}")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ExchangeError(
            f"{name} holds a lone surrogate at character {error.start + 1}, as is left by a byte "
            "that is not UTF-8 or by half of a UTF-16 pair; save or decode the source as UTF-8"
        ) from None


def _only_calls_tools(message: Any) -> bool:
    return (
        isinstance(message, Mapping)
        and not message.get("content")
        and bool(message.get("tool_calls") or message.get("function_call"))
    )


def _read_message(number: int, message: Any) -> Turn:
    if not isinstance(message, Mapping):
        raise ExchangeError(
            f"message {number} must be an object with role and content, "
            f"found {type(message).__name__}"
        )
    if _only_calls_tools(message):
        raise ExchangeError(f"message {number} only calls tools; only text is judged")
    role = _ROLES.get(str(message.get("role", "")).lower())
    if role is None:
        raise ExchangeError(f"message {number} has an unknown role; use one of {', '.join(_ROLES)}")
    content = message.get("content")
    if isinstance(content, list):
        parts = [part.get("text") if isinstance(part, Mapping) else part for part in content]
        texts = [part for part in parts if isinstance(part, str)]
        if len(texts) < len(parts):
            raise ExchangeError(
                f"message {number} has a part that is not text; only text is judged"
            )
        content = "\n".join(texts)
    if not isinstance(content, str):
        raise ExchangeError(f"message {number} has no text content")
    return role, content
