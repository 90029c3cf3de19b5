"""What comes out of a gauge for one exchange."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

DIRECTION = "positive_is_unsafe"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A flat record; its JSON has the same names. What a gauge cannot say is None.

    `cost` is calibrated log-odds of unsafe, so `probability` is its sigmoid; `unsafe` is
    `cost >= threshold`. Blank input has cost 0, `unsafe` None and `empty` True. An exchange that
    could not be judged has `cost` None and says why in `error`.
    """

    cost: float | None
    """calibrated log-odds of unsafe: below 0 safe, above 0 unsafe"""
    probability: float | None
    """sigmoid(cost): the chance of unsafe at the prior of the cost"""
    unsafe: bool | None
    """cost >= threshold"""
    threshold: float
    """the cost from which on this verdict says unsafe"""
    direction: str = DIRECTION
    """which way the cost points, written wherever a cost is"""
    uncertainty: float | None = None
    """how far the members of a gauge that has some lie apart: standard deviation of their
    probabilities; 0 where they agree"""
    categories: dict[str, float] | None = None
    """probability of each harm category that the gauge knows, none above `probability`; one that is
    missing is unknown"""
    spans: list[dict[str, Any]] | None = None
    """the parts of the text that carry the cost, where asked for"""
    empty: bool | None = None
    """True when there was nothing to judge"""
    windows: int | None = None
    """how many overlapping windows the text was read in; the cost is that of the worst"""
    disguised: bool | None = None
    """True when undoing a disguise (zero-width, look-alikes) raised the cost"""
    gauge: str | None = None
    """name and short hash of the gauge that spoke"""
    error: str | None = None
    """why no cost could be given"""

    def to_dict(self) -> dict[str, Any]:
        """The verdict as plain JSON types, keys in the order above."""
        return asdict(self)


def sigmoid(cost: float) -> float:
    """The probability of unsafe at a cost in log-odds, without overflow at either end."""
    if cost >= 0:
        return 1.0 / (1.0 + math.exp(-cost))
    odds = math.exp(cost)
    return odds / (1.0 + odds)


def log_sigmoid(cost: float) -> float:
    """Logarithm of `sigmoid(cost)`, finite where that is too small for a float."""
    return min(cost, 0.0) - math.log1p(math.exp(-abs(cost)))
