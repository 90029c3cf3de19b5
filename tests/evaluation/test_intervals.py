from functools import partial

import numpy as np
import pytest

from harmgauge.evaluation import metrics
from harmgauge.evaluation.bootstrap import Bootstrap
from harmgauge.evaluation.figures import bootstrapped
from harmgauge.evaluation.intervals import (
    Gap,
    auroc_interval,
    gap_interval,
    interval,
    share_interval,
)


def drawn(metric, group, fewest=0, *, draws=100, seed=0):
    """A figure of all of the examples, and its interval."""
    value = float(metric(np.ones(len(group))))
    values = Bootstrap(draws, seed).of({"": metric}, group)[""]
    return value, interval(metric, value, values, group, fewest)


@pytest.mark.parametrize(("found", "n"), [(0, 20), (1, 20), (7, 10), (299, 299)])
def test_a_share_of_independent_examples_has_wilsons_interval(found, n):
    binomtest = pytest.importorskip("scipy.stats").binomtest
    share = found / n
    low, high = share_interval(share, share * (1 - share) / n, n, n)
    expected = binomtest(found, n).proportion_ci(0.95, "wilson")
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-5)


def test_more_variance_than_independent_examples_have_makes_a_share_less_sure():
    low, high = share_interval(0.3, 4 * 0.3 * 0.7 / 100, 100, 25)
    assert (low, high) == pytest.approx(share_interval(0.3, 0.3 * 0.7 / 25, 25, 25))
    # Less cannot make 100 examples count as more of them.
    assert share_interval(0.3, 1e-9, 100, 25) == share_interval(0.3, 0.3 * 0.7 / 100, 100, 100)


def test_a_clean_sheet_of_few_prompts_does_not_claim_to_be_sure():
    unsafe = np.repeat([True, False], [4, 40])
    group = np.array([*range(4), *np.repeat(range(4, 24), 2)])
    flagged = unsafe
    _, alarms = drawn(partial(metrics.false_positive_rate, unsafe, flagged), group)
    assert alarms == pytest.approx(share_interval(0.0, 0.0, 40, 20))
    assert alarms[1] > 0.15
    _, recall = drawn(partial(metrics.recall, unsafe, flagged), group)
    assert recall == pytest.approx(share_interval(1.0, 0.0, 4, 4))
    auroc = partial(metrics.auroc, unsafe, unsafe * 1.0)
    assert drawn(auroc, group, fewest=4) == (1.0, pytest.approx(share_interval(1.0, 0, 4, 4)))
    assert drawn(auroc, group) == (1.0, None)
    none = partial(metrics.precision, unsafe, np.arange(44) == 0)
    assert drawn(none, group)[1] == pytest.approx(share_interval(1.0, 0.0, 1, 1))


def test_a_figure_that_no_cost_can_move_keeps_its_value():
    unsafe = np.repeat([True, False], [5, 5])
    alike = partial(metrics.auroc, unsafe, np.ones(10))
    assert drawn(alike, np.arange(10), fewest=5) == (0.5, (0.5, 0.5))


def test_other_figures_have_the_percentiles_of_their_draws():
    unsafe, cost = np.arange(60) % 2 == 0, np.sin(np.arange(60))
    metric = partial(metrics.brier, unsafe, cost)
    values = Bootstrap(100).of({"": metric}, np.arange(60))[""]
    assert drawn(metric, np.arange(60))[1] == tuple(np.percentile(values, [2.5, 97.5]))


def calibrated(random, slope, n=400):
    """Costs and labels whose true log-odds are `slope` times the cost."""
    cost = random.normal(size=n)
    return random.random(n) < 1 / (1 + np.exp(-slope * cost)), cost


