from functools import partial

import numpy as np
import pytest

from harmgauge.evaluation import metrics
from harmgauge.evaluation.bootstrap import Bootstrap, not_ruled_out, prompts_that_give
from harmgauge.evaluation.figures import bootstrapped

scipy_stats = pytest.importorskip("scipy.stats")


@pytest.mark.parametrize("prompts", [1, 5, 299])
def test_what_so_many_prompts_do_not_rule_out_is_the_exact_bound(prompts):
    exact = scipy_stats.binomtest(0, prompts).proportion_ci(0.95, "exact")
    assert not_ruled_out(prompts) == pytest.approx(exact.high)


def test_the_prompts_that_give_a_figure_by_themselves():
    unsafe = np.array([True, True, False, False, True])
    group = np.array([7, 7, 7, 8, 9])
    flagged = np.array([True, False, False, False, False])
    assert prompts_that_give(partial(metrics.recall, unsafe, flagged), group) == 2
    assert prompts_that_give(partial(metrics.precision, unsafe, flagged), group) == 1
    assert prompts_that_give(partial(metrics.accuracy, unsafe, flagged), group) == 3


def test_a_clean_sheet_of_few_prompts_does_not_claim_to_be_sure():
    unsafe = np.repeat([True, False], [4, 20])
    cost = np.where(unsafe, 1.0, -1.0)
    each = {
        "false_positive_rate": partial(metrics.false_positive_rate, unsafe, cost >= 0),
        "recall": partial(metrics.recall, unsafe, cost >= 0),
        "auroc": partial(metrics.auroc, unsafe, cost),
    }
    found = bootstrapped(each, np.arange(24), Bootstrap(50), "", fewest=4)
    rate, recall, auroc = (found[name] for name in each)
    assert (rate.value, rate.low, rate.high) == (0.0, 0.0, pytest.approx(not_ruled_out(20)))
    assert (recall.high, recall.low) == (1.0, pytest.approx(1 - not_ruled_out(4)))
    assert (auroc.high, auroc.low) == (1.0, recall.low)
    assert rate.deviation > 0
    assert bootstrapped(each, np.arange(24), None, "")["recall"].low is None
    assert bootstrapped(each, np.arange(24), Bootstrap(50), "")["auroc"].low is None


def test_a_figure_that_no_draw_can_move_keeps_its_interval():
    unsafe = np.repeat([True, False], [5, 5])
    each = {"auroc": partial(metrics.auroc, unsafe, np.ones(10))}
    found = bootstrapped(each, np.arange(10), Bootstrap(50), "", fewest=5)["auroc"]
    assert (found.low, found.high) == (0.5, 0.5)
