"""Exchange to token ids: whole where it fits, else in overlapping windows.

Every window carries what the text on trial answers to (the prompt and earlier turns), cut to its
head and tail where that alone would take over half the budget. The text on trial itself is never
cut: each of its tokens is in some window.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .errors import ExchangeError, RecipeError
from .exchange import MARKERS, Exchange, Role, Turn

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

NOTHING_READ = (
    "the gauge reads nothing of this text: it has no tokens for its script or symbols; "
    "judge a translation, or use a gauge that reads them"
)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where special tokens go, and how much fits; stored in the bundle.

    `separator` stands between turns. For encoders it is a special token that text cannot spell,
    so that nobody can fake a turn from inside a message.
    """

    start: tuple[int, ...]
    """ids before the first turn: [CLS], or BOS where the model was trained with one"""
    separator: tuple[int, ...]
    """ids between turns"""
    end: tuple[int, ...]
    """ids after the last turn: [SEP] or EOS, never lost to truncation"""
    max_tokens: int
    """longest sequence, special tokens included"""
    overlap: float = 0.25
    """share of a window of the text on trial that is repeated in the next"""
    turns: Mapping[Role, tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=dict)
    """by role, ids that open and close a turn, where they are not the template's: a classifier that
    was trained elsewhere reads turns as it learnt them"""
    segments: bool = False
    """whether the turn on trial, after the last separator but the end, has token type 1"""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Layout:
        """Read what `dataclasses.asdict` and JSON made of a layout."""
        ids = {key: tuple(values[key]) for key in ("start", "separator", "end")}
        turns = {
            role: (tuple(opening), tuple(closing))
            for role, (opening, closing) in values.get("turns", {}).items()
        }
        return cls(**{**values, **ids, "turns": turns})


@dataclass(frozen=True, slots=True)
class Cut:
    """The windows of an exchange: token ids of what all have in common, and what each has."""

    before: list[int]
    parts: list[Sequence[int]]
    """the text on trial by window"""
    after: list[int]

    def windows(self) -> list[list[int]]:
        return [[*self.before, *part, *self.after] for part in self.parts]


class Windower:
    """Turns exchanges into lists of token ids of at most `layout.max_tokens`.

    The tokenizer is set so that special tokens spelled inside a text are read as plain text, and
    so that the truncation and padding that some `tokenizer.json` files bake in are off. After
    that nothing changes it, so any number of threads may share a windower.

    Raises:
        RecipeError: `layout.max_tokens` is too small to hold any text, or windows would leave
            out some of it.
    """

    def __init__(self, tokenizer: Tokenizer, layout: Layout) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = True
        self.layout = layout
        self._tokenizer = tokenizer
        self._unknown = unknown_id(tokenizer)
        self.turns: Mapping[Role, tuple[Sequence[int], Sequence[int]]] = layout.turns or {
            role: (self._ids(marker), ()) for role, marker in MARKERS.items()
        }
        """ids that open and close a turn, by role"""
        longest = max(len(opening) + len(closing) for opening, closing in self.turns.values())
        least = 1 + len(layout.start) + len(layout.end) + longest
        if layout.max_tokens < least:
            raise RecipeError(
                f"max_tokens is {layout.max_tokens}, which leaves no room for text; "
                f"this tokenizer needs at least {least}"
            )
        if not 0 <= layout.overlap < 1:
            raise RecipeError(f"overlap is {layout.overlap}; give a share from 0 to below 1")

    def windows(self, exchange: Exchange) -> list[list[int]]:
        """All windows of an exchange, in reading order; at least one."""
        return self._cut(exchange, self._ids(exchange.on_trial)).windows()

    def read(self, exchange: Exchange) -> list[list[int]]:
        """All windows of an exchange that is to be judged, not blank.

        Raises:
            ExchangeError: nothing of the text on trial is read, punctuation at most.
        """
        return self.cut(exchange).windows()

    def cut(self, exchange: Exchange) -> Cut:
        """The windows of an exchange, in their parts.

        Raises:
            ExchangeError: nothing of the text on trial is read, punctuation at most.
        """
        encoding = self._encode(exchange.on_trial)
        if not self._is_read(encoding, exchange.on_trial):
            raise ExchangeError(NOTHING_READ)
        return self._cut(exchange, encoding.ids)

    def _cut(self, exchange: Exchange, text: list[int]) -> Cut:
        *given_turns, on_trial = exchange.turns
        given: list[int] = []
        for turn in given_turns:
            given += [*self._turn(turn), *self.layout.separator]
        opening, closing = self.turns[on_trial[0]]

        layout = self.layout
        around = (layout.start, opening, closing, layout.end)
        budget = layout.max_tokens - sum(map(len, around))
        room = budget - len(given)
        if len(text) > room:  # only then is the given part cut, and at most to half
            given = _head_and_tail(given, max(budget // 2, budget - len(text)))
            room = budget - len(given)
        before = [*layout.start, *given, *opening]
        parts = _overlapping(text, room, layout.overlap)
        return Cut(before, parts, [*closing, *layout.end])

    def _turn(self, turn: Turn) -> list[int]:
        role, text = turn
        opening, closing = self.turns[role]
        return [*opening, *self._ids(text), *closing]

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._encode(text).ids
        return ids

    def _encode(self, text: str) -> Encoding:
        return self._tokenizer.encode(text, add_special_tokens=False)

    def _is_read(self, encoding: Encoding, text: str) -> bool:
        """Whether there is a token, or beside unknown ones a token of more than punctuation."""
        if self._unknown not in encoding.ids:
            return bool(encoding.ids)
        return any(
            unicodedata.category(character)[0] not in "PZC"
            for token, (start, end) in zip(encoding.ids, encoding.offsets, strict=True)
            if token != self._unknown
            for character in text[start:end]
        )


def unknown_id(tokenizer: Tokenizer) -> int | None:
    """Id of the token for what a tokenizer does not know; None where it has none."""
    name = getattr(tokenizer.model, "unk_token", None) or "<unk>"  # Unigram does not tell
    found: int | None = tokenizer.token_to_id(name)
    return found


def _head_and_tail(ids: list[int], limit: int) -> list[int]:
    """Keep the first and last ids, `limit` in all; the middle says least about a request."""
    if len(ids) <= limit:
        return ids
    head = limit // 2
    return ids[:head] + ids[len(ids) - (limit - head) :]


def _overlapping(ids: Sequence[int], size: int, overlap: float) -> list[Sequence[int]]:
    """Cut ids into runs of at most `size`, evenly spaced, neighbours sharing about `overlap`."""
    if len(ids) <= size:
        return [ids]
    stride = max(1, int(size * (1 - overlap)))
    count = -(-(len(ids) - size) // stride) + 1
    # Evenly spaced starts: the last window is as full as the first, with no short remainder.
    starts = [round(i * (len(ids) - size) / (count - 1)) for i in range(count)]
    return [ids[start : start + size] for start in starts]
