from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from tokenizers import normalizers

from harmgauge.training.charsmap import charsmap

# No marks, controls, skin tones and letters that join others: the library looks up what belongs
# together as one.
_JOINING = (
    0x0D4E,
    0x0E33,
    0x0EB3,
    0xFF9E,
    0xFF9F,
    *range(0x11000, 0x12000),
    *range(0x1F3FB, 0x1F400),
)
characters = st.characters(
    exclude_categories=["M", "C"], exclude_characters="".join(map(chr, _JOINING))
)
words = st.text("abcdefgh ", min_size=1, max_size=9)


@given(st.dictionaries(characters, words, min_size=1, max_size=80), st.text(characters))
def test_each_character_is_replaced_and_nothing_else(replacements, text):
    text += "".join(replacements)
    normalizer = normalizers.Precompiled(charsmap(replacements))
    assert normalizer.normalize_str(text) == text.translate(str.maketrans(replacements))


def test_a_large_table_is_looked_up_as_well():
    table = {chr(code): f"{code:x} " for code in (*range(0x2000, 0x2C00), *range(0x1F300, 0x1F700))}
    table = {c: text for c, text in table.items() if unicodedata.category(c)[0] not in "MC"}
    normalizer = normalizers.Precompiled(charsmap(table))
    others = "".join(map(chr, range(0x20, 0x7F))) + "éжあ🧀"
    assert normalizer.normalize_str(others.join(table)) == others.join(table.values())
