"""How well a gauge's categories are told apart, where the data flags its texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import repeat

import numpy as np

from ..taxonomy import own_parts
from . import metrics
from .bootstrap import Bootstrap
from .figures import Figure, bootstrapped
from .measure import Part, fewest_prompts
from .metrics import Floats
from .sample import Sample

ENOUGH = 10
"""flagged texts, and others: of fewer an AUROC says next to nothing"""
AGAINST = ("auroc_against_others", "auroc_against_safe")


def category_parts(
    sample: Sample, given: Mapping[str, Floats], bootstrap: Bootstrap | None
) -> list[Part]:
    """Figures of each category that the data flags, by a gauge that gives categories.

    A text counts as flagged if it is labelled unsafe and has the flag, as another if it is
    labelled and known not to have it: a safe one of which nothing is said, or a flag that is
    stated to be absent. A flag that is not known puts the text into neither. Data whose flags are
    of another taxonomy is compared with the highest of the categories that map to it, as
    `taxonomy.translate` gives it.

    Args:
        sample: what was judged.
        given: as `Scored.categories`, of all items of the sample.
        bootstrap: how to draw intervals; none where left out.

    Returns:
        For each flag a part with its number of flagged texts as `unsafe`, and two figures: AUROC
        of the flagged texts against all others, and against the safe among these. None with a
        reason where the gauge gives no such category, or there are fewer than `ENOUGH` of a kind.
        Empty where the data has no flags, or the scorer no categories.
    """
    flags = [sample.items[item].categories for item in sample.labelled]
    names = sorted({name for each in flags if each for name in each})
    if not names or not given:
        return []
    chances = {name: chance[sample.labelled] for name, chance in given.items()}
    judged = ~np.isnan(list(chances.values())).any(axis=0)
    own = own_parts(names)
    parts = []
    for name in names:
        columns = [chances[part] for part in own[name] if part in chances]
        known = np.array(list(map(_known, flags, repeat(name), sample.unsafe)))
        positive = (known == 1) & sample.unsafe & judged
        others = (known == 0) & judged
        figures = {}
        for figure, negative in zip(AGAINST, (others, others & ~sample.unsafe), strict=True):
            chosen = positive | negative
            reason = _reason(columns, int(positive.sum()), int(negative.sum()))
            if reason:
                figures[figure] = Figure(None, int(chosen.sum()), reason=reason)
                continue
            chance = np.max(columns, axis=0)[chosen]
            metric = partial(metrics.auroc, positive[chosen], chance)
            group = sample.group[sample.labelled[chosen]]
            fewest = fewest_prompts(positive[chosen], group)
            figures |= bootstrapped({figure: metric}, group, bootstrap, "one class", fewest)
        n = int((positive | others).sum())
        parts.append(Part("category", name, n, int(positive.sum()), figures))
    return parts


def _known(flags: Mapping[str, bool | None] | None, name: str, unsafe: bool) -> float:
    """1 flagged, 0 not, NaN unknown."""
    if not flags:
        return np.nan if unsafe else 0.0
    flag = flags.get(name, False)
    return np.nan if flag is None else float(flag)


def _reason(columns: Sequence[Floats], positive: int, negative: int) -> str | None:
    if not columns:
        return "the gauge gives no such category"
    if min(positive, negative) < ENOUGH:
        return f"fewer than {ENOUGH} texts of a kind"
    return None
