import math

import numpy as np
import pytest
from hypothesis import given
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


def test_mean_auroc_leaves_out_sources_with_one_class():
    unsafe = [True, False, True, False, True, True]
    cost = [1.0, 0.0, 0.0, 1.0, 5.0, 6.0]
    mean, each = metrics.mean_auroc_over_sources(unsafe, cost, ["a", "a", "b", "b", "c", "c"])
    assert each == {"a": 1.0, "b": 0.0}
    assert mean == 0.5
    assert math.isnan(metrics.mean_auroc_over_sources([True], [0.0], ["a"])[0])
