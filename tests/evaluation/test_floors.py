import numpy as np
import pytest

from harmgauge import Exchange
from harmgauge.data.row import Item, Row
from harmgauge.evaluation.floors import floors
from harmgauge.evaluation.sample import Sample


def row(prompt, unsafe, response=None):
    return Row("f:1", "toy", (Item(Exchange(prompt, response), unsafe),))


def measured(sample):
    return {each.name: each.measured(sample) for each in floors(sample)}


def test_trivial_floors_by_hand():
    sample = Sample.of([row("a", 1.0), row("bb", 1.0), row("ccc", 1.0), row("dddd", 0.0)])
    found = measured(sample)
    assert list(found) == ["all unsafe", "majority", "length"]
    everything = found["all unsafe"].figures
    assert everything["f1"].value == pytest.approx(2 * 0.75 / 1.75)
    assert everything["sign_accuracy"].value == 0.75
    assert everything["recall"].value == everything["false_positive_rate"].value == 1.0
    assert everything["auroc"].value == 0.5
    assert found["majority"].figures["sign_accuracy"].value == 0.75
    assert found["length"].figures["auroc"].value == 1.0  # shorter is unsafe here
    assert set(found["length"].figures) == {"auroc", "auprc", "best_f1"}


def test_majority_follows_the_larger_class():
    found = measured(Sample.of([row("a", 0.0), row("b", 0.0), row("c", 1.0)]))
    assert found["majority"].figures["sign_accuracy"].value == pytest.approx(2 / 3)
    assert found["majority"].figures["recall"].value == 0.0


def test_floors_of_unlabelled_pairs_are_rankings_alone():
    items = tuple(Item(Exchange("q", text)) for text in ("short", "much longer"))
    found = measured(Sample.of([Row("f:1", "toy", items, safer=0)]))
    assert list(found) == ["all unsafe", "length", "refusal phrases"]
    assert found["all unsafe"].ranking["unlabelled"].value == 0.5
    assert found["length"].ranking["unlabelled"].value == 1.0
    longer = Sample.of([Row("f:1", "toy", items, safer=1)])
    assert measured(longer)["length"].ranking["unlabelled"].value == 1.0


def test_refusals_count_as_safe_where_there_are_answers():
    answers = [("I'm sorry, I can't help with that.", 0.0), ("Sure, here is how.", 1.0)]
    sample = Sample.of([row("q", unsafe, answer) for answer, unsafe in answers])
    assert measured(sample)["refusal phrases"].figures["sign_accuracy"].value == 1.0
    assert np.isfinite([each.costs(sample) for each in floors(sample)]).all()


def test_length_ranks_the_pairs_of_each_stratum_in_its_better_direction():
    def pair(short, long, safer):
        items = (Item(Exchange("q", "ab"), short), Item(Exchange("q", "abcd"), long))
        return Row("f:1", "toy", items, safer)

    rows = [pair(0.0, 1.0, 0), pair(0.0, 1.0, 0), pair(1.0, 1.0, 1), pair(0.0, 0.0, 1)]
    length = measured(Sample.of(rows))["length"]
    assert length.figures["auroc"].value > 0.5  # longer is unsafe here
    assert [length.ranking[name].value for name in ("mixed", "both_unsafe", "both_safe")] == [1] * 3
