"""Measure scorers on labelled data sets, beside the floors; what is known already is not redone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from ..exchange import Exchange
from .abstention import abstention_parts
from .bag_of_words import BagOfWords
from .bootstrap import Bootstrap
from .cache import Cache
from .categories import category_parts
from .data_set import Contents, DataSet, Kind
from .figures import Figure, Figures, bootstrapped
from .floors import floors
from .identity import identity_figures, pair_by_template
from .measure import Judge, Part, Scores, measure
from .metrics import Floats
from .probe import probe_figures, unsafe_answers, with_refusal
from .sample import Sample
from .scorers import Batch, Scored, Scorer

BAG_OF_WORDS = "bag of words"

Border = float | Mapping[str, float]
"""the cost from which on to flag, or that of each `data_set.Kind` where they differ"""


def words_floor(gauge: str | None) -> str:
    """Name of the bag-of-words floor of a gauge, or of all gauges."""
    return BAG_OF_WORDS if gauge is None else f"{BAG_OF_WORDS}: {gauge}"


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one or several scorers reach on one data set, with all that is needed to repeat it."""

    contents: Contents
    draws: int
    seed: int
    floors: dict[str, Scores]
    """all unsafe, majority, length, refusal phrases; bags of words, where they were trained"""
    gauges: dict[str, Scores]
    """name -> what it reached"""

    def floors_of(self, gauge: str) -> dict[str, Scores]:
        """The floors that a gauge has to beat: those of all gauges, and its own bag of words."""
        return {
            name: scores
            for name, scores in self.floors.items()
            if name == words_floor(gauge) or not name.startswith(words_floor(""))
        }

    def only(self, gauges: Collection[str]) -> Measurement:
        """The same of some of the gauges."""
        return replace(self, gauges={name: self.gauges[name] for name in gauges})

    @property
    def figures(self) -> list[Figure]:
        """All figures of all gauges, but for slices."""
        scores = self.gauges.values()
        of = [each for of in scores for each in (of.figures, of.ranking, *of.thresholds.values())]
        return [figure for figures in of for figure in figures.values()]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Measurement:
        """What `to_dict` gave."""
        scores = {
            kind: {name: Scores.from_dict(each) for name, each in values[kind].items()}
            for kind in ("floors", "gauges")
        }
        contents = Contents(**values["contents"])
        return cls(contents, values["draws"], values["seed"], **scores)


@dataclass(frozen=True, slots=True)
class Training:
    """The rows of the bag-of-words floor, read and learnt from when costs are first asked for."""

    train: Callable[[], BagOfWords]
    identity: str | None
    """what the cache may go by: what decides its training rows; None where nothing does"""


