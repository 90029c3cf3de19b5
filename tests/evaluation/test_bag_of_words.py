import numpy as np
import pytest

from harmgauge import DataError, Exchange
from harmgauge.data.row import Item, Row
from harmgauge.evaluation.bag_of_words import BagOfWords
from harmgauge.evaluation.measure import measure
from harmgauge.evaluation.sample import Sample

pytest.importorskip("sklearn")


def row(prompt, unsafe, response=None):
    return Row("f:1", "toy", (Item(Exchange(prompt, response), unsafe),))


ROWS = [row("plain words", 0.0), row("plain", 0.0), row("loud words", 1.0), row("so loud", 1.0)] * 3


def test_learns_words():
    bag = BagOfWords.train(ROWS)
    sample = Sample.of(ROWS)
    scores = measure(sample, bag.score(sample.exchanges))
    assert scores.figures["auroc"].value == scores.figures["f1"].value == 1.0
    assert bag.n == 12
    assert bag.score([]).shape == (0,)
    assert np.isfinite(bag.score([Exchange("unseen"), Exchange(response="unseen")])).all()


def test_keeps_prompt_and_response_apart():
    rows = [row("red", 1.0, "blue"), row("blue", 0.0, "red")] * 5
    costs = BagOfWords.train(rows).score([Exchange("red", "blue"), Exchange("blue", "red")])
    assert costs[0] > 0 > costs[1]


def test_says_what_it_misses():
    with pytest.raises(DataError, match="all unsafe"):
        BagOfWords.train([row("a word", 1.0)])
    with pytest.raises(DataError, match="no labels"):
        BagOfWords.train([])
    with pytest.raises(DataError, match="no words"):
        BagOfWords.train([row("!", 1.0), row("?", 0.0)])
