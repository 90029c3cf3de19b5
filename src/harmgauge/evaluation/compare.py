"""Two scorers on the same data: every figure of both, what lies between them, and where."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..data.row import STRATA
from . import metrics
from .bootstrap import Bootstrap
from .data_set import Contents, DataSet
from .disagreements import Disagreement, disagreements
from .evaluate import Evaluation
from .measure import Judge, against_labels, fewest_prompts, prompts_of_pairs
from .metrics import Floats, mid_ranks
from .paired import Difference, Differences, Twin, differences
from .sample import Indices, Sample
from .slices import pair_slices, slices

FIGURES = ("sign_accuracy", "auroc", "f1", "recall", "false_positive_rate", "brier")
RANKING = (*STRATA, "overall")


@dataclass(frozen=True, slots=True)
class ComparedPart:
    """Differences in a slice of the labelled items."""

    by: str
    value: str
    n: int
    unsafe: int
    figures: Differences


@dataclass(frozen=True, slots=True)
class ComparedPairPart:
    """The difference of ranking accuracy in a slice of the pairs of one stratum."""

    by: str
    value: str
    stratum: str
    figure: Difference


@dataclass(frozen=True, slots=True)
class Comparison:
    """Scorers a and b on one data set."""

    contents: Contents
    figures: Differences
    """of the labelled items, by the names in `FIGURES`"""
    ranking: Differences
    """ranking accuracy by stratum; empty for data without pairs"""
    parts: list[ComparedPart]
    pair_parts: list[ComparedPairPart]
    disagreements: list[Disagreement]
    """farthest apart first"""
    failed_a: int
    """items that a could not judge"""
    failed_b: int
    left_out: int
    """items that either could not judge; they are in no figure of either"""
    counts_a: Mapping[str, int] = field(default_factory=dict)
    """what else a counted, such as texts that it truncated"""
    counts_b: Mapping[str, int] = field(default_factory=dict)
    upside_down_a: tuple[str, ...] = ()
    """names of a's figures that run against the labels, see `against_labels`"""
    upside_down_b: tuple[str, ...] = ()

    def get(self, figure: str) -> Difference | None:
        """A figure or a stratum by its name, if the data can give it."""
        found = self.figures.get(figure) or self.ranking.get(figure)
        return None if found is None or found.difference.value is None else found

    @property
    def known(self) -> bool:
        """Whether there is any difference at all."""
        every = (*self.figures.values(), *self.ranking.values())
        return any(each.difference.value is not None for each in every)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Comparison:
        """What `to_dict` gave."""
        return cls(
            Contents(**values["contents"]),
            _from_dicts(values["figures"]),
            _from_dicts(values["ranking"]),
            [
                ComparedPart(**{**part, "figures": _from_dicts(part["figures"])})
                for part in values["parts"]
            ],
            [
                ComparedPairPart(**{**part, "figure": Difference.from_dict(part["figure"])})
                for part in values["pair_parts"]
            ],
            [Disagreement(**each) for each in values["disagreements"]],
            values["failed_a"],
            values["failed_b"],
            values["left_out"],
            values["counts_a"],
            values["counts_b"],
            tuple(values["upside_down_a"]),
            tuple(values["upside_down_b"]),
        )


def _from_dicts(values: Mapping[str, Mapping[str, Any]]) -> Differences:
    return {name: Difference.from_dict(each) for name, each in values.items()}


def compare(evaluation: Evaluation, data: DataSet, a: str, b: str, rows: int = 10) -> Comparison:
    """Score all items of a data set with both and set them side by side.

    Args:
        evaluation: has both scorers, and how to draw and what to keep.
        data: what to score.
        a: name of the first scorer; differences are b less a.
        b: name of the second.
        rows: at most so many disagreements.

    Raises:
        DataError: the file cannot be read.
    """
    scorers = [evaluation.scorers[name] for name in (a, b)]
    contents = evaluation.contents(data)
    judges = [evaluation.judge(name, contents.kind) for name in (a, b)]
    bootstrap = evaluation.bootstrap

    def compute() -> dict[str, Any]:
        sample = data.sample
        scored = [evaluation.costs(data, each, sample.ids, sample.exchanges) for each in scorers]
        sides = [Side(of.values, judge) for of, judge in zip(scored, judges, strict=True)]
        found = compare_costs(sample, contents, *sides, bootstrap=bootstrap, rows=rows)
        counts = [dict(each.counts) for each in scored]
        return replace(found, counts_a=counts[0], counts_b=counts[1]).to_dict()

    facts = {
        **data.facts,
        "a": scorers[0].identity,
        "b": scorers[1].identity,
        "judges": [asdict(judge) for judge in judges],
        "bootstrap": asdict(bootstrap),
        "rows": rows,
    }
    known = evaluation.cache.figures(facts, compute)
    return Comparison.from_dict({**known, "contents": asdict(evaluation.contents(data))})


@dataclass(frozen=True, slots=True)
class Side:
    """What one scorer said of the items of a sample."""

    cost: Floats
    """[items] NaN where it failed"""
    judge: Judge


