import math

import numpy as np
import pytest

from harmgauge.calibration import (
    Calibration,
    expected_calibration_error,
    fit,
    logit,
    threshold_at,
)
from harmgauge.errors import DataError, RecipeError


def sample(n=20_000, slope=0.5, intercept=-1.0, seed=0):
    """Raw scores whose true log-odds of unsafe are `slope * raw + intercept`."""
    random = np.random.default_rng(seed)
    raw = random.normal(1.0, 3.0, n)
    unsafe = random.random(n) < 1 / (1 + np.exp(-(slope * raw + intercept)))
    return raw, unsafe.astype(float)


def test_fit_finds_the_scale_that_made_the_data():
    raw, unsafe = sample()
    calibration = fit(raw, unsafe, data="made")
    assert calibration.temperature == pytest.approx(2.0, rel=0.05)
    assert calibration.bias == pytest.approx(-1.0, abs=0.05)
    assert calibration.prior == unsafe.mean()
    assert (calibration.data, calibration.n) == ("made", 20_000)


def test_fit_agrees_with_scikit_learn():
    sklearn = pytest.importorskip("sklearn.linear_model")
    raw, unsafe = sample()
    model = sklearn.LogisticRegression(C=np.inf).fit(raw[:, None], unsafe)
    calibration = fit(raw, unsafe, data="made")
    assert 1 / calibration.temperature == pytest.approx(model.coef_[0, 0], abs=1e-3)
    assert calibration.bias == pytest.approx(model.intercept_[0], abs=1e-3)


def test_a_weight_counts_as_so_many_items():
    raw, unsafe = sample(n=400)
    weight = np.where(unsafe > 0, 3, 1)
    weighted = fit(raw, unsafe, weight, data="made")
    repeated = fit(np.repeat(raw, weight), np.repeat(unsafe, weight), data="made")
    assert weighted.prior == pytest.approx(repeated.prior)
    assert weighted.n == 400
    # Equal but for the smoothing of targets, which goes by the number of items.
    assert weighted.bias == pytest.approx(repeated.bias, abs=0.02)
    assert weighted.temperature == pytest.approx(repeated.temperature, rel=0.02)
    cost = weighted.cost(raw)
    assert expected_calibration_error(cost, unsafe, weight) == pytest.approx(
        expected_calibration_error(np.repeat(cost, weight), np.repeat(unsafe, weight)), abs=0.01
    )
    assert expected_calibration_error(cost, unsafe) > 0.1  # at another prior they do not hold


def test_fitted_costs_are_calibrated_and_raw_scores_are_not():
    raw, unsafe = sample(slope=0.2)
    cost = fit(raw, unsafe, data="made").cost(raw)
    assert expected_calibration_error(cost, unsafe) < 0.02
    assert expected_calibration_error(raw, unsafe) > 0.1


@pytest.mark.parametrize(
    "raw",
    [[-2.0, -1.0, 1.0, 2.0], [2.0, 1.0, -1.0, -2.0], [3.0, 3.0, 3.0, 3.0]],
    ids=["separable", "upside-down", "constant"],
)
def test_fit_has_a_finite_increasing_answer(raw):
    calibration = fit(raw, [0.0, 0.0, 1.0, 1.0], data="made")
    assert calibration.temperature > 0
    assert np.isfinite(calibration.cost(raw)).all()
    assert np.all(np.diff(calibration.cost([-1.0, 0.0, 1.0])) > 0)


@pytest.mark.parametrize(
    ("raw", "unsafe", "message"),
    [
        ([1.0, 2.0], [1.0, 1.0], "only one kind"),
        ([1.0, math.nan], [0.0, 1.0], "not a number"),
        ([1.0], [0.0, 1.0], "one label a score"),
    ],
)
def test_fit_refuses_data_without_an_answer(raw, unsafe, message):
    with pytest.raises(DataError, match=message):
        fit(raw, unsafe, data="made")


def test_another_prior_shifts_every_cost_alike():
    calibration = Calibration(bias=1.0, temperature=2.0, prior=0.5, data="made", n=10)
    np.testing.assert_allclose(calibration.cost([2.0, -2.0]), [2.0, 0.0])
    np.testing.assert_allclose(calibration.cost([2.0, -2.0], prior=0.5), [2.0, 0.0])
    np.testing.assert_allclose(
        calibration.cost([2.0, -2.0], prior=0.1), np.array([2.0, 0.0]) + logit(0.1)
    )
    for prior in (0.0, 1.0, -1.0, math.nan):
        with pytest.raises(RecipeError, match="between 0 and 1"):
            calibration.cost([0.0], prior=prior)


def test_threshold_keeps_its_promise_and_needs_enough_safe_items():
    random = np.random.default_rng(0)
    assert threshold_at(0.01, random.normal(size=298), data="made") is None
    lone = random.normal(size=299)
    threshold = threshold_at(0.01, lone, data="made")
    assert threshold is not None
    assert threshold.name == "fpr1"
    assert (lone >= threshold.cost).sum() == 0
    # Kept on fresh items in about `confidence` of the draws.
    broken = 0
    for _ in range(200):
        costs = random.normal(size=1000)
        threshold = threshold_at(0.05, costs, data="made")
        true_rate = 0.5 * math.erfc(threshold.cost / math.sqrt(2))
        broken += true_rate > 0.05
    assert broken <= 20


def test_threshold_does_not_alarm_on_ties():
    costs = np.array([1.0] * 50 + [0.0] * 950)
    threshold = threshold_at(0.02, costs, data="made")
    assert (costs >= threshold.cost).sum() == 0


def test_calibration_error_of_nothing_is_unknown():
    assert math.isnan(expected_calibration_error([], []))
