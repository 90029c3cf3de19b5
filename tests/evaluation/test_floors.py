import numpy as np
import pytest

from harmgauge import DataError, Exchange
from harmgauge.data.row import Item, Row
from harmgauge.evaluation.floors import BagOfWords, measure_floors
from harmgauge.evaluation.sample import Sample


def row(prompt, unsafe, response=None):
    return Row("f:1", "toy", (Item(Exchange(prompt, response), unsafe),))


ROWS = [row("plain words", 0.0), row("plain", 0.0), row("loud words", 1.0), row("so loud", 1.0)] * 3


def test_trivial_floors_by_hand():
    sample = Sample.of([row("a", 1.0), row("bb", 1.0), row("ccc", 1.0), row("dddd", 0.0)])
    floors = measure_floors(sample)
    assert list(floors) == ["all unsafe", "majority", "length"]
    everything = floors["all unsafe"].figures
    assert everything["f1"].value == pytest.approx(2 * 0.75 / 1.75)
    assert everything["sign_accuracy"].value == 0.75
    assert everything["recall"].value == everything["false_positive_rate"].value == 1.0
    assert everything["auroc"].value == 0.5
    assert floors["majority"].figures["sign_accuracy"].value == 0.75
    assert floors["length"].figures["auroc"].value == 1.0  # shorter is unsafe here
    assert set(floors["length"].figures) == {"auroc", "auprc"}


def test_majority_follows_the_larger_class():
    floors = measure_floors(Sample.of([row("a", 0.0), row("b", 0.0), row("c", 1.0)]))
    assert floors["majority"].figures["sign_accuracy"].value == pytest.approx(2 / 3)
    assert floors["majority"].figures["recall"].value == 0.0


def test_floors_of_unlabelled_pairs_are_rankings_alone():
    items = tuple(Item(Exchange("q", text)) for text in ("short", "much longer"))
    floors = measure_floors(Sample.of([Row("f:1", "toy", items, safer=0)]))
    assert list(floors) == ["all unsafe", "length"]
    assert floors["all unsafe"].ranking["unlabelled"].value == 0.5
    assert floors["length"].ranking["unlabelled"].value == 1.0


def test_bag_of_words_learns_words():
    pytest.importorskip("sklearn")
    bag = BagOfWords.train(ROWS)
    floors = measure_floors(Sample.of(ROWS), bag)
    assert floors["bag of words"].figures["auroc"].value == 1.0
    assert floors["bag of words"].figures["f1"].value == 1.0
    assert bag.n == 12
    assert bag.score([]).shape == (0,)
    assert np.isfinite(bag.score([Exchange("unseen"), Exchange(response="unseen")])).all()


def test_bag_of_words_keeps_prompt_and_response_apart():
    pytest.importorskip("sklearn")
    rows = [row("red", 1.0, "blue"), row("blue", 0.0, "red")] * 5
    costs = BagOfWords.train(rows).score([Exchange("red", "blue"), Exchange("blue", "red")])
    assert costs[0] > 0 > costs[1]


def test_bag_of_words_says_what_it_misses():
    pytest.importorskip("sklearn")
    with pytest.raises(DataError, match="all unsafe"):
        BagOfWords.train([row("a word", 1.0)])
    with pytest.raises(DataError, match="no labels"):
        BagOfWords.train([])
    with pytest.raises(DataError, match="no words"):
        BagOfWords.train([row("!", 1.0), row("?", 0.0)])
