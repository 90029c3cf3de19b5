"""From raw scores to costs: the scale, its prior, and thresholds that keep a promise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import DataError, RecipeError

Floats = NDArray[np.float64]

# A gauge that ranks no better than chance still gets an increasing scale, if a nearly flat one:
# the spread of its costs is never fitted below this.
_MIN_SPREAD = 0.01


@dataclass(frozen=True, slots=True)
class Calibration:
    """The map from a raw score to a cost, `cost = raw / temperature + bias`."""

    bias: float
    """added after the division; moves the border between safe and unsafe"""
    temperature: float
    """what raw scores are divided by; above 0, so the order never changes"""
    prior: float
    """share of unsafe in the data of the fit; a cost is log-odds at this prior"""
    data: str
    """name of the data of the fit"""
    n: int
    """how many items the fit saw"""

    def cost(self, raw: ArrayLike, prior: float | None = None) -> Floats:
        """Costs in log-odds of unsafe, of the shape of `raw`.

        Args:
            raw: raw scores of any shape; NaN stays NaN.
            prior: share of unsafe where the costs are used; None keeps the stored one. By Bayes'
                rule another prior adds `logit(prior) - logit(stored prior)` to every cost.

        Raises:
            RecipeError: the prior is not between 0 and 1.
        """
        return np.asarray(raw, np.float64) / self.temperature + self.bias + self.shift(prior)

    def shift(self, prior: float | None) -> float:
        """What another prior adds to every cost; 0 for None."""
        if prior is None:
            return 0.0
        if not 0 < prior < 1:
            raise RecipeError(f"prior is {prior}; give a share of unsafe between 0 and 1")
        return logit(prior) - logit(self.prior)


@dataclass(frozen=True, slots=True)
class Threshold:
    """A cost from which on to say unsafe, with the promise it was chosen for."""

    name: str
    """such as `fpr1`"""
    cost: float
    """on the cost scale at the stored prior"""
    false_positive_rate: float
    """the promise: at most this share of safe items reaches `cost`"""
    confidence: float
    """how sure the promise is, for items like those of `data`"""
    data: str
    n: int
    """how many safe items it rests on"""


def logit(probability: float) -> float:
    """Log-odds of a probability strictly between 0 and 1."""
    return math.log(probability) - math.log1p(-probability)


def fit(
    raw: ArrayLike, unsafe: ArrayLike, weight: ArrayLike | None = None, *, data: str
) -> Calibration:
    """Fit bias and temperature by maximum likelihood, as Platt scaling does.

    Targets are smoothed as in Platt (1999), "Probabilistic outputs for support vector machines":
    1 becomes (n₊ + 1) / (n₊ + 2) and 0 becomes 1 / (n₋ + 2), so that separable data has a finite
    answer. The slope is kept above 0: a calibration never turns the order around.

    Args:
        raw: raw scores, `[n]`, finite.
        unsafe: labels from 0 (safe) to 1 (unsafe), `[n]`.
        weight: how much each counts, in the prior too, `[n]`, above 0; None counts all alike.
        data: what the scores were taken on, for the record.

    Raises:
        DataError: the lengths differ, a value is not finite, or one class is missing.
    """
    scores, labels = np.asarray(raw, np.float64), np.asarray(unsafe, np.float64)
    weights = _weights(weight, labels)
    if scores.shape != labels.shape or scores.ndim != 1:
        raise DataError(
            f"calibration on {data} needs one label a score; it has {labels.size} labels "
            f"for {scores.size} scores"
        )
    if not (np.isfinite(scores).all() and np.isfinite(labels).all()):
        raise DataError(f"calibration on {data} has a score or label that is not a number")
    positives = float(weights @ labels)
    if not 0 < labels.sum() < labels.size:
        raise DataError(f"calibration on {data} needs safe and unsafe items; it has only one kind")

    high, low = (positives + 1) / (positives + 2), 1 / (labels.size - positives + 2)
    targets = labels * high + (1 - labels) * low
    centre, spread = float(scores.mean()), float(scores.std()) or 1.0
    standard = (scores - centre) / spread
    slope, intercept = _logistic(standard, targets, weights)
    if slope < _MIN_SPREAD:
        slope = _MIN_SPREAD
        flat = np.zeros_like(standard)
        _, intercept = _logistic(flat, targets, weights, offset=slope * standard)
    return Calibration(
        bias=intercept - slope * centre / spread,
        temperature=spread / slope,
        prior=positives / labels.size,
        data=data,
        n=int(labels.size),
    )


def threshold_at(
    false_positive_rate: float,
    safe_costs: ArrayLike,
    *,
    data: str,
    confidence: float = 0.95,
    name: str | None = None,
) -> Threshold | None:
    """The lowest threshold whose false-positive rate is at most the promised one.

    The promise is a one-sided Clopper-Pearson bound: with k safe costs at or above the threshold,
    `P(Binomial(n, rate) <= k) <= 1 - confidence`.

    Args:
        false_positive_rate: the promise, such as 0.01.
        safe_costs: costs of safe items at the stored prior, `[n]`; those that failed (NaN) are
            left out.
        name: None makes `fpr1` out of 0.01.

    Returns:
        None where there are too few safe items for the promise (1 % at 95 % takes 299).
    """
    costs = np.asarray(safe_costs, np.float64)
    costs = np.sort(costs[np.isfinite(costs)])[::-1]
    allowed = _allowed_alarms(costs.size, false_positive_rate, 1 - confidence)
    if allowed < 0:
        return None
    return Threshold(
        name=name or f"fpr{100 * false_positive_rate:g}",
        # Just above the first cost that must not alarm; its ties then do not alarm either.
        cost=float(np.nextafter(costs[allowed], np.inf)),
        false_positive_rate=false_positive_rate,
        confidence=confidence,
        data=data,
        n=int(costs.size),
    )


def expected_calibration_error(
    cost: ArrayLike, unsafe: ArrayLike, weight: ArrayLike | None = None, *, bins: int = 15
) -> float:
    """Mean gap between stated probability and observed share of unsafe, over equal-mass bins.

    ECE of Naeini et al. (2015) with bins of equal mass (Nguyen and O'Connor, 2015), which do not
    depend on where the probabilities crowd.

    Args:
        cost: costs in log-odds, `[n]`.
        unsafe: labels from 0 to 1, `[n]`.
        weight: how much each counts, in the mass of a bin too, `[n]`; None counts all alike.

    Returns:
        The gap, 0 to 1; NaN without items.
    """
    costs, labels = np.asarray(cost, np.float64), np.asarray(unsafe, np.float64)
    if costs.size == 0:
        return math.nan
    weights = _weights(weight, labels)
    order = np.argsort(costs, kind="stable")
    gaps = (weights * (_probability(costs) - labels))[order]
    mass = np.cumsum(weights[order]) - weights[order] / 2  # of what lies below an item's middle
    bin_of = np.minimum((mass / labels.size * bins).astype(int), bins - 1)
    return float(np.abs(np.bincount(bin_of, gaps)).sum()) / labels.size


def _weights(weight: ArrayLike | None, labels: Floats) -> Floats:
    """Weights with a mean of 1, so that their sum is a number of items."""
    if weight is None:
        return np.ones_like(labels)
    weights = np.asarray(weight, np.float64)
    scaled: Floats = weights * (weights.size / weights.sum())
    return scaled


def _probability(cost: Floats) -> Floats:
    return 0.5 * (1 + np.tanh(cost / 2))  # the sigmoid, without overflow


def _logistic(
    x: Floats, targets: Floats, weights: Floats, offset: Any = 0.0
) -> tuple[float, float]:
    """Slope and intercept of a logistic regression with soft targets, by damped Newton steps."""
    design = np.stack([x, np.ones_like(x)], axis=1)
    line = np.zeros(2)

    def loss(at: Floats) -> float:
        z = design @ at + offset
        return float(weights @ (np.logaddexp(0, z) - targets * z))

    value = loss(line)
    for _ in range(100):
        p = _probability(design @ line + offset)
        gradient = design.T @ (weights * (p - targets))
        # The ridge only matters where x is constant and the slope is free.
        hessian = (design * (weights * p * (1 - p))[:, None]).T @ design + 1e-9 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        while (after := loss(line - step)) > value and np.abs(step).max() > 1e-12:
            step /= 2
        line = line - step
        if np.abs(step).max() < 1e-10:
            break
        value = after
    return float(line[0]), float(line[1])


def _allowed_alarms(n: int, rate: float, risk: float) -> int:
    """The largest k below n with P(Binomial(n, rate) <= k) <= risk; -1 where there is none."""
    total, k = 0.0, 0
    while k < n:
        total += math.exp(
            math.lgamma(n + 1)
            - math.lgamma(k + 1)
            - math.lgamma(n - k + 1)
            + k * math.log(rate)
            + (n - k) * math.log1p(-rate)
        )
        if total > risk:
            break
        k += 1
    return k - 1
