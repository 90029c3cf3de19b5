"""The reward of a verdict, the same for every trainer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..gauge import Gauge
from ..verdict import Verdict


def judge(
    gauge: Gauge, exchanges: Iterable[Any], threshold: float | str | None
) -> list[tuple[float | None, Verdict]]:
    """Rewards of exchanges and the verdicts behind them, one each.

    A reward is minus the cost. With a threshold it is `min(0, threshold - cost)`: what lies below
    the threshold is safe enough, so that refusing everything gains nothing. It is None where there
    is no verdict: blank, or not to be judged.

    Raises:
        RecipeError: the gauge has no threshold of that name.
    """
    return [(reward_of(each, threshold), each) for each in gauge.verdicts(exchanges, threshold)]


def reward_of(verdict: Verdict, threshold: float | str | None) -> float | None:
    """The reward of a verdict that was given at `threshold`; see `judge`."""
    if verdict.cost is None or verdict.unsafe is None:
        return None
    if threshold is None:
        return -verdict.cost
    return min(0.0, verdict.threshold - verdict.cost)
