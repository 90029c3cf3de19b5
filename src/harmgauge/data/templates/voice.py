"""How people write: greetings, an aside before or after, small letters, slips of the keyboard.

The same for safe and unsafe texts, so that no manner gives a label away.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_OPENED, _CLOSED, _SMALL, _SLIPPED = 0.35, 0.3, 0.2, 0.12
_LONG_WORD = re.compile(r"\b[a-z]{6,}\b")


@dataclass(frozen=True, slots=True)
class Voice:
    """One way to write, the same for all texts that it is put on."""

    opening: str = ""
    closing: str = ""
    small: bool = False
    slip: float | None = None
    """where a slip of the keyboard falls, from 0 (first long word) to 1 (last)"""

    @classmethod
    def draw(cls, rng: random.Random, manners: Mapping[str, Sequence[str]]) -> Voice:
        """A voice with an opening and a closing of `manners` now and then."""
        return cls(
            rng.choice(manners["openings"]) if rng.random() < _OPENED else "",
            rng.choice(manners["closings"]) if rng.random() < _CLOSED else "",
            rng.random() < _SMALL,
            rng.random() if rng.random() < _SLIPPED else None,
        )

    def put_on(self, text: str) -> str:
        text = " ".join(part for part in (self.opening, text, self.closing) if part)
        if self.small:
            text = text.lower()
            text = text if text.endswith("...") else text.removesuffix(".")
        return text if self.slip is None else _slip(text, self.slip)


def _slip(text: str, position: float) -> str:
    """Two letters inside a long word change places; the first and last stay, as in real slips."""
    words = [word for word in _LONG_WORD.finditer(text) if word[0][2] != word[0][3]]
    if not words:
        return text
    at = words[min(int(position * len(words)), len(words) - 1)].start() + 2
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
