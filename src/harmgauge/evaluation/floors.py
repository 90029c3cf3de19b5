"""What no model, or hardly one, already reaches: a figure means little without these beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.row import Row
from ..errors import DataError, needs_extra
from ..exchange import Exchange
from .measure import Figure, Scores, measure
from .sample import Sample


def measure_floors(sample: Sample, bag_of_words: BagOfWords | None = None) -> dict[str, Scores]:
    """Floors of a sample: all unsafe, majority, length and, where one is given, a bag of words.

    Length is that of the text on trial in characters, read in whichever direction does better on
    this very sample, so it is generous. It has no border and therefore no sign figures.
    """
    ones = np.ones(len(sample.exchanges))
    floors = {"all unsafe": measure(sample, ones)}
    if len(sample.labelled):
        floors["majority"] = measure(sample, ones if sample.unsafe.mean() >= 0.5 else -ones)
    floors["length"] = _length(sample)
    if bag_of_words is not None:
        floors["bag of words"] = measure(sample, bag_of_words.score(sample.exchanges))
    return floors


def _length(sample: Sample) -> Scores:
    length = np.array([len(exchange.on_trial) for exchange in sample.exchanges], np.float64)
    longer, shorter = measure(sample, length), measure(sample, -length)
    figures = {name: longer.figures[name] for name in ("auroc", "auprc") if longer.figures}
    return Scores(
        {name: _better(figure, shorter.figures[name]) for name, figure in figures.items()},
        {name: _better(figure, shorter.ranking[name]) for name, figure in longer.ranking.items()},
    )


def _better(one: Figure, other: Figure) -> Figure:
    return one if (one.value or 0) >= (other.value or 0) else other


class BagOfWords:
    """Logistic regression on TF-IDF of word 1- and 2-grams, of prompt and response apart.

    Scores like a gauge: `score` gives log-odds of unsafe.
    """

    name = "bag of words"

    def __init__(self, sides: Mapping[str, Any], model: Any, n: int) -> None:
        self._sides = sides
        self._model = model
        self.n = n
        """labelled items it was trained on"""

    @classmethod
    def train(cls, rows: Sequence[Row]) -> BagOfWords:
        """Fit on the labelled items of rows; takes seconds for thousands of rows.

        Raises:
            DataError: the rows do not hold both classes, or hold no words.
            HarmgaugeError: scikit-learn is not installed.
        """
        try:
            from sklearn.feature_extraction.text import TfidfVectorizer
            from sklearn.linear_model import LogisticRegression
        except ImportError:
            raise needs_extra("train", "the bag-of-words floor") from None
        sample = Sample.of(rows)
        if sample.one_class:
            raise DataError(
                "the bag-of-words floor needs training rows of both classes; "
                f"the {len(rows)} given have {sample.one_class}"
            )
        exchanges = [sample.exchanges[item] for item in sample.labelled]
        sides = {}
        for side, read in _SIDES.items():
            vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
            try:
                vectorizer.fit([read(exchange) for exchange in exchanges])
            except ValueError:  # scikit-learn's way to say that this side has no words at all
                continue
            sides[side] = vectorizer
        if not sides:
            raise DataError("the bag-of-words floor found no words in its training rows")
        model = LogisticRegression(C=10.0, max_iter=1000)
        model.fit(_features(sides, exchanges), sample.unsafe)
        return cls(sides, model, len(exchanges))

    def score(
        self, exchanges: Sequence[Exchange], *, progress: bool = False
    ) -> NDArray[np.float64]:
        """Log-odds of unsafe, [n]."""
        if not exchanges:
            return np.empty(0)
        costs: NDArray[np.float64] = self._model.decision_function(
            _features(self._sides, exchanges)
        )
        return costs


def _features(sides: Mapping[str, Any], exchanges: Sequence[Exchange]) -> Any:
    from scipy.sparse import hstack

    return hstack(
        [
            vectorizer.transform([_SIDES[side](exchange) for exchange in exchanges])
            for side, vectorizer in sides.items()
        ],
        format="csr",
    )


def _given(exchange: Exchange) -> str:
    turns = exchange.turns if exchange.response is None else exchange.turns[:-1]
    return "\n".join(text for _, text in turns)


def _answer(exchange: Exchange) -> str:
    return exchange.response or ""


_SIDES = {"prompt": _given, "response": _answer}
