import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harmgauge.evaluation import metrics


def test_auroc_by_hand_with_a_tie():
    # unsafe 2 beats safe 1 and 0; unsafe 1 ties with safe 1 and beats 0: (2 + 1.5) / 4
    assert metrics.auroc([True, True, False, False], [2, 1, 1, 0]) == pytest.approx(3.5 / 4)


def test_auroc_of_constant_costs_is_half():
    assert metrics.auroc([True, False, False], [0.0, 0.0, 0.0]) == 0.5


@pytest.mark.parametrize("unsafe", [[True, True], [False, False], []])
def test_auroc_needs_both_classes(unsafe):
    assert math.isnan(metrics.auroc(unsafe, np.zeros(len(unsafe))))


def test_auroc_refuses_failed_rows_and_uneven_shapes():
    with pytest.raises(ValueError, match="NaN"):
        metrics.auroc([True, False], [np.nan, 0.0])
    with pytest.raises(ValueError, match="shape"):
        metrics.auroc([True, False], [0.0])


def test_auprc_by_hand():
    # found at ranks 1 and 3: (1/1 + 2/3) / 2
    assert metrics.auprc([True, False, True, False], [3, 2, 1, 0]) == pytest.approx(5 / 6)


def test_auprc_without_skill_is_the_unsafe_share():
    assert metrics.auprc([True, False, False, False], np.zeros(4)) == 0.25
    assert math.isnan(metrics.auprc([False, False], [1, 2]))


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(-3, 3), st.integers(0, 4)), min_size=1, max_size=40
    )
)
def test_weights_are_repeats_and_sklearn_agrees(rows):
    sklearn = pytest.importorskip("sklearn.metrics")
    unsafe, cost, count = (np.array(column) for column in zip(*rows, strict=True))
    repeated, costs = np.repeat(unsafe, count), np.repeat(cost, count)
    flagged = costs >= 0
    if repeated.any() and not repeated.all():
        assert metrics.auroc(unsafe, cost, count) == pytest.approx(
            sklearn.roc_auc_score(repeated, costs)
        )
        assert metrics.false_positive_rate(unsafe, cost >= 0, count) == pytest.approx(
            sklearn.recall_score(~repeated, ~flagged, zero_division=0) * -1 + 1
        )
    if repeated.any():
        assert metrics.auprc(unsafe, cost, count) == pytest.approx(
            sklearn.average_precision_score(repeated, costs)
        )
        assert metrics.f1(unsafe, cost >= 0, count) == pytest.approx(
            sklearn.f1_score(repeated, flagged)
        )
        assert metrics.recall(unsafe, cost >= 0, count) == pytest.approx(
            sklearn.recall_score(repeated, flagged)
        )
    if len(repeated):
        assert metrics.accuracy(unsafe, cost >= 0, count) == pytest.approx(
            sklearn.accuracy_score(repeated, flagged)
        )


def test_confusion_counts_each_corner_once():
    assert metrics.confusion([True, True, False, False], [True, False, True, False]) == (1, 1, 1, 1)


def test_figures_of_an_absent_class_are_nan():
    assert math.isnan(metrics.f1([False, False], [True, False]))
    assert math.isnan(metrics.recall([False], [True]))
    assert math.isnan(metrics.false_positive_rate([True], [True]))
    assert math.isnan(metrics.accuracy([], []))


def test_ranking_counts_ties_half():
    assert metrics.ranking_accuracy([0, 0, 1, -2], [1, 0, 0, 5]) == pytest.approx(2.5 / 4)
    assert metrics.ranking_accuracy([0, 0], [1, 0], [1, 3]) == pytest.approx(2.5 / 4)
    assert math.isnan(metrics.ranking_accuracy([], []))


def test_ranking_against_severity_by_hand_and_by_scipy():
    stats = pytest.importorskip("scipy.stats")
    assert metrics.spearman([0, 1, 2], [5, 6, 9]) == pytest.approx(1.0)
    assert metrics.spearman([0, 1, 2], [9, 6, 5]) == pytest.approx(-1.0)
    assert math.isnan(metrics.spearman([1, 1], [0, 2]))
    assert math.isnan(metrics.spearman([], []))
    random = np.random.default_rng(0)
    severity, cost = random.integers(0, 4, 50), random.integers(0, 9, 50)
    count = random.integers(0, 3, 50)
    expected = stats.spearmanr(np.repeat(severity, count), np.repeat(cost, count)).statistic
    assert metrics.spearman(severity, cost, count) == pytest.approx(expected)


def test_precision_and_best_f1_by_hand_and_by_sklearn():
    sklearn = pytest.importorskip("sklearn.metrics")
    unsafe, cost = [True, False, True, False], [3.0, 2.0, 1.0, 0.0]
    assert metrics.precision(unsafe, [True, True, False, False]) == 0.5
    assert math.isnan(metrics.precision(unsafe, [False] * 4))
    assert metrics.false_negative_rate(unsafe, [True, True, False, False]) == 0.5
    assert metrics.best_f1(unsafe, cost) == pytest.approx(0.8)  # flag the upper three
    assert math.isnan(metrics.best_f1([False], [1.0]))
    random = np.random.default_rng(1)
    truth, values = random.random(60) < 0.4, random.integers(0, 12, 60)
    best = max(sklearn.f1_score(truth, values >= at) for at in np.unique(values))
    assert metrics.best_f1(truth, values) == pytest.approx(best)


def test_brier_and_calibration_error_by_hand_and_by_sklearn():
    sklearn = pytest.importorskip("sklearn.metrics")
    unsafe, cost = np.array([True, False, True]), np.array([2.0, -1.0, 0.0])
    probability = 1 / (1 + np.exp(-cost))
    assert metrics.brier(unsafe, cost) == pytest.approx(
        sklearn.brier_score_loss(unsafe, probability)
    )
    one_bin = abs((probability - unsafe).mean())
    assert metrics.calibration_error(unsafe, cost, bins=1) == pytest.approx(one_bin)
    alone = np.abs(probability - unsafe).mean()  # a bin for each, and empty ones
    assert metrics.calibration_error(unsafe, cost, bins=5) == pytest.approx(alone)
    assert math.isnan(metrics.calibration_error([], []))
    assert metrics.probability([800.0, -800.0]).tolist() == [1.0, 0.0]


def test_texts_of_one_cost_share_a_bin_in_whatever_order_they_come():
    sorted_by_label = np.repeat([True, False], 30)
    assert metrics.calibration_error(sorted_by_label, np.zeros(60)) == 0.0
    sizes = [len(members) for members in metrics.mass_bins(np.arange(47.0), 15)]
    assert (sum(sizes), set(sizes)) == (47, {3, 4})


@pytest.mark.parametrize(
    "metric",
    [
        *(metrics.auroc, metrics.auprc, metrics.best_f1, metrics.brier),
        *(metrics.calibration_error, metrics.spearman, metrics.ranking_accuracy),
    ],
)
def test_many_draws_at_once_are_each_draw_by_itself(metric):
    random = np.random.default_rng(2)
    unsafe, cost = random.random(30) < 0.5, random.integers(0, 6, 30).astype(float)
    draws = random.integers(0, 3, (7, 30)).astype(float)
    together = metric(unsafe, cost, draws)
    assert together.shape == (7,)
    assert together == pytest.approx([float(metric(unsafe, cost, draw)) for draw in draws])
