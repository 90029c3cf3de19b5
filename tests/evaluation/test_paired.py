"""Paired intervals, and tests that do not take answers to one prompt for independent."""

import numpy as np
import pytest

from harmgauge.evaluation import metrics, paired
from harmgauge.evaluation.bootstrap import Bootstrap
from harmgauge.evaluation.intervals import gap_interval
from harmgauge.evaluation.metrics import mid_ranks
from harmgauge.evaluation.paired import Twin, differences, holm, permutation_p

NOBODY = Bootstrap(draws=0)


def recalls(a, b):
    """Of unsafe items alone."""
    unsafe = np.ones(len(a), bool)
    return {"recall": Twin.of(metrics.recall, (unsafe, a), (unsafe, b))}


def aurocs(unsafe, a, b):
    return {"auroc": Twin.of(metrics.auroc, (unsafe, mid_ranks(a)), (unsafe, mid_ranks(b)))}


def test_the_difference_is_b_less_a():
    a, b = np.array([True, False, False, False]), np.array([True, True, True, False])
    found = differences(recalls(a, b), np.arange(4), NOBODY, "")["recall"]
    assert (found.a.value, found.b.value, found.difference.value) == (0.25, 0.75, 0.5)
    assert (found.difference.n, found.difference.low, found.p) == (4, None, None)


@pytest.mark.parametrize(
    ("prompts", "answers", "expected"), [(2, 1, 1 / 2), (4, 1, 1 / 8), (2, 3, 1 / 2)]
)
def test_p_is_the_share_of_swaps_of_prompts_that_are_as_far_apart(prompts, answers, expected):
    # Only when all prompts swap, or none, do the two lie a whole recall apart.
    n = prompts * answers
    group = np.repeat(np.arange(prompts), answers)
    twins = recalls(np.zeros(n, bool), np.ones(n, bool))
    p = permutation_p(twins, group, Bootstrap(draws=4000, seed=1))["recall"]
    assert p == pytest.approx(expected, abs=0.03)


def test_no_p_is_zero():
    twins = recalls(np.zeros(60, bool), np.ones(60, bool))
    assert permutation_p(twins, np.arange(60), Bootstrap(draws=99)) == {"recall": 0.01}
    assert permutation_p(twins, np.zeros(60, int), Bootstrap(draws=99)) == {}


def test_ranks_change_places_whatever_the_scales():
    random = np.random.default_rng(0)
    unsafe = np.arange(40) % 2 == 0
    a, b = random.normal(size=40), random.normal(size=40)
    group = np.arange(40) // 4
    once = differences(aurocs(unsafe, a, b), group, Bootstrap(200), "")
    scaled = differences(aurocs(unsafe, a, 1000 * b + 7), group, Bootstrap(200), "")
    assert once == scaled
    assert once["auroc"].a.value == metrics.auroc(unsafe, a)
    assert once["auroc"].b.value == metrics.auroc(unsafe, b)
    back = differences(aurocs(unsafe, b, a), group, Bootstrap(200), "")["auroc"]
    assert back.difference.value == -once["auroc"].difference.value
    assert back.p == once["auroc"].p


def test_memory_bounds_change_nothing(monkeypatch):
    random = np.random.default_rng(3)
    twins = aurocs(np.arange(30) % 2 == 0, random.normal(size=30), random.normal(size=30))
    whole = permutation_p(twins, np.arange(30), Bootstrap(50))
    monkeypatch.setattr(paired, "_AT_ONCE", 130)
    assert permutation_p(twins, np.arange(30), Bootstrap(50)) == whole


def test_a_scorer_does_not_differ_from_itself():
    random = np.random.default_rng(2)
    cost, unsafe = random.normal(size=30), np.arange(30) % 3 == 0
    twins = aurocs(unsafe, cost, np.exp(cost))
    found = differences(twins, np.arange(30), Bootstrap(100), "", fewest=10)["auroc"]
    assert (found.difference.value, found.p) == (0, 1)
    # Ten prompts that agree do not show that none ever differs; the same costs do.
    between = gap_interval(0.0, 0.0, 10)
    assert (found.difference.low, found.difference.high) == pytest.approx(between)
    same = differences(twins, np.arange(30), Bootstrap(100), "", 10, same=True)["auroc"]
    assert (same.difference.low, same.difference.high) == (0, 0)
    assert (same.a, same.p) == (found.a, 1)


def test_a_better_scorer_is_found_though_the_single_intervals_overlap():
    random = np.random.default_rng(4)
    unsafe = np.arange(400) % 2 == 0
    a = unsafe + random.normal(size=400)
    b = a + 0.3 * unsafe
    found = differences(aurocs(unsafe, a, b), np.repeat(np.arange(100), 4), Bootstrap(300), "")
    auroc = found["auroc"]
    assert auroc.b.low < auroc.a.high
    assert auroc.difference.low > 0
    assert auroc.p == pytest.approx(1 / 301)


def test_the_rate_of_false_alarms_is_nominal_where_rows_of_a_prompt_go_together():
    """Two scorers of like quality, each good on some prompts and bad on others, with all rows."""
    random = np.random.default_rng(6)
    prompt, unsafe = np.repeat(np.arange(20), 12), np.tile([True, False], 120)
    trials, alarms, naive = 200, 0, 0
    for trial in range(trials):
        a, b = (
            random.normal(0.5, 1, 20)[prompt] * unsafe + 0.3 * random.normal(size=240)
            for _ in range(2)
        )
        twins, bootstrap = aurocs(unsafe, a, b), Bootstrap(99, trial)
        alarms += permutation_p(twins, prompt, bootstrap)["auroc"] <= 0.05
        naive += permutation_p(twins, np.arange(240), bootstrap)["auroc"] <= 0.05
    assert 0.01 <= alarms / trials <= 0.09
    assert naive / trials > 0.25


def test_what_one_class_cannot_give_is_missing_for_both():
    unsafe = np.ones(3, bool)
    found = differences(aurocs(unsafe, np.arange(3), np.arange(3)), np.arange(3), NOBODY, "all")
    assert found["auroc"].difference.value is None
    assert (found["auroc"].a.reason, found["auroc"].p) == ("all", None)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []
