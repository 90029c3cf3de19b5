"""The bag-of-words floor: what word counts alone learn from a gauge's own training rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.row import Row
from ..errors import DataError, needs_extra
from ..exchange import Exchange
from .sample import Sample


class BagOfWords:
    """Logistic regression on TF-IDF of word 1- and 2-grams, of prompt and response apart."""

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
        exchanges = [sample.items[item].exchange for item in sample.labelled]
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

    def score(self, exchanges: Sequence[Exchange]) -> NDArray[np.float64]:
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
