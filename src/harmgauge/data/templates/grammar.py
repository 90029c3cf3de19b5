"""Templates with named slots to texts.

`{slot}` stands for one filler of the slot, `{slot.form}` for one form of a filler that has several,
such as the plural. Within one text a slot has one filler, so that a second turn can come back to
the first. A filler may hold slots itself. `a(n)` becomes the article of the word that follows.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence

from ...errors import DataError

Filler = str | Mapping[str, str]
Slots = Mapping[str, Sequence[Filler]]

_SLOT = re.compile(r"\{(\w+)(?:\.(\w+))?\}")
_ARTICLE = re.compile(r"\b([Aa])\(n\) (\W*\w+)")
# Spelt with a vowel but spoken with a consonant, and the other way round.
_SPOKEN_CONSONANT = re.compile(
    r"\W*(?:eu|one\b|once|ubi|uk\b|uni(?!n|m)|us\b|use|usual|utility)", re.I
)
_SPOKEN_VOWEL = re.compile(
    r"\W*(?:[aeiou]|heir|honest|honou?r|hour|mri\b|x-?ray|fbi\b|ssh\b|hr\b)", re.I
)
_SENTENCE = re.compile(r"(^\W*|[.!?][\"”')]*\s+[\"“'(]*)([a-z])")


class Draw:
    """One choice of fillers, the same in all texts that it fills."""

    def __init__(
        self, slots: Slots, rng: random.Random, chosen: Mapping[str, Filler] | None = None
    ) -> None:
        self._slots = slots
        self._rng = rng
        self.chosen = dict(chosen or {})
        """filler by slot, for the slots that were met so far"""

    def fill(self, template: str) -> str:
        """The template without slots, its spaces, articles and capitals put right.

        Raises:
            DataError: it names a slot, or a form of a filler, that there is none of.
        """
        return tidy(self._expand(template))

    def _expand(self, template: str) -> str:
        return _SLOT.sub(lambda match: self._expand(self._filler(*match.groups())), template)

    def _filler(self, slot: str, form: str | None) -> str:
        if slot not in self.chosen:
            if slot not in self._slots:
                raise DataError(f"a template names the slot {slot!r}, which has no fillers")
            self.chosen[slot] = self._rng.choice(self._slots[slot])
        filler = self.chosen[slot]
        text = filler if isinstance(filler, str) else filler.get(form or "")
        if text is None or (isinstance(filler, str) and form):
            raise DataError(f"a filler of the slot {slot!r} has no form {form!r}")
        return text


def tidy(text: str) -> str:
    """Single spaces, none before punctuation; articles; a capital at the head of a sentence."""
    text = re.sub(r" {2,}", " ", text).strip()
    text = re.sub(r" +([,.!?;:](?:\s|$))", r"\1", text)
    text = _ARTICLE.sub(_with_article, text)
    return _SENTENCE.sub(lambda match: match[1] + match[2].upper(), text)


def _with_article(match: re.Match[str]) -> str:
    article, word = match.groups()
    vowel = _SPOKEN_VOWEL.match(word) and not _SPOKEN_CONSONANT.match(word)
    return f"{article}n {word}" if vowel else f"{article} {word}"
