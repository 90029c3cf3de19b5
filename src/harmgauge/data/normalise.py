"""When two texts count as near-exact repeats of each other."""

from __future__ import annotations

import re
import unicodedata

_RUN = re.compile(r"[\W_]+")
_EMOJI_STYLE = "\ufe0e\ufe0f"


def normalise(text: str) -> str:
    """Compatibility characters unified (NFKC), case folded, punctuation and white space squeezed
    to single spaces. Symbols stay, since another emoji may well turn the meaning round; so does
    punctuation where a text has nothing else."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    squeezed = " ".join(_RUN.sub(_squeeze, folded).split())
    return squeezed or " ".join(folded.split())


def _squeeze(run: re.Match[str]) -> str:
    if run[0].isascii() and run[0].isspace():
        return " "
    # Marks are no word characters to `re`, but belong to the letter before them.
    return "".join(
        character if unicodedata.category(character)[0] in "SM" else " "
        for character in run[0]
        if character not in _EMOJI_STYLE
    )
