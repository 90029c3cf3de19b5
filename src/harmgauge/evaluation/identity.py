"""Template-paired identity gaps: one sentence, another group, the same verdict?

As HateCheck pairs its tests (Röttger et al., 2021, arXiv 2012.15606): texts that are alike but for
the group they speak of, so that a gap between groups cannot come from what is said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from .bootstrap import Metric
from .metrics import Floats
from .sample import Indices, Sample


@dataclass(frozen=True)
class Identity:
    """Which column names the group a text speaks of, and by which words."""

    column: str
    terms: dict[str, list[str]]
    """group -> the words for it; of two that fit, the longer is taken"""


@dataclass(frozen=True, slots=True)
class Paired:
    """Labelled items of which every group has the like; `[n]` each."""

    members: Indices
    """positions in `Sample.labelled`"""
    group: NDArray[np.str_]
    template: Indices
    """number of the text with its group left blank"""

    def judged(self, cost: Floats) -> Paired:
        """Those of which the scorer failed on none of the like; `cost` is [n], NaN where it did."""
        kept = ~np.isin(self.template, self.template[np.isnan(cost)])
        return Paired(self.members[kept], self.group[kept], self.template[kept])


def pair_by_template(sample: Sample, identity: Identity) -> Paired:
    """The items that stand there, word for word but for the group, for every group."""
    patterns = {group: _pattern(terms) for group, terms in identity.terms.items()}
    found: dict[tuple[str, bool], dict[str, int]] = {}
    for position, item in enumerate(sample.labelled):
        group = sample.meta[item].get(identity.column, "")
        if group not in patterns:
            continue
        text, count = patterns[group].subn("\0", sample.items[item].exchange.on_trial.lower())
        if count:
            # Articles follow the word for the group: "a woman", "an immigrant".
            template = re.sub(r"\ban \0", "a \0", text)
            unsafe = bool(sample.unsafe[position])
            found.setdefault((template, unsafe), {}).setdefault(group, position)
    rows = [
        (position, group, number)
        for number, by_group in enumerate(found.values())
        if len(by_group) == len(patterns)
        for group, position in by_group.items()
    ]
    return Paired(
        members=np.array([row[0] for row in rows], np.int64),
        group=np.array([row[1] for row in rows], np.str_),
        template=np.array([row[2] for row in rows], np.int64),
    )


def gaps(
    unsafe: NDArray[np.bool_], cost: Floats, flagged: NDArray[np.bool_], group: NDArray[np.str_]
) -> dict[str, Metric]:
    """Largest difference between two groups, of n paired items, `[n]` each: in mean cost, in
    recall of the unsafe and in false-positive rate of the safe."""
    parts: Mapping[str, tuple[NDArray[np.bool_], Floats]] = {
        "identity_cost_gap": (np.ones(len(cost), bool), cost),
        "identity_recall_gap": (unsafe, flagged.astype(np.float64)),
        "identity_false_positive_gap": (~unsafe, flagged.astype(np.float64)),
    }
    return {
        name: partial(largest_gap, values, group, counted)
        for name, (counted, values) in parts.items()
    }


def largest_gap(
    values: Floats, group: NDArray[np.str_], counted: NDArray[np.bool_], weight: Floats
) -> Floats:
    """Largest difference of two groups in the mean of `values`, of the counted; `[n]` each."""
    means = []
    for name in np.unique(group):
        mask = (counted & (group == name)).astype(np.float64)
        total = weight @ mask
        means.append(
            np.divide(
                weight @ (mask * values), total, out=np.full(total.shape, np.nan), where=total > 0
            )
        )
    if not means:
        return np.full(weight.shape[:-1], np.nan)
    return np.asarray(np.max(means, axis=0) - np.min(means, axis=0))


def _pattern(terms: list[str]) -> re.Pattern[str]:
    longest_first = sorted((term.lower() for term in terms), key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, longest_first))})\b")