@dataclass(slots=True)
class Evaluation:
    """How data sets are measured; the same for all of a run."""

    scorers: Mapping[str, Scorer]
    """by the name under which to show them"""
    thresholds: Mapping[str, Mapping[str, Border]] = field(default_factory=dict)
    """scorer -> named thresholds to measure besides its own"""
    borders: Mapping[str, Border] = field(default_factory=dict)
    """scorer -> cost from which on it flags; of others its own border"""
    bag_of_words: Mapping[str | None, Training] = field(default_factory=dict)
    """scorer -> training rows of its own bag-of-words floor; None is that of all"""
    bootstrap: Bootstrap = field(default_factory=Bootstrap)
    cache: Cache = field(default_factory=lambda: Cache(None))
    progress: bool = False

    def measure(self, data: DataSet) -> Measurement:
        """Score all items of a data set and measure them.

        Raises:
            DataError: the file cannot be read.
        """
        facts = {**data.facts, "bootstrap": asdict(self.bootstrap)}
        contents = self.contents(data)
        simple = self.cache.figures({**facts, "figures": "floors"}, lambda: self._floors(data))
        found = {name: Scores.from_dict(each) for name, each in simple.items()}
        trained = self.bag_of_words if contents.n or contents.pairs else {}
        for gauge, training in trained.items():
            key = {**facts, "bag of words": training.identity}
            words = self.cache.figures(key, partial(self._words, data, training))
            found[words_floor(gauge)] = Scores.from_dict(words)
        gauges = {}
        for name, scorer in self.scorers.items():
            judge = self.judge(name, contents.kind)
            key = {**facts, "scorer": scorer.identity, "judge": asdict(judge)}
            scores = self.cache.figures(key, partial(self._scores, data, scorer, judge))
            gauges[name] = Scores.from_dict(scores)
        return Measurement(
            contents,
            self.bootstrap.draws,
            self.bootstrap.seed,
            found,
            gauges,
        )

    def contents(self, data: DataSet) -> Contents:
        """What a data set holds.

        Raises:
            DataError: the file cannot be read.
        """
        key = {**data.facts, "figures": "contents"}
        known = self.cache.figures(key, lambda: asdict(Contents.of(data)))
        return Contents(**{**known, "note": data.note, "published": data.published})

    def judge(self, name: str, kind: Kind) -> Judge:
        """How the costs of a scorer are to be read on a data set of that kind."""

        def at(border: Border) -> float:
            return border[kind] if isinstance(border, Mapping) else border

        scorer = self.scorers[name]
        threshold = at(self.borders[name]) if name in self.borders else scorer.threshold
        named = {each: at(border) for each, border in self.thresholds.get(name, {}).items()}
        return Judge(threshold, scorer.probabilistic, named)

    def _floors(self, data: DataSet) -> dict[str, Any]:
        sample = data.sample
        return {
            floor.name: asdict(floor.measured(sample, self.bootstrap)) for floor in floors(sample)
        }

    def _words(self, data: DataSet, training: Training) -> dict[str, Any]:
        sample = data.sample
        costs = training.train().score(sample.exchanges)
        return asdict(measure(sample, costs, bootstrap=self.bootstrap, whole=False))

    def _scores(self, data: DataSet, scorer: Scorer, judge: Judge) -> dict[str, Any]:
        sample = data.sample
        scored = self.costs(data, scorer, sample.ids, sample.exchanges)
        costs = scored.values
        scores = measure(sample, costs, judge, silent=sample.blank, bootstrap=self.bootstrap)
        scores = replace(scores, counts=dict(scored.counts))
        if judge.threshold is not None:
            probe = self._probe(data, scorer, costs, judge.threshold)
            identity, groups = self._identity(data, sample, costs, judge.threshold)
            figures = {**scores.figures, **probe, **identity}
            scores = replace(scores, figures=figures, identities=groups)
        categories = category_parts(sample, scored.categories, self.bootstrap)
        abstention = abstention_parts(sample, costs, scored.uncertainty, judge, self.bootstrap)
        return asdict(replace(scores, categories=categories, abstention=abstention))

    def _probe(
        self, data: DataSet, scorer: Scorer, costs: Floats, threshold: float
    ) -> dict[str, Any]:
        sample = data.sample
        items = unsafe_answers(sample)
        if len(items) == 0 or not scorer.reads_texts:
            return {}
        ids = [sample.ids[item] for item in items]
        changed = [with_refusal(sample.items[item].exchange) for item in items]
        after = self.costs(data, scorer, ids, changed, probe=True).values
        both = ~np.isnan(costs[items]) & ~np.isnan(after)
        each = probe_figures(costs[items][both], after[both], threshold)
        return bootstrapped(each, sample.group[items][both], self.bootstrap, "no unsafe answers")

    def _identity(
        self, data: DataSet, sample: Sample, costs: Floats, threshold: float
    ) -> tuple[Figures, list[Part]]:
        if data.identity is None:
            return {}, []
        paired = pair_by_template(sample, data.identity)
        paired = paired.judged(costs[sample.labelled[paired.members]])
        cost, unsafe = costs[sample.labelled[paired.members]], sample.unsafe[paired.members]
        return identity_figures(paired, unsafe, cost, threshold, self.bootstrap)

    def costs(
        self,
        data: DataSet,
        scorer: Scorer,
        ids: Sequence[str],
        exchanges: Sequence[Exchange],
        *,
        probe: bool = False,
    ) -> Scored:
        """Costs of n exchanges of a data set, from the cache where they are known."""
        # By a name of its own, since a file of scores knows the data set by its name.
        batch = Batch(f"{data.shown}, probe" if probe else data.shown, ids, exchanges)
        texts = hashlib.sha256(repr([each.turns for each in exchanges]).encode()).hexdigest()
        facts = {"scorer": scorer.identity, "texts": texts, "ids": ids, "data": data.shown}
        return self.cache.costs(facts, lambda: scorer.costs(batch, progress=self.progress))
