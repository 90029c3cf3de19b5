"""What lies between two scorers on the same examples: paired intervals and tests over prompts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .bootstrap import Bootstrap, Metric
from .figures import Figure, drawn_figure
from .intervals import Gap
from .metrics import Floats
from .sample import Indices

_AT_ONCE = 4_000_000
"""weights held in memory at a time; bounds the memory, never changes a draw"""
_ALIKE = 1e-12
"""differences closer than this are the same but for rounding"""


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure of two scorers on the same n examples."""

    a: Figure
    b: Figure
    difference: Figure
    """b less a; its interval is of paired draws, the same prompts for both"""
    p: float | None
    """two-sided, of `permutation_p`; None where the figure is missing or nothing was drawn"""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Difference:
        """What `dataclasses.asdict` gave."""
        figures = {name: Figure(**values[name]) for name in ("a", "b", "difference")}
        return cls(**figures, p=values["p"])


Differences = dict[str, Difference]


@dataclass(frozen=True, slots=True)
class Twin:
    """One figure of n examples as each of two scorers gives it."""

    a: Metric
    b: Metric
    pooled: Metric
    """the same figure of 2 n examples, those of a before those of b"""

    @classmethod
    def of(
        cls,
        metric: Callable[..., Floats],
        a: tuple[ArrayLike, ArrayLike],
        b: tuple[ArrayLike, ArrayLike],
    ) -> Twin:
        """A figure from its two arguments, `[n]` each, for a and for b.

        What is pooled must be alike in scale: verdicts, probabilities or ranks, but no raw scores.
        """
        both = [np.concatenate(each) for each in zip(a, b, strict=True)]
        return cls(partial(metric, *a), partial(metric, *b), partial(metric, *both))


def differences(
    twins: Mapping[str, Twin],
    group: Indices,
    bootstrap: Bootstrap,
    reason: str,
    fewest: int = 0,
    *,
    same: bool = False,
) -> Differences:
    """Figures of the same n examples, what lies between them, intervals and p values.

    Args:
        twins: name -> figure.
        group: [n] prompt number of each example.
        bootstrap: how to draw; there are as many swaps as draws.
        reason: why a figure is missing where it is.
        fewest: prompts of the class that has fewer.
        same: a and b gave the same scores, so that nothing can lie between them.
    """
    every = np.ones(len(group))
    values = {name: (float(twin.a(every)), float(twin.b(every))) for name, twin in twins.items()}
    known = {name: twin for name, twin in twins.items() if not math.isnan(sum(values[name]))}
    drawn = bootstrap.of(
        {f"{side} {name}": getattr(known[name], side) for name in known for side in "ab"}, group
    )
    p = permutation_p(known, group, bootstrap)
    found = {}
    for name, (a, b) in values.items():
        if name not in known:
            missing = Figure(None, len(group), reason=reason)
            found[name] = Difference(missing, missing, missing, None)
            continue
        of_a, of_b = drawn[f"a {name}"], drawn[f"b {name}"]
        twin = twins[name]
        between = Gap(twin.b, twin.a)
        found[name] = Difference(
            drawn_figure(twin.a, a, of_a, group, fewest),
            drawn_figure(twin.b, b, of_b, group, fewest),
            Figure(0.0, len(group), 0.0, 0.0, 0.0)
            if same
            else drawn_figure(between, b - a, of_b - of_a, group, fewest),
            p.get(name),
        )
    return found


def permutation_p(
    twins: Mapping[str, Twin], group: Indices, bootstrap: Bootstrap
) -> dict[str, float]:
    """Two-sided p values that a and b are exchangeable; empty without draws or with one prompt.

    For each prompt a coin says whether a and b change places, for all of its examples together,
    since answers to one prompt are not independent. p is (1 + swaps at least as far apart) /
    (1 + swaps), which no seed makes 0 (Phipson and Smyth, 2010). Of an AUROC ranks change places,
    as in Venkatraman and Begg (1996) and Bandos, Rockette and Gur (2005), who swap case by case.

    Args:
        twins: name -> figure of n examples.
        group: [n] prompt number of each example.
        bootstrap: its draws and its seed.
    """
    names, member = np.unique(group, return_inverse=True)
    if not bootstrap.draws or len(names) < 2:
        return {}
    random = np.random.default_rng(bootstrap.seed)
    as_they_are = np.repeat([1.0, 0.0], len(group))
    observed = {name: abs(_gap(twin, as_they_are)) - _ALIKE for name, twin in twins.items()}
    extreme = dict.fromkeys(twins, 0)
    rows = max(1, _AT_ONCE // (2 * len(group)))
    for start in range(0, bootstrap.draws, rows):
        coins = random.integers(0, 2, (min(rows, bootstrap.draws - start), len(names)))
        swapped = coins[:, member].astype(np.float64)
        in_a = np.concatenate([1 - swapped, swapped], axis=1)
        for name, twin in twins.items():
            extreme[name] += int(np.sum(np.abs(_gap(twin, in_a)) >= observed[name]))
    return {name: (1 + count) / (1 + bootstrap.draws) for name, count in extreme.items()}


def _gap(twin: Twin, in_a: Floats) -> Floats:
    """The difference where `in_a`, `[..., 2 n]`, says which of the pooled examples are a's."""
    return np.asarray(twin.pooled(1 - in_a) - twin.pooled(in_a))


def holm(p: Sequence[float]) -> list[float]:
    """P values adjusted for being several (Holm, 1979): together they err as often as one."""
    order = np.argsort(p, kind="stable")
    stepped = np.asarray(p, np.float64)[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return [float(value) for value in adjusted]
