"""When two texts count as near-exact repeats of each other."""

from __future__ import annotations

import re
import unicodedata

_SEPARATORS = re.compile(r"[\W_]+")


def normalise(text: str) -> str:
    """Compatibility characters unified (NFKC), case folded, each run of punctuation, symbols and
    white space one space. A text of nothing else is kept, so that emoji do not all look alike."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _SEPARATORS.sub(" ", folded).strip() or " ".join(folded.split())
