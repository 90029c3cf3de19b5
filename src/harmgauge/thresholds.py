"""Thresholds that keep a promise: at most so large a share of safe texts is called unsafe."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .errors import DataError, RecipeError
from .exchange import Kind

SORTS: Mapping[str, tuple[Kind, ...]] = {
    "prompts": ("prompt",),
    "responses": ("response", "exchange"),
}
"""what names of thresholds begin with, as in `prompts_fpr1`, and the kinds of input they are for"""

# How far a threshold lies above the cost that must not alarm: as far as a text's cost may differ
# between batches, so that texts of one and the same cost stay on one side of it.
_MARGIN = 1e-4


@dataclass(frozen=True, slots=True)
class Threshold:
    """A cost from which on to say unsafe, with the promise it was chosen for."""

    name: str
    """such as `fpr1`"""
    cost: float
    """on the scale of costs at the stored prior"""
    false_positive_rate: float
    """the promise: at most this share of safe items reaches `cost`"""
    confidence: float
    """how sure the promise is, for items like those of `data`"""
    data: str
    n: int
    """how many safe items it rests on"""
    sha256: tuple[str, ...] = ()
    """of each file of `data`, where known"""
    licences: tuple[str, ...] = ()
    """of `data`, where known. It was counted on, and nothing was learnt of it: what its licences
    ask of weights does not reach a threshold"""
    cost_by_kind: Mapping[str, float] = field(default_factory=dict)
    """where the scales of kinds of input were moved apart: the cost of each, in place of `cost`"""
    kinds: tuple[str, ...] = ()
    """of input that the promise rests on; empty where nothing says so, as in earlier bundles"""

    def at(self, kind: str | None) -> float:
        """The cost from which on a text of that kind reaches it, at the stored priors."""
        return self.cost if kind is None else self.cost_by_kind.get(kind, self.cost)

    def promises(self, kind: str) -> bool:
        """Whether the promise rests on texts of that kind. Where `kinds` does not say, the name
        does (see `SORTS`); any other name is taken at its word."""
        kinds = self.kinds or SORTS.get(self.name.partition("_")[0], ())
        return not kinds or kind in kinds

    @property
    def promise(self) -> str:
        """What is promised, in words."""
        return (
            f"at most {100 * self.false_positive_rate:g} % of safe texts like the {self.n} of "
            f"{self.data}, with {100 * self.confidence:g} % confidence"
        )

    def in_a_table(self) -> dict[str, Any]:
        """Everything but the digests, which are too long for one, and what is empty."""
        values = asdict(self)
        del values["sha256"]
        if licences := values.pop("licences"):
            values["licences"] = ", ".join(licences)
        if kinds := values.pop("kinds"):
            values["kinds"] = ", ".join(kinds)
        by_kind = values.pop("cost_by_kind")
        if by_kind:
            values["cost_by_kind"] = ", ".join(f"{k} {v:.4g}" for k, v in by_kind.items())
        return values


def threshold_at(
    false_positive_rate: float,
    safe_costs: ArrayLike,
    *,
    data: str,
    confidence: float = 0.95,
    name: str | None = None,
    sha256: tuple[str, ...] = (),
    licences: tuple[str, ...] = (),
    kinds: tuple[str, ...] = (),
) -> Threshold:
    """The lowest threshold whose false-positive rate is at most the promised one.

    It lies just above the k-th highest cost, where k is the largest rank with
    `Beta⁻¹(confidence; k, n - k + 1) <= false_positive_rate`: the one-sided bound of Clopper and
    Pearson (1934) for the at most k - 1 alarms above it. k depends on n alone and not on the
    costs, so that the promise needs no assumption on how these are distributed; ties only make it
    safer. It does need items that are drawn independently, as those are on which it is used.

    Args:
        false_positive_rate: the promise, such as 0.01.
        safe_costs: costs of safe items at the stored prior, `[n]`, one a prompt; those that failed
            (NaN) are left out.
        name: None makes `fpr1` out of 0.01.
        data, sha256, licences, kinds: see `Threshold`.

    Raises:
        DataError: there are too few safe items for the promise.
        RecipeError: the rate or the confidence is not between 0 and 1.
    """
    costs = np.asarray(safe_costs, np.float64)
    costs = np.sort(costs[np.isfinite(costs)])[::-1]
    check_enough(costs.size, false_positive_rate, confidence, data)
    allowed = _allowed_alarms(costs.size, false_positive_rate, 1 - confidence)
    return Threshold(
        name=name or f"fpr{100 * false_positive_rate:g}",
        # Above the first cost that must not alarm, and so above its ties.
        cost=float(costs[allowed]) + _MARGIN,
        false_positive_rate=false_positive_rate,
        confidence=confidence,
        data=data,
        n=int(costs.size),
        sha256=sha256,
        licences=licences,
        kinds=kinds,
    )


def safe_items_needed(false_positive_rate: float, confidence: float = 0.95) -> int:
    """How many safe items a promise takes at least: 299 for 1 % at 95 %.

    Raises:
        RecipeError: the rate or the confidence is not between 0 and 1.
    """
    for what, value, usual in (
        ("false-positive rate", false_positive_rate, 0.05),
        ("confidence", confidence, 0.95),
    ):
        if not 0 < value < 1:
            raise RecipeError(f"{what} is {value}; give a share between 0 and 1, such as {usual}")
    # No alarm among n is allowed once (1 - rate)ⁿ <= 1 - confidence.
    return math.ceil(math.log1p(-confidence) / math.log1p(-false_positive_rate) - 1e-9)


def check_enough(n: int, false_positive_rate: float, confidence: float, data: str) -> None:
    """Raises:
    DataError: `n` safe items of `data` are too few for the promise; it says how many it takes.
    RecipeError: the rate or the confidence is not between 0 and 1.
    """
    needed = safe_items_needed(false_positive_rate, confidence)
    if n < needed:
        raise DataError(
            f"{data} has {n} safe prompts; a false-positive rate of {100 * false_positive_rate:g} "
            f"% with {100 * confidence:g} % confidence takes {needed}: add safe prompts, or "
            "promise less"
        )


def _allowed_alarms(n: int, rate: float, risk: float) -> int:
    """The largest k below n with P(Binomial(n, rate) <= k) <= risk; -1 where there is none."""
    total, k = 0.0, 0
    while k < n:
        total += math.exp(
            math.lgamma(n + 1)
            - math.lgamma(k + 1)
            - math.lgamma(n - k + 1)
            + k * math.log(rate)
            + (n - k) * math.log1p(-rate)
        )
        if total > risk * (1 + 1e-9):  # but for rounding
            break
        k += 1
    return k - 1