def compare_costs(
    sample: Sample,
    contents: Contents,
    a: Side,
    b: Side,
    *,
    bootstrap: Bootstrap | None = None,
    rows: int = 10,
) -> Comparison:
    """Every figure that the sample can give for both scorers; what either could not judge is left
    out for both. Blank items are never flagged, as in `measure`."""
    bootstrap = bootstrap or Bootstrap()
    judged = ~np.isnan(a.cost) & ~np.isnan(b.cost)
    spoken = ~sample.blank
    same = np.array_equal(a.cost, b.cost, equal_nan=True) and a.judge == b.judge
    both = _Both(sample, a, b, spoken, bootstrap, same)
    kept = judged[sample.labelled]
    parts = []
    for each in slices(sample) if kept.any() else ():
        members = each.members[kept[each.members]]
        unsafe = int(sample.unsafe[members].sum())
        parts.append(
            ComparedPart(each.by, each.value, len(members), unsafe, both.labelled(members))
        )
    figures = both.labelled(np.flatnonzero(kept)) if len(kept) else {}
    ranking = both.ranking(judged) if len(sample.pairs.safer) else {}
    group = sample.group[sample.labelled[kept]]
    prompts = {
        "auroc": fewest_prompts(sample.unsafe[kept], group),
        **prompts_of_pairs(sample, judged),
    }
    every = {**figures, **ranking}
    of_a, of_b = (
        against_labels(
            {name: getattr(every[name], side) for name in prompts if name in every}, prompts
        )
        for side in "ab"
    )
    return Comparison(
        contents,
        figures,
        ranking,
        parts,
        list(both.pair_parts(judged)),
        disagreements(sample, a.cost, b.cost, judged & spoken, rows),
        failed_a=int(np.isnan(a.cost).sum()),
        failed_b=int(np.isnan(b.cost).sum()),
        left_out=int((~judged).sum()),
        upside_down_a=of_a,
        upside_down_b=of_b,
    )


@dataclass(frozen=True, slots=True)
class _Both:
    sample: Sample
    a: Side
    b: Side
    spoken: NDArray[np.bool_]
    bootstrap: Bootstrap
    same: bool
    """a and b gave the same costs"""

    def labelled(self, members: Indices) -> Differences:
        """Differences of items at these positions in `Sample.labelled`."""
        items = self.sample.labelled[members]
        unsafe = self.sample.unsafe[members]
        group = self.sample.group[items]
        twins = self._twins(items, unsafe)
        fewest = fewest_prompts(unsafe, group)
        reason = _reason(unsafe)
        return differences(twins, group, self.bootstrap, reason, fewest, same=self.same)

    def _twins(self, items: Indices, unsafe: NDArray[np.bool_]) -> dict[str, Twin]:
        cost_a, cost_b = self.a.cost[items], self.b.cost[items]
        spoken = self.spoken[items]

        def twin(metric: Callable[..., Floats], a: ArrayLike, b: ArrayLike) -> Twin:
            return Twin.of(metric, (unsafe, a), (unsafe, b))

        twins = {"auroc": twin(metrics.auroc, mid_ranks(cost_a), mid_ranks(cost_b))}
        border_a, border_b = self.a.judge.threshold, self.b.judge.threshold
        if border_a is not None and border_b is not None:
            signs = (cost_a >= 0) & spoken, (cost_b >= 0) & spoken
            flags = (cost_a >= border_a) & spoken, (cost_b >= border_b) & spoken
            twins["sign_accuracy"] = twin(metrics.accuracy, *signs)
            twins["f1"] = twin(metrics.f1, *flags)
            twins["recall"] = twin(metrics.recall, *flags)
            twins["false_positive_rate"] = twin(metrics.false_positive_rate, *flags)
        if self.a.judge.probabilistic and self.b.judge.probabilistic:
            twins["brier"] = twin(metrics.brier, cost_a, cost_b)
        return {name: twins[name] for name in FIGURES if name in twins}

    def ranking(self, judged: NDArray[np.bool_]) -> Differences:
        """Differences of ranking accuracy by stratum."""
        pairs = self.sample.pairs
        chosen = pairs.strata(judged)
        # As in `measure`: an overall ranking means little where strata are missing.
        if all(len(chosen[name]) for name in ("mixed", "both_unsafe", "both_safe")):
            chosen["overall"] = pairs.judged(judged)
        return {name: self._ranked(numbers) for name, numbers in chosen.items()}

    def pair_parts(self, judged: NDArray[np.bool_]) -> Iterator[ComparedPairPart]:
        """Differences of ranking accuracy by slice and stratum."""
        for stratum, each in pair_slices(self.sample, judged):
            yield ComparedPairPart(each.by, each.value, stratum, self._ranked(each.members))

    def _ranked(self, chosen: Indices) -> Difference:
        safer, other = self.sample.pairs.safer[chosen], self.sample.pairs.other[chosen]
        # Both costs of a pair change places together, so that scales never meet.
        sides = [(side.cost[safer], side.cost[other]) for side in (self.a, self.b)]
        twin = {"": Twin.of(metrics.ranking_accuracy, *sides)}
        group = self.sample.group[safer]
        return differences(twin, group, self.bootstrap, "no such pairs judged", same=self.same)[""]


def _reason(unsafe: NDArray[np.bool_]) -> str:
    """Why a figure cannot be given."""
    if len(unsafe) == 0:
        return "nothing could be judged"
    return "all unsafe" if unsafe.all() else "all safe"
