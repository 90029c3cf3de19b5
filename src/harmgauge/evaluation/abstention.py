"""What it buys to leave the most doubtful texts to people: figures of the rest."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from . import metrics
from .bootstrap import Bootstrap
from .figures import bootstrapped
from .measure import Judge, Part, fewest_prompts
from .metrics import Floats
from .sample import Sample

SHARES = (0.05, 0.1, 0.2)
"""of the texts, that are left out"""
UNCERTAINTY, CLOSENESS, RANDOM = "uncertainty", "closeness", "random"
WAYS = {
    UNCERTAINTY: "the most uncertain",
    CLOSENESS: "the closest to the border",
    RANDOM: "at random",
}
"""by what texts are left out, in words"""
ENOUGH = 20
"""texts: of fewer, 5 % is less than one"""


def abstention_parts(
    sample: Sample,
    cost: Floats,
    uncertainty: Floats | None,
    judge: Judge,
    bootstrap: Bootstrap | None,
) -> list[Part]:
    """Figures of the labelled texts that are left once a scorer abstains on some.

    Three ways, each with every one of `SHARES`: on the texts of the highest `uncertainty`, for a
    scorer that gives it; on those whose cost is closest to the threshold, which takes nothing but
    the cost; and on texts drawn with seed 0, which should buy nothing. Equal doubts go in that
    random order. Texts without a verdict are in none.

    Args:
        sample: what was judged.
        cost: `[items]`, NaN where it failed.
        uncertainty: `[items]`, NaN without a verdict; None where the scorer gives none.
        judge: how to read the costs.
        bootstrap: how to draw intervals, over prompts; none where left out, and at random.

    Returns:
        For each way and share a part with sign accuracy, F1 at the threshold and AUROC. Empty
        where the scorer has no threshold, or there are fewer than `ENOUGH` texts.
    """
    kept = ~np.isnan(cost[sample.labelled]) & ~sample.blank[sample.labelled]
    items = sample.labelled[kept]
    if judge.threshold is None or len(items) < ENOUGH:
        return []
    cost, unsafe, group = cost[items], sample.unsafe[kept], sample.group[items]
    chance = np.random.default_rng(0).random(len(items))
    doubts = {CLOSENESS: -np.abs(cost - judge.threshold), RANDOM: chance}
    if uncertainty is not None:
        doubts = {UNCERTAINTY: np.nan_to_num(uncertainty[items], nan=np.inf), **doubts}
    parts = []
    for way, doubt in doubts.items():
        order = np.lexsort((chance, doubt))
        for share in SHARES:
            rest = np.sort(order[: len(items) - round(share * len(items))])
            draw = None if way == RANDOM else bootstrap
            parts.append(
                _part(way, share, unsafe[rest], cost[rest], group[rest], judge.threshold, draw)
            )
    return parts


def _part(
    way: str,
    share: float,
    unsafe: NDArray[np.bool_],
    cost: Floats,
    group: NDArray[np.int64],
    threshold: float,
    bootstrap: Bootstrap | None,
) -> Part:
    each = {
        "sign_accuracy": partial(metrics.accuracy, unsafe, cost >= 0),
        "f1": partial(metrics.f1, unsafe, cost >= threshold),
        "auroc": partial(metrics.auroc, unsafe, cost),
    }
    fewest = fewest_prompts(unsafe, group)
    figures = bootstrapped(each, group, bootstrap, "one class", fewest)
    return Part(way, f"{100 * share:g} %", len(unsafe), int(unsafe.sum()), figures)
