import math
from dataclasses import replace

import numpy as np
import pytest

from harmgauge.calibration import (
    Calibration,
    fit,
    fit_bias,
    fit_isotonic,
    logit,
)
from harmgauge.errors import DataError, RecipeError
from harmgauge.evaluation.metrics import calibration_error


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
    raw, unsafe = sample(n=4000)
    weight = np.where(unsafe > 0, 3, 1)
    weighted = fit(raw, unsafe, weight, data="made")
    repeated = fit(np.repeat(raw, weight), np.repeat(unsafe, weight), data="made")
    assert weighted.prior == pytest.approx(repeated.prior)
    assert weighted.n == 4000
    # Equal but for the smoothing of targets, which goes by the number of items.
    assert weighted.bias == pytest.approx(repeated.bias, abs=0.02)
    assert weighted.temperature == pytest.approx(repeated.temperature, rel=0.02)
    cost = weighted.cost(raw)
    assert calibration_error(unsafe, cost, weight) == pytest.approx(
        calibration_error(np.repeat(unsafe, weight), np.repeat(cost, weight)), abs=0.01
    )
    assert calibration_error(unsafe, cost) > 0.1  # at another prior they do not hold


def test_fitted_costs_are_calibrated_and_raw_scores_are_not():
    raw, unsafe = sample(slope=0.2)
    cost = fit(raw, unsafe, data="made").cost(raw)
    assert calibration_error(unsafe, cost) < 0.02
    assert calibration_error(unsafe, raw) > 0.1


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


def bent(n=20_000, seed=0):
    """Raw scores whose true log-odds rise steeply above 0 and gently below."""
    random = np.random.default_rng(seed)
    raw = random.normal(0.0, 2.0, n)
    odds = np.where(raw > 0, 2 * raw, 0.2 * raw) - 1
    return raw, (random.random(n) < 1 / (1 + np.exp(-odds))).astype(float)


KNOTTED = Calibration(
    1.0, 2.0, 0.5, "made", 10, knots=((-1.0, -3.0), (0.0, 0.5), (0.5, 0.6), (4.0, 2.0))
)


def test_knots_are_joined_by_lines_and_go_on_at_the_slope_of_the_temperature():
    assert KNOTTED.rises
    np.testing.assert_allclose(
        KNOTTED.cost([-3.0, -1.0, -0.5, 0.0, 4.0, 6.0]), [-3.0, -2.0, -0.25, 1.5, 3.0, 4.0]
    )
    assert math.isnan(KNOTTED.cost(math.nan))
    assert not replace(KNOTTED, knots=((0.0, 1.0), (1.0, 1.0))).rises
    assert not replace(KNOTTED, knots=((1.0, 0.0), (1.0, 1.0))).rises


@pytest.mark.parametrize("calibration", [KNOTTED, replace(KNOTTED, knots=())])
def test_raw_is_cost_the_other_way_round(calibration):
    raw = np.linspace(-10, 10, 41)
    back = [calibration.raw(cost) for cost in calibration.cost(raw)]
    np.testing.assert_allclose(back, raw, atol=1e-12)


@pytest.mark.parametrize("calibration", [KNOTTED, replace(KNOTTED, knots=())])
def test_at_prior_stores_what_a_prior_would_add(calibration):
    raw = np.linspace(-5, 5, 11)
    stored = calibration.at_prior(0.1)
    assert stored.prior == 0.1
    np.testing.assert_allclose(stored.cost(raw), calibration.cost(raw, prior=0.1))
    np.testing.assert_allclose(stored.cost(raw, prior=0.5), calibration.cost(raw), atol=1e-12)
    with pytest.raises(RecipeError, match="between 0 and 1"):
        calibration.at_prior(1.0)


@pytest.mark.parametrize("calibration", [KNOTTED, replace(KNOTTED, knots=())])
def test_fit_bias_moves_the_border_and_nothing_else(calibration):
    raw, unsafe = sample(n=5000)
    fitted = fit_bias(calibration, raw, unsafe, data="own")
    moved = fitted.cost(raw) - calibration.cost(raw)
    np.testing.assert_allclose(moved, moved[0])
    assert (fitted.data, fitted.n, fitted.prior) == ("own", 5000, unsafe.mean())
    # The condition of the maximum: as many are expected unsafe as are.
    assert (1 / (1 + np.exp(-fitted.cost(raw)))).mean() == pytest.approx(unsafe.mean(), abs=1e-3)


def test_isotonic_follows_a_bent_scale_where_platt_cannot():
    pytest.importorskip("scipy")
    raw, unsafe = bent()
    fresh, labels = bent(seed=1)
    straight, isotonic = fit(raw, unsafe, data="made"), fit_isotonic(raw, unsafe, data="made")
    assert calibration_error(labels, isotonic.cost(fresh)) < 0.015
    assert calibration_error(labels, straight.cost(fresh)) > 0.03
    assert isotonic.prior == unsafe.mean()


@pytest.mark.parametrize(
    "raw",
    [
        bent(n=1000)[0],
        np.round(bent(n=1000)[0]),  # many ties
        -bent(n=1000)[0],  # upside-down
        np.ones(1000),
        np.where(bent(n=1000)[1] > 0, 1.0, -1.0),  # separable
    ],
)
def test_isotonic_changes_no_order_and_ties_nothing(raw):
    pytest.importorskip("scipy")
    _, unsafe = bent(n=1000)
    calibration = fit_isotonic(raw, unsafe, data="made")
    assert calibration.rises
    distinct = np.unique(np.concatenate([raw, np.linspace(-20, 20, 1001)]))
    cost = calibration.cost(distinct)
    assert np.isfinite(cost).all()
    assert (np.diff(cost) > 0).all()
