"""What a tokenizer has no tokens for, put into words that it knows: emoji, styled letters.

WordPiece reads a word with one unknown character as one unknown token, so that an emoji hides the
word that it touches, and says nothing itself. What is done about it stands before the tokenizer's
own normalizer, and so in `tokenizer.json`: training, scoring and exported folders get the same
ids, whatever version of Unicode their Python has.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from itertools import chain, groupby, starmap

from tokenizers import Regex, Tokenizer, normalizers

from ..exchange import Exchange
from ..windows import unknown_id
from .charsmap import charsmap

RUN = 3
"""so many repeats of a symbol, or of up to four in turn, are read; more would say no more"""

# Where symbols, styled letters and characters without a look of their own are.
_BLOCKS = (
    *((0x80, 0x370), (0x1100, 0x1200), (0x1800, 0x1810), (0x1D00, 0x1DC0), (0x2000, 0x2C00)),
    *((0x3000, 0x3400), (0xFE00, 0x10000), (0x1D400, 0x1D800), (0x1F000, 0x1FC00)),
)
_EMOJI_FROM = 0x1F000
_FLAG_LETTERS = range(0x1F1E6, 0x1F200)
# Joiner, variation selectors, skin tones: dropped behind a symbol, text elsewhere.
_MODIFIERS = (0x200D, 0xFE0E, 0xFE0F, *range(0x1F3FB, 0x1F400))
# Look like letters, but NFKC leaves them.
_LETTER_NAME = re.compile(r"NEGATIVE \w+ LATIN CAPITAL LETTER ([A-Z])")
_FLAG_LETTER_NAME = re.compile(r"REGIONAL INDICATOR SYMBOL LETTER ([A-Z])")
# Below the emoji, black and white mean filled and outlined; with people they would mean them.
_FILL = re.compile(r"\b(?:HEAVY|BLACK|WHITE) ")
_SORT = re.compile(r"^EMOJI (?:MODIFIER|COMPONENT) ")
# Symbols to Unicode, letters to those who read them.
_LETTERS = ("BRAILLE", "CJK", "KANGXI")


def read_symbols(tokenizer: Tokenizer) -> None:
    """Have a tokenizer read symbols that it does not know by their Unicode names.

    - "🐷" is read as " pig face ". Skin tones, joiners and variation selectors behind a symbol are
      dropped, of a run `RUN` repeats are read, and a flag is read as its two letters and "flag".
    - Styled letters and digits (bold, fullwidth, circled …) are read as plain ones.
    - Characters without a look of their own, and enclosing marks, are dropped: they hide a word.
    - An emoji that is newer than this Python's Unicode stays unknown, apart from what it touches.

    What a tokenizer knows is left as it is, and so are letters of other scripts; one that reads
    every byte is not changed at all.
    """
    unread = _unread(tokenizer)
    hidden = [character for character in unread if _is_hidden(character)]
    readings = {c: text for c in unread if c not in hidden and (text := _reading(c))}
    symbols = [c for c, text in readings.items() if text.startswith(" ")]
    if all(unicodedata.category(symbol) == "Cn" for symbol in symbols):
        return  # none has a name, or this tokenizer reads symbols already
    symbol = _class(symbols)
    hide = "|".join([*map(_escape, map(ord, hidden)), f"(?<={symbol}){_any(_MODIFIERS)}"])
    repeated = f"({symbol}{{1,4}}?)" + r"\1" * (RUN - 1) + r"\K\1+"
    flag = rf"{_any(_FLAG_LETTERS)}{{2}}\K"
    own = [] if tokenizer.normalizer is None else [tokenizer.normalizer]
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex(hide), ""),
            normalizers.Replace(Regex(repeated), ""),
            normalizers.Replace(Regex(flag), " flag "),
            normalizers.Precompiled(charsmap(readings)),
            *own,
        ]
    )


def _unread(tokenizer: Tokenizer) -> list[str]:
    """Characters that make an unknown token, alone or in a word."""
    unknown = unknown_id(tokenizer)
    if unknown is None:
        return []
    characters = list(map(chr, chain.from_iterable(starmap(range, _BLOCKS))))
    alone = tokenizer.encode_batch(characters, add_special_tokens=False)
    inside = tokenizer.encode_batch([f"a{c}a" for c in characters], add_special_tokens=False)
    return [
        character
        for character, *encodings in zip(characters, alone, inside, strict=True)
        if any(unknown in encoding.ids for encoding in encodings)
    ]


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) == "Me" or Exchange(character).blank


def _reading(character: str) -> str | None:
    """What a character is read as, in ASCII; None for letters, and what has no name worth it."""
    plain = unicodedata.normalize("NFKC", character)
    if plain.isascii():
        return plain
    name, category = unicodedata.name(character, ""), unicodedata.category(character)
    if letter := _LETTER_NAME.fullmatch(name):
        return letter[1].lower()
    if letter := _FLAG_LETTER_NAME.fullmatch(name):
        return f" {letter[1].lower()}"
    if category == "Cn" and ord(character) >= _EMOJI_FROM:
        return f" {character} "
    if (category[0] == "S" or category == "No") and not name.startswith(_LETTERS):
        said = (_FILL if ord(character) < _EMOJI_FROM else _SORT).sub("", name)
        return f" {said.lower()} "
    return None


def _any(codes: Iterable[int]) -> str:
    """A regular expression of any of a few; it is searched for twice as fast as a class."""
    return f"(?:{'|'.join(map(_escape, codes))})"


def _class(characters: Iterable[str]) -> str:
    """A regular expression of any of them, as ranges."""
    codes = sorted(map(ord, characters))
    runs = [
        [code for _, code in run]
        for _, run in groupby(enumerate(codes), lambda each: each[1] - each[0])
    ]
    return "[" + "".join(f"{_escape(run[0])}-{_escape(run[-1])}" for run in runs) + "]"


def _escape(code: int) -> str:
    return rf"\x{{{code:X}}}"
