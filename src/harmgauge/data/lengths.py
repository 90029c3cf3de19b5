"""How long an exchange is to a gauge, and whether it must be read in windows."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import BundleError, DataError
from ..exchange import Exchange


@dataclass(frozen=True, slots=True)
class Measure:
    """A length in `unit`, of everything that is read: earlier turns, markers, special tokens."""

    length: Callable[[Exchange], int]
    unit: str
    max_tokens: int | None
    """longer exchanges are read in windows; None where no limit is known"""
    note: str
    """what was measured with, for the report"""


def find_measure(
    *, tokenizer: Path | None = None, gauge: str | None = None, max_tokens: int | None = None
) -> Measure:
    """The measure asked for; without one that of the embedded gauge, or else of words.

    Args:
        tokenizer: a `tokenizer.json`, or a folder with one.
        gauge: name or folder of a gauge: its tokenizer, special tokens and window.
        max_tokens: the longest window; None is the gauge's.

    Raises:
        DataError: both a tokenizer and a gauge are named, or the tokenizer cannot be read.
        BundleError: the gauge named cannot be found or read.
    """
    if tokenizer is not None and gauge is not None:
        raise DataError("name either a tokenizer or a gauge to measure lengths with, not both")
    if tokenizer is not None:
        return _of_tokenizer(tokenizer, max_tokens)
    try:
        return _of_gauge(gauge, max_tokens)
    except BundleError:
        if gauge is not None:
            raise
    note = "no gauge is installed and no --tokenizer given: lengths are words between white space"
    return Measure(_words, "words", max_tokens, note)


def _words(exchange: Exchange) -> int:
    return sum(len(text.split()) for _, text in exchange.turns)


def _of_gauge(gauge: str | None, max_tokens: int | None) -> Measure:
    from ..bundle import read_bundle
    from ..gauges import find

    folder = find(gauge)
    manifest = read_bundle(folder)
    length = _counter(folder / "tokenizer.json", manifest.layout)
    return Measure(
        length,
        "tokens",
        max_tokens or manifest.layout.max_tokens,
        f"lengths are tokens of gauge {manifest.name}",
    )


def _of_tokenizer(path: Path, max_tokens: int | None) -> Measure:
    from ..windows import Layout

    file = path / "tokenizer.json" if path.is_dir() else path
    if not file.is_file():
        raise DataError(f"{file} is not a file; name a tokenizer.json or the folder of one")
    # One special token at the start, between turns and at the end, as most encoders have.
    length = _counter(file, Layout((0,), (0,), (0,), 0))
    return Measure(length, "tokens", max_tokens, f"lengths are tokens of {path.name}")


def _counter(file: Path, layout: object) -> Callable[[Exchange], int]:
    from tokenizers import Tokenizer

    from ..windows import Layout, Windower

    assert isinstance(layout, Layout)
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises plain Exception
        raise DataError(f"{file} is no tokenizer that the tokenizers library reads") from error
    windower = Windower(tokenizer, replace(layout, max_tokens=sys.maxsize))
    return lambda exchange: len(windower.windows(exchange)[0])
