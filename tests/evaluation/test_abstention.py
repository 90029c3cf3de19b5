"""What is left where a scorer abstains on the texts in doubt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from harmgauge.data.row import Item, Row
from harmgauge.evaluation.abstention import abstention_parts
from harmgauge.evaluation.bootstrap import Bootstrap
from harmgauge.evaluation.cache import Cache
from harmgauge.evaluation.evaluate import Evaluation, Measurement
from harmgauge.evaluation.measure import Judge
from harmgauge.evaluation.report.abstention import abstention
from harmgauge.evaluation.report.blocks import Folded, Pictures, Table
from harmgauge.evaluation.sample import Sample
from harmgauge.evaluation.scorers import Scored
from harmgauge.evaluation.text import block
from harmgauge.exchange import Exchange
from stub_scorer import data_set


def sample_of(labels):
    return Sample.of(
        [
            Row(f"f:{number}", "own", (Item(Exchange(f"text {number}"), label),))
            for number, label in enumerate(labels)
        ]
    )


def table(parts):
    return {(part.by, part.value): part for part in parts}


def test_figures_of_the_rest_are_those_of_the_texts_that_stay():
    labels = [0.0, 1.0] * 20
    cost = np.where(np.array(labels) > 0, 1.0, -1.0) * np.linspace(1, 2, 40)
    cost[[0, 1]] *= -1  # two errors, at the border's side of all costs
    uncertainty = np.linspace(0, 1, 40)
    uncertainty[1] = 2.0
    found = table(abstention_parts(sample_of(labels), cost, uncertainty, Judge(), None))
    assert set(found) == {
        (by, f"{share} %") for by in ("uncertainty", "closeness", "random") for share in (5, 10, 20)
    }
    # Two texts less: by uncertainty 1 and 39, by closeness the two errors.
    part = found["uncertainty", "5 %"]
    assert (part.n, part.unsafe) == (38, 18)
    assert part.figures["sign_accuracy"].value == pytest.approx(37 / 38)
    # Of 18 unsafe all are found, with one false alarm.
    assert part.figures["f1"].value == pytest.approx(2 * 18 / (18 + 19))
    # The false alarm costs 1, and all unsafe texts more.
    assert part.figures["auroc"].value == 1
    assert [found["closeness", f"{share} %"].n for share in (5, 10, 20)] == [38, 36, 32]
    assert found["closeness", "5 %"].figures["sign_accuracy"].value == 1


def test_closeness_is_to_the_threshold_and_what_says_nothing_is_left_out():
    labels = [0.0, 1.0] * 15
    sample = sample_of([*labels, 0.0, 1.0])
    sample.items[30] = Item(Exchange(" "), 0.0)
    cost = np.array([*np.linspace(0, 1, 30), 0.0, np.nan])
    found = table(abstention_parts(sample, cost, None, Judge(threshold=0.75), None))
    assert {by for by, _ in found} == {"closeness", "random"}
    part = found["closeness", "20 %"]
    # Without 19/29 to 24/29, 12 of 24 are unsafe, and of the 5 that are flagged 3.
    assert (part.n, part.unsafe) == (24, 12)
    assert part.figures["f1"].value == pytest.approx(2 * 3 / (12 + 5))


def test_few_texts_or_no_threshold_give_nothing():
    sample, cost = sample_of([0.0, 1.0] * 9), np.ones(18)
    assert abstention_parts(sample, cost, cost, Judge(), None) == []
    sample, cost = sample_of([0.0, 1.0] * 10), np.ones(20)
    assert abstention_parts(sample, cost, cost, Judge(None, False), None) == []
    assert len(abstention_parts(sample, cost, cost, Judge(), None)) == 9


@pytest.mark.parametrize("informative", [True, False])
def test_it_buys_something_where_doubt_is_about_the_errors_alone(informative):
    random = np.random.default_rng(0)
    n = 4000
    labels = (random.random(n) < 0.5).astype(float)
    hard = random.random(n) < 0.2  # of these half are wrong, of the others none
    right = np.where(hard, random.random(n) < 0.5, True)
    cost = np.where((labels > 0) == right, 1, -1) * random.uniform(0.5, 2, n)
    uncertainty = hard + random.random(n) if informative else random.random(n)
    found = table(abstention_parts(sample_of(labels), cost, uncertainty, Judge(), Bootstrap(100)))
    reached = [found["uncertainty", f"{s} %"].figures["sign_accuracy"] for s in (5, 10, 20)]
    floor = found["random", "20 %"].figures["sign_accuracy"]
    assert floor.value == pytest.approx(0.9, abs=0.02)
    assert floor.low is None
    if informative:
        assert reached[0].value < reached[1].value < reached[2].value
        assert reached[2].value > 0.99
        assert reached[2].low > floor.value
    else:
        assert reached[2].low < floor.value < reached[2].high


def test_equal_doubts_are_left_out_at_random():
    labels = [0.0] * 50 + [1.0] * 50
    parts = abstention_parts(sample_of(labels), np.ones(100), np.ones(100), Judge(), None)
    found = table(parts)
    assert 30 < found["uncertainty", "20 %"].unsafe < 50
    assert found["uncertainty", "20 %"].unsafe == found["random", "20 %"].unsafe


@dataclass
class Sure:
    """A scorer that knows how sure it is, unless `silent`."""

    silent: bool = False
    name: str = "sure"
    threshold: float = 0.0
    probabilistic: bool = True
    reads_texts: bool = False
    calls: int = 0

    @property
    def identity(self):
        return f"sure {self.silent}"

    facts = {"kind": "stub"}  # noqa: RUF012

    def costs(self, batch, *, progress=False):
        self.calls += 1
        cost = np.array([len(each.on_trial) - 7.5 for each in batch.exchanges])
        return Scored(cost, uncertainty=None if self.silent else np.abs(cost) % 1)


def test_a_run_keeps_tells_and_draws_it(tmp_path):
    pytest.importorskip("matplotlib")
    rows = [
        Row(f"f:{n}", "own", (Item(Exchange("x" * (n % 4 + 6)), float(n % 3 == 0)),))
        for n in range(40)
    ]
    data = data_set(*rows)
    scorers = {"sure": Sure(), "other": Sure(silent=True)}
    cache = Cache(tmp_path)
    measured = Evaluation(scorers, bootstrap=Bootstrap(20), cache=cache).measure(data)
    again = Measurement.from_dict(measured.to_dict())
    assert again.gauges["sure"].abstention == measured.gauges["sure"].abstention
    assert len(again.gauges["sure"].abstention) == 9
    assert len(again.gauges["other"].abstention) == 6

    text = block(measured)
    assert "sure, the rest without" in text
    assert "5 % the most uncertain" in text
    assert "other, the rest without" not in text  # but where slices are asked for
    assert "other, the rest without" in block(measured, parts=True)
    blocks = list(abstention(measured, "own"))
    (picture,) = [each for each in blocks if isinstance(each, Pictures)]
    assert "20 % the closest to the border" in picture.pictures[0].svg
    tables = [each.blocks[0] for each in blocks if isinstance(each, Folded)]
    assert all(isinstance(each, Table) for each in tables)
    assert [len(each.rows) for each in tables] == [10, 7]
    assert not any(isinstance(each, Pictures) for each in abstention(measured.only(["other"]), ""))


def test_uncertainty_is_kept_with_the_costs(tmp_path):
    cache, calls = Cache(tmp_path), []

    def compute(uncertainty):
        calls.append(1)
        return Scored(np.array([1.0, 2.0]), uncertainty=uncertainty)

    for _ in range(2):
        known = cache.costs({"scorer": "a"}, lambda: compute(np.array([0.5, np.nan])))
        np.testing.assert_equal(known.uncertainty, [0.5, np.nan])
        assert cache.costs({"scorer": "b"}, lambda: compute(None)).uncertainty is None
    assert len(calls) == 2
