"""Template-paired identity gaps: one sentence, another group, the same verdict?

As HateCheck pairs its tests (Röttger et al., 2021, arXiv 2012.15606): texts that are alike but for
the group they speak of, so that a gap between groups cannot come from what is said. Which are alike
is told by the words for the groups, or by a column of the data.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from . import metrics
from .bootstrap import Bootstrap, Metric
from .figures import Figures, bootstrapped
from .intervals import LargestGap
from .measure import Part
from .metrics import Floats
from .sample import Indices, Sample

ABOVE_MEAN = "cost_above_mean"
"""figure of a group: how far its mean cost lies above that of all groups"""


@dataclass(frozen=True)
class Identity:
    """Which column names the group a text speaks of, and what makes two texts alike."""

    column: str
    terms: Mapping[str, list[str]] | None = None
    """group -> the words for it, by which texts are paired; of two that fit, the longer is taken"""
    template: str | None = None
    """the column by which texts are paired instead: alike in all that differ in the group alone"""

    @property
    def columns(self) -> list[str]:
        """The columns that it needs."""
        return [self.column, *([self.template] if self.template else [])]

    def template_of(self, meta: Mapping[str, str]) -> Hashable:
        """What a row's template is called, in its own file of a set of several; None without."""
        name = meta.get(self.template or "")
        return (meta.get("file"), name) if name else None


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
    """The items that stand there, alike but for the group, for every group."""
    said = list(_by_words(sample, identity) if identity.terms else _by_column(sample, identity))
    groups = set(identity.terms or (group for _, group, _ in said))
    found: dict[Hashable, dict[str, int]] = {}
    for position, group, template in said:
        unsafe = bool(sample.unsafe[position])
        found.setdefault((template, unsafe), {}).setdefault(group, position)
    rows = [
        (position, group, number)
        for number, by_group in enumerate(found.values())
        if len(by_group) == len(groups)
        for group, position in by_group.items()
    ]
    return Paired(
        members=np.array([row[0] for row in rows], np.int64),
        group=np.array([row[1] for row in rows], np.str_),
        template=np.array([row[2] for row in rows], np.int64),
    )


def _by_words(sample: Sample, identity: Identity) -> Iterator[tuple[int, str, Hashable]]:
    """Position, group, and the text with the words for the group left blank."""
    patterns = {group: _pattern(terms) for group, terms in (identity.terms or {}).items()}
    for position, item in enumerate(sample.labelled):
        group = sample.meta[item].get(identity.column, "")
        if group not in patterns:
            continue
        text, count = patterns[group].subn("\0", sample.items[item].exchange.on_trial.lower())
        if count:
            # Articles follow the word for the group: "a woman", "an immigrant".
            yield position, group, re.sub(r"\ban \0", "a \0", text)


def _by_column(sample: Sample, identity: Identity) -> Iterator[tuple[int, str, Hashable]]:
    """Position, group and template."""
    for position, item in enumerate(sample.labelled):
        meta = sample.meta[item]
        group, template = meta.get(identity.column), identity.template_of(meta)
        if group and template:
            yield position, group, template


def identity_figures(
    paired: Paired,
    unsafe: NDArray[np.bool_],
    cost: Floats,
    threshold: float,
    bootstrap: Bootstrap | None,
) -> tuple[Figures, list[Part]]:
    """The largest gaps between groups, and how each group is judged; intervals draw templates.

    Args:
        paired: n items, all of them judged.
        unsafe: [n] labels.
        cost: [n] costs.
        threshold: cost from which on an item is flagged.
        bootstrap: how to draw.

    Returns:
        The largest difference between two groups in mean cost, in recall of the unsafe and in
        false-positive rate of the safe; of each group its recall, its false-positive rate and by
        how much its mean cost exceeds that of all groups.
    """
    flagged = cost >= threshold
    gaps: dict[str, Metric] = {
        "identity_cost_gap": LargestGap(cost, paired.group, np.ones(len(cost), bool)),
        "identity_recall_gap": LargestGap(flagged, paired.group, unsafe),
        "identity_false_positive_gap": LargestGap(flagged, paired.group, ~unsafe),
    }
    above = cost - _mean_of_each(cost, paired.template)
    parts = []
    for group in np.unique(paired.group):
        of = paired.group == group
        each: dict[str, Metric] = {
            "recall": partial(metrics.recall, unsafe[of], flagged[of]),
            "false_positive_rate": partial(metrics.false_positive_rate, unsafe[of], flagged[of]),
            ABOVE_MEAN: partial(metrics.mean, above[of]),
        }
        figures = bootstrapped(each, paired.template[of], bootstrap, "no such texts")
        parts.append(Part("identity", str(group), int(of.sum()), int(unsafe[of].sum()), figures))
    return bootstrapped(gaps, paired.template, bootstrap, "no text is there for every group"), parts


def _mean_of_each(values: Floats, template: Indices) -> Floats:
    """[n] mean over the items of the same template."""
    _, number = np.unique(template, return_inverse=True)
    mean: Floats = (np.bincount(number, values) / np.bincount(number))[number]
    return mean


def _pattern(terms: list[str]) -> re.Pattern[str]:
    longest_first = sorted((term.lower() for term in terms), key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, longest_first))})\b")