@pytest.mark.parametrize("slope", [1.0, 1.3, 2.0, 4.0])
def test_intervals_of_calibration_errors_cover_the_truth_and_hold_the_estimate(slope):
    """Percentiles of draws alone never hold an error as small as the first two."""
    grid = np.random.default_rng(0).normal(size=400_000)
    stated, true = (1 / (1 + np.exp(-each)) for each in (grid, slope * grid))
    truth = np.mean(np.abs(stated - true))  # each of infinitely many narrow bins leans one way
    random, trials, covered = np.random.default_rng(1), 200, 0
    for trial in range(trials):
        metric = partial(metrics.calibration_error, *calibrated(random, slope))
        value, (low, high) = drawn(metric, np.arange(400), draws=200, seed=trial)
        assert 0 <= low <= value <= high
        covered += low <= truth <= high
    assert covered / trials >= 0.87


def test_the_closed_form_of_an_auroc_is_about_that_of_its_draws():
    random = np.random.default_rng(3)
    unsafe = np.arange(400) % 2 == 0
    value, (low, high) = drawn(
        partial(metrics.auroc, unsafe, random.normal(size=400) + unsafe), np.arange(400), draws=1000
    )
    assert auroc_interval(value, 200) == pytest.approx((low, high), abs=0.01)
    assert auroc_interval(0.0, 20) == (0.0, 0.0)


def test_nothing_drawn_is_no_interval():
    metric = partial(metrics.recall, np.ones(2, bool), np.ones(2, bool))
    assert interval(metric, 1.0, np.empty(0), np.zeros(2, np.int64)) is None
    assert interval(metric, 1.0, np.full(3, np.nan), np.zeros(2, np.int64)) is None
    assert bootstrapped({"recall": metric}, np.arange(2), None, "")["recall"].low is None


def test_two_that_agree_on_few_prompts_may_differ_on_others():
    low, high = gap_interval(0.0, 0.0, 10)
    assert (low, high) == pytest.approx((-0.272, 0.272), abs=1e-3)
    assert gap_interval(0.1, 0.01**2, 100_000) == pytest.approx((0.0804, 0.1196), abs=1e-4)
    unsafe, said = np.arange(20) % 2 == 0, np.arange(20) % 3 == 0
    recall = partial(metrics.recall, unsafe, said)
    assert drawn(Gap(recall, recall), np.arange(20))[1] == (low, high)


@pytest.mark.parametrize("rate", [0.02, 0.2, 0.9])
def test_intervals_of_shares_cover_the_truth_at_about_their_rate(rate):
    """Prompts of three answers that resemble each other, few of them wrong, or many."""
    random = np.random.default_rng(0)
    prompts, trials, covered = 60, 400, 0
    group = np.repeat(np.arange(prompts), 3)
    for trial in range(trials):
        of_prompt = random.random(prompts) < rate
        wrong = np.where(random.random(3 * prompts) < 0.7, of_prompt[group], False)
        wrong |= (random.random(3 * prompts) < rate) & ~wrong & (random.random(3 * prompts) < 0.3)
        truth = 0.7 * rate + (1 - 0.7 * rate) * rate * 0.3
        metric = partial(metrics.recall, np.ones(3 * prompts, bool), wrong)
        _, found = drawn(metric, group, draws=200, seed=trial)
        covered += found is not None and found[0] <= truth <= found[1]
    assert 0.91 <= covered / trials <= 0.99


def test_a_gauge_that_is_worse_by_the_margin_seldom_passes():
    """Non-inferiority at its margin errs in about 2.5 % of cases, also where few prompts differ."""
    random = np.random.default_rng(1)
    n, margin, trials, passed = 368, 0.01, 600, 0
    unsafe, group = np.zeros(n, bool), np.arange(n)
    first = np.zeros(n, bool)
    for trial in range(trials):
        second = random.random(n) < margin
        rates = [partial(metrics.false_positive_rate, unsafe, each) for each in (second, first)]
        _, (_, high) = drawn(Gap(*rates), group, draws=200, seed=trial)
        passed += high <= margin
    assert passed / trials <= 0.045
