"""What is measured: anything that gives each exchange a cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import HarmgaugeError
from ...exchange import Exchange

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Batch:
    """The exchanges of one data file; `[n]` each."""

    data: str
    """name of the data file, such as `beavertails/test.jsonl`"""
    ids: Sequence[str]
    """`test.jsonl:17`, of the two of a pair `test.jsonl:17/0` and `test.jsonl:17/1`"""
    exchanges: Sequence[Exchange]


@dataclass(frozen=True, slots=True)
class Scored:
    """What came of n exchanges."""

    values: Floats
    """costs, or a source's own scores, `[n]`, NaN where it failed"""
    counts: Mapping[str, int] = field(default_factory=dict)
    """what was counted on the way, such as `truncated`"""
    categories: Mapping[str, Floats] = field(default_factory=dict)
    """of a gauge that gives categories, the probability of each, `[n]`, NaN without a verdict"""
    uncertainty: Floats | None = None
    """of a gauge that says how sure it is, `[n]`, NaN without a verdict; see `Verdict`"""


class Scorer(Protocol):
    """Gives costs to exchanges: one of our gauges, or another guard."""

    @property
    def name(self) -> str: ...

    @property
    def threshold(self) -> float | None:
        """Cost from which it flags by its own default; None where it has no border, and so no sign
        figures."""

    @property
    def probabilistic(self) -> bool:
        """Whether costs are log-odds of unsafe, so that Brier and ECE mean something."""

    @property
    def reads_texts(self) -> bool:
        """Whether costs follow from the texts; not where they were made elsewhere."""

    @property
    def identity(self) -> str | None:
        """What a cache may go by; None where nothing says that scores would be the same again."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """For the report, in plain JSON types: id, kind, licence, stated direction, border."""

    def costs(self, batch: Batch, *, progress: bool = False) -> Scored:
        """Costs; larger is worse whatever the scorer's own direction.

        Raises:
            HarmgaugeError: the scorer as a whole failed, or gave something other than numbers.
        """


def as_record(exchange: Exchange) -> dict[str, Any]:
    """An exchange as other programs get it: `prompt`, `response`, `messages` (all turns) and
    `text`, the one on trial. What there is not is None."""
    return {
        "prompt": exchange.prompt,
        "response": exchange.response,
        "messages": [{"role": role, "content": text} for role, text in exchange.turns],
        "text": exchange.on_trial,
    }


def as_scores(values: Any, expected: int, who: str) -> Floats:
    """Numbers that another program gave, `[expected]`; None and what is not finite become NaN.

    Raises:
        HarmgaugeError: there are more or fewer, or one is no number.
    """
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise HarmgaugeError(f"{who} must give a list of numbers, gave {type(values).__name__}")
    values = list(values)
    if len(values) != expected:
        raise HarmgaugeError(
            f"{who} gave {len(values)} scores for {expected} exchanges; it must give one each, "
            "null or nan where it fails"
        )
    scores = np.full(expected, np.nan)
    for row, value in enumerate(values):
        if value is None:
            continue
        if isinstance(value, str) or not hasattr(value, "__float__") or np.ndim(value):
            raise HarmgaugeError(f"{who}: score {row + 1} is {type(value).__name__}, not a number")
        try:
            scores[row] = float(value)
        except OverflowError:  # an integer beyond all floats is as good as infinite
            continue
    scores[~np.isfinite(scores)] = np.nan
    return scores
