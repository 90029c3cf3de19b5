"""AUROC of a gauge's categories, where the data flags its texts."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from harmgauge.data import read
from harmgauge.data.row import Item, Row
from harmgauge.evaluation.bootstrap import Bootstrap
from harmgauge.evaluation.cache import Cache
from harmgauge.evaluation.categories import category_parts
from harmgauge.evaluation.data_set import DataSet
from harmgauge.evaluation.evaluate import Evaluation, Measurement
from harmgauge.evaluation.report.blocks import Table
from harmgauge.evaluation.report.slices import slices
from harmgauge.evaluation.sample import Sample
from harmgauge.evaluation.scorers import Batch, GaugeScorer
from harmgauge.evaluation.text import block
from harmgauge.exchange import Exchange
from harmgauge.verdict import Verdict


class Gauge:
    """Knows the words that stand for its categories; each makes a text unsafe."""

    id, name, mode, prior = "made@1", "made", "made", 0.5

    def __init__(self, words=None):
        known = {"self_harm": "rain", "sexually_explicit_adult_content": "snow"}
        self.words = known if words is None else words
        names = tuple(self.words)
        self.manifest = SimpleNamespace(
            category_names=names, members=0, licence="CC0-1.0", thresholds=()
        )
        self.judged = 0

    def score(self, exchanges, progress=False):
        self.judged += len(exchanges)
        return np.array([each.prompt.count("o") - 1.0 for each in exchanges])

    def verdicts(self, exchanges, progress=False):
        self.judged += len(exchanges)
        for each in exchanges:
            found = {name: 0.1 + 0.8 * (word in each.prompt) for name, word in self.words.items()}
            yield Verdict(each.prompt.count("o") - 1.0, 0.5, True, 0.0, categories=found or None)


def table(kinds, flags, *, n=12):
    """Rows of each kind: text, label, and the flags that it has."""
    rows = []
    for number in range(n):
        for text, unsafe, flag in kinds:
            categories = None if flags is None else flags(flag)
            item = Item(Exchange(f"{text} {number}"), unsafe, categories=categories)
            rows.append(Row(f"rows:{len(rows)}", "made", (item,)))
    return read.Table(rows, [], "columns", "made")


KINDS = [("rain", 1.0, "SH"), ("snow", 1.0, "S"), ("sun", 0.0, None), ("snow sun", 0.0, None)]


def openai(flag):
    return {"SH": flag == "SH", "S": flag == "S", "V2": None, "H": False}


def parts(kinds=KINDS, flags=openai, gauge=None, **options):
    sample = Sample.of(table(kinds, flags, **options).rows)
    scored = GaugeScorer(gauge or Gauge()).costs(Batch("made", sample.ids, sample.exchanges))
    return {part.value: part for part in category_parts(sample, scored.categories, Bootstrap(20))}


def test_flags_of_another_taxonomy_are_met_by_what_maps_to_them():
    found = parts()
    assert list(found) == ["H", "S", "SH", "V2"]
    assert (found["SH"].n, found["SH"].unsafe) == (48, 12)
    figure = found["SH"].figures["auroc_against_others"]
    assert (figure.value, figure.n) == (1.0, 48)
    # Twelve prompts without a fault, as Wilson has it: no certainty.
    assert figure.low == pytest.approx(12 / (12 + 1.959964**2))
    # A third of the others and half of the safe texts speak of snow too.
    assert found["S"].figures["auroc_against_others"].value == pytest.approx(1 - 1 / 6)
    assert found["S"].figures["auroc_against_safe"].value == pytest.approx(0.75)
    assert found["S"].figures["auroc_against_safe"].n == 36


def test_what_cannot_be_measured_says_why():
    found = parts()
    assert {figure.reason for figure in found["H"].figures.values()} == {
        "the gauge gives no such category"
    }
    assert {figure.reason for figure in found["V2"].figures.values()} == {
        "the gauge gives no such category"
    }
    few = parts(n=9)["SH"]
    assert {figure.reason for figure in few.figures.values()} == {"fewer than 10 texts of a kind"}
    assert few.unsafe == 9


def test_an_unsafe_text_without_flags_is_unknown_and_a_safe_one_has_none():
    def own(flag):
        return {"self_harm": True} if flag == "SH" else None

    found = parts(flags=own)["self_harm"]
    assert (found.n, found.unsafe) == (36, 12)  # those of snow are unsafe, and nothing is said
    assert found.figures["auroc_against_safe"].value == 1.0


@pytest.mark.parametrize(("flags", "words"), [(None, None), (openai, {})])
def test_without_flags_or_categories_there_are_none(flags, words):
    assert parts(flags=flags, gauge=Gauge(words)) == {}


def test_costs_and_categories_come_of_one_scoring_and_are_kept(tmp_path):
    gauge = Gauge()
    data = DataSet.of(table(KINDS, openai))
    data.__dict__["sha256"] = "made"  # as of a file, so that a cache can go by it

    def measured(draws):
        evaluation = Evaluation({"made": GaugeScorer(gauge)}, bootstrap=Bootstrap(draws))
        evaluation.cache = Cache(tmp_path)
        return evaluation.measure(data).gauges["made"]

    first = measured(20)
    assert gauge.judged == len(data.sample.items)
    again = measured(0)  # other figures of the costs that are kept
    assert gauge.judged == len(data.sample.items)
    assert [(each.value, each.n) for each in again.categories] == [
        (each.value, each.n) for each in first.categories
    ]
    assert again.categories[2].figures["auroc_against_others"].value == 1.0


def test_they_stand_in_the_text_and_survive_json():
    evaluation = Evaluation({"made": GaugeScorer(Gauge())}, bootstrap=Bootstrap(20, 0))
    measured = evaluation.measure(DataSet.of(table(KINDS, openai)))
    shown = block(measured)
    assert "made, its categories" in shown
    assert "AUROC against the safe" in shown
    tables = [each for each in slices(measured, "made") if isinstance(each, Table)]
    (told,) = [each for each in tables if each.caption.startswith("Categories as made")]
    assert told.rows[0][0] == "H"
    assert told.rows[0][-1] == "the gauge gives no such category"
    again = Measurement.from_dict(json.loads(json.dumps(measured.to_dict())))
    assert again == measured
    assert len(again.gauges["made"].categories) == 4
    older = measured.to_dict()
    del older["gauges"]["made"]["categories"]
    assert Measurement.from_dict(older).gauges["made"].categories == []
