"""Replacements of characters as the one table that the tokenizers library looks them up in.

`normalizers.Precompiled` takes SentencePiece's `precompiled_charsmap`: the size of a double-array
trie, the trie, and what its leaves point to. A thousand `Replace` would take a scan of the text
each; this takes one for all.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any

_LEAF, _HAS_LEAF = 1 << 31, 1 << 8


def charsmap(replacements: Mapping[str, str]) -> bytes:
    """Compile single characters and what each is replaced by, in Darts' layout.

    A trie goes by UTF-8 bytes. A node's child of label `b` lies at `base ^ b`, and its own unit
    holds `index ^ base`; a leaf has label 0. No two nodes share a base, so that the label, which a
    unit also holds, tells whose child it is. https://github.com/s-yata/darts-clone
    """
    trie: dict[int, Any] = {}
    texts = bytearray()
    for character, text in sorted(replacements.items()):
        node = trie
        for byte in character.encode():
            node = node.setdefault(byte, {})
        node[0] = len(texts)
        texts += text.encode() + b"\0"

    units: dict[int, int] = {0: 0}
    bases: set[int] = set()
    least = 1
    waiting = [(0, trie)]
    for index, node in waiting:
        while least in units or least in bases:
            least += 1
        base = next(each for each in count(least) if _is_free(each, node, units, bases))
        bases.add(base)
        units[index] |= (index ^ base) << 10 | (_HAS_LEAF if 0 in node else 0)
        for label, child in node.items():
            units[base ^ label] = label if label else child | _LEAF
            if label:
                waiting.append((base ^ label, child))
    size = (max(units) | 0xFF) + 1  # a lookup may leave a base by any byte
    array = [units.get(index, 0) for index in range(size)]
    return struct.pack(f"<I{size}I", 4 * size, *array) + bytes(texts)


def _is_free(base: int, labels: Iterable[int], units: Mapping[int, int], bases: set[int]) -> bool:
    return base not in bases and all(base ^ label not in units for label in labels)
