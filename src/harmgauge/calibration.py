"""From raw scores to costs: the scale and its prior, and how they are fitted."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import DataError, RecipeError, needs_extra

Floats = NDArray[np.float64]

# A gauge that ranks no better than chance still gets an increasing scale, if a nearly flat one:
# the spread of its costs is never fitted below this.
_MIN_SPREAD = 0.01

# Isotonic regression sees bins of so many items at least: fewer say little of a probability.
_BIN, _MAX_BINS = 25, 100
# Where it is flat, costs still rise with this part of the slope of Platt scaling.
_MIN_SLOPE = 0.01


@dataclass(frozen=True, slots=True)
class Calibration:
    """The map from a raw score to a cost: `cost = raw / temperature + bias`, or with `knots` a
    line through them in place of the first term. It always rises, so it changes no order."""

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
    knots: tuple[tuple[float, float], ...] = ()
    """(raw score, cost without `bias`), both rising, joined by straight lines; beyond the first and
    the last the slope is 1 / temperature"""

    def cost(self, raw: ArrayLike, prior: float | None = None) -> Floats:
        """Costs in log-odds of unsafe, of the shape of `raw`.

        Args:
            raw: raw scores of any shape; NaN stays NaN.
            prior: share of unsafe where the costs are used; None keeps the stored one. By Bayes'
                rule another prior adds `logit(prior) - logit(stored prior)` to every cost.

        Raises:
            RecipeError: the prior is not between 0 and 1.
        """
        scores = np.asarray(raw, np.float64)
        if self.knots:
            x, y = np.array(self.knots).T
            beyond = np.minimum(scores - x[0], 0) + np.maximum(scores - x[-1], 0)
            scaled: Floats = np.interp(scores, x, y) + beyond / self.temperature
        else:
            scaled = scores / self.temperature
        return scaled + (self.bias + self.shift(prior))

    def raw(self, cost: float) -> float:
        """The raw score that has a cost: `cost` the other way round, at the stored prior."""
        scaled = cost - self.bias
        if not self.knots:
            return scaled * self.temperature
        x, y = np.array(self.knots).T
        beyond = min(scaled - y[0], 0) + max(scaled - y[-1], 0)
        return float(np.interp(scaled, y, x) + beyond * self.temperature)

    def at_prior(self, prior: float) -> Calibration:
        """The same map, with costs that are log-odds at another prior.

        Raises:
            RecipeError: the prior is not between 0 and 1.
        """
        return replace(self, bias=self.bias + self.shift(prior), prior=prior)

    @property
    def rises(self) -> bool:
        """Whether a higher raw score always has a higher cost."""
        steps = np.diff(np.array(self.knots).reshape(-1, 2), axis=0)
        return self.temperature > 0 and bool((steps > 0).all())

    def shift(self, prior: float | None) -> float:
        """What another prior adds to every cost; 0 for None."""
        if prior is None:
            return 0.0
        if not 0 < prior < 1:
            raise RecipeError(f"prior is {prior}; give a share of unsafe between 0 and 1")
        return logit(prior) - logit(self.prior)


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
    scores, targets, weights, prior = _fitting(raw, unsafe, weight, data)
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
        prior=prior,
        data=data,
        n=int(scores.size),
    )


def fit_bias(
    calibration: Calibration, raw: ArrayLike, unsafe: ArrayLike, *, data: str
) -> Calibration:
    """Fit the bias alone, by maximum likelihood: the shape of the map is kept.

    Arguments and errors as for `fit`, which smooths the targets in the same way.
    """
    scores, targets, weights, prior = _fitting(raw, unsafe, None, data)
    scaled = replace(calibration, bias=0.0).cost(scores)
    _, bias = _logistic(np.zeros_like(scores), targets, weights, offset=scaled)
    return replace(calibration, bias=bias, prior=prior, data=data, n=int(scores.size))


def fit_isotonic(raw: ArrayLike, unsafe: ArrayLike, *, data: str) -> Calibration:
    """Fit a map of any rising shape, by centred isotonic regression.

    Isotonic regression (Zadrozny and Elkan, 2002) is flat over blocks of scores, which would tie
    costs that differ. Here a block's log-odds stand at its mean score and lines join them, as Oron
    and Flournoy (2017), "Centered isotonic regression", do; beyond the outer blocks, and wherever
    the lines are all but flat, the slope comes from Platt scaling. It looks at bins of 25 items or
    more, each with one more item of the probability that Platt scaling gives, so that no log-odds
    are infinite.

    Arguments and errors as for `fit`; it needs scipy.
    """
    try:
        from scipy.optimize import isotonic_regression
    except ModuleNotFoundError:
        raise needs_extra("train", "isotonic calibration (scipy)") from None
    platt = fit(raw, unsafe, data=data)
    scores, labels = np.asarray(raw, np.float64), np.asarray(unsafe, np.float64)
    bins = max(1, min(_MAX_BINS, scores.size // _BIN))
    # Edges are scores of the data, so that no bin is empty, and equal scores share one.
    edges = np.unique(np.quantile(scores, np.arange(bins) / bins, method="lower"))
    bin_of = np.searchsorted(edges, scores, side="right") - 1
    mass = np.bincount(bin_of)
    centre = np.bincount(bin_of, scores) / mass
    share = (np.bincount(bin_of, labels) + probability(platt.cost(centre))) / (mass + 1)
    blocks = isotonic_regression(share, weights=mass + 1)
    start = blocks.blocks[:-1]
    x = np.add.reduceat(mass * centre, start) / np.add.reduceat(mass, start)
    y = np.log(blocks.x[start]) - np.log1p(-blocks.x[start])
    least = _MIN_SLOPE / platt.temperature * x
    y = np.maximum.accumulate(y - least) + least
    knots = zip(x.tolist(), (y - platt.bias).tolist(), strict=True)
    return replace(platt, knots=tuple(knots))


def _fitting(
    raw: ArrayLike, unsafe: ArrayLike, weight: ArrayLike | None, data: str
) -> tuple[Floats, Floats, Floats, float]:
    """Scores, smoothed targets and weights to fit to, and the share of unsafe; checked."""
    scores, labels = np.asarray(raw, np.float64), np.asarray(unsafe, np.float64)
    if scores.shape != labels.shape or scores.ndim != 1:
        raise DataError(
            f"calibration on {data} needs one label a score; it has {labels.size} labels "
            f"for {scores.size} scores"
        )
    if not (np.isfinite(scores).all() and np.isfinite(labels).all()):
        raise DataError(f"calibration on {data} has a score or label that is not a number")
    if not 0 < labels.sum() < labels.size:
        raise DataError(f"calibration on {data} needs safe and unsafe items; it has only one kind")

    weights = _weights(weight, labels)
    positives = float(weights @ labels)
    high, low = (positives + 1) / (positives + 2), 1 / (labels.size - positives + 2)
    targets = labels * high + (1 - labels) * low
    return scores, targets, weights, positives / labels.size


def _weights(weight: ArrayLike | None, labels: Floats) -> Floats:
    """Weights with a mean of 1, so that their sum is a number of items."""
    if weight is None:
        return np.ones_like(labels)
    weights = np.asarray(weight, np.float64)
    scaled: Floats = weights * (weights.size / weights.sum())
    return scaled


def probability(cost: ArrayLike) -> Floats:
    """`sigmoid(cost)`, without overflow."""
    share: Floats = 0.5 * (1 + np.tanh(np.asarray(cost, np.float64) / 2))
    return share


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
        p = probability(design @ line + offset)
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
