"""Texts that benchmarks score."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer

from harmgauge.data.read import read_rows

# Room for the role marker and the special tokens.
SPARE = 16


def distinct_texts(path: Path, tokenizer: Tokenizer, max_tokens: int, n: int | None) -> list[str]:
    """The first n distinct texts on trial, each cut to one window."""
    texts = (_cut(text, tokenizer, max_tokens - SPARE) for text in _on_trial(path))
    return list(dict.fromkeys(texts))[:n]


def whole_texts(path: Path, n: int) -> list[str]:
    """The first n distinct texts on trial, uncut."""
    return list(dict.fromkeys(_on_trial(path)))[:n]


def _on_trial(path: Path) -> list[str]:
    items = (item for row in read_rows(path).rows for item in row.items)
    return [item.exchange.on_trial for item in items if not item.exchange.blank]


def _cut(text: str, tokenizer: Tokenizer, tokens: int) -> str:
    offsets = tokenizer.encode(text, add_special_tokens=False).offsets
    return text if len(offsets) <= tokens else text[: offsets[tokens - 1][1]]
