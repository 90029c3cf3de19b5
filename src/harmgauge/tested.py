"""What a gauge reached on a labelled file, as its bundle keeps it for the model card to tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reached:
    """One figure."""

    value: float
    n: int
    """texts or pairs that it is of"""
    low: float | None = None
    """lower end of its interval of 95 %; None where none is known"""
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Tested:
    """One file that nothing was chosen on, and what the gauge reached there at cost 0."""

    data: str
    """name of the file, such as `beavertails/test.jsonl`"""
    sha256: str | None
    """of the file, where it is one"""
    kind: str
    """what it holds, as `evaluation.data_set.Kind`"""
    n: int
    """labelled texts, or else pairs"""
    draws: int
    """of the bootstrap that gave the intervals"""
    seed: int
    code_version: str
    figures: Mapping[str, Reached]
    """by name, as of `evaluation.measure`; of pairs `ranking_accuracy`"""

    @property
    def place(self) -> tuple[str, str]:
        """What a later test replaces: the same name, read as the same kind."""
        return self.data, self.kind
