"""A threshold promises a false-positive rate, and the promise holds as often as it says."""

import math
from dataclasses import replace

import numpy as np
import pytest

from harmgauge.errors import DataError, RecipeError
from harmgauge.exchange import KINDS
from harmgauge.thresholds import safe_items_needed, threshold_at


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.05, 0.3, 0.9])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("n", [5, 59, 299, 1000, 20_000])
def test_the_rank_is_that_of_clopper_and_pearson(rate, confidence, n):
    beta = pytest.importorskip("scipy.stats").beta
    ranks = np.arange(1, n + 1)
    fitting = ranks[beta.ppf(confidence, ranks, n - ranks + 1) <= rate]
    costs = np.random.default_rng(0).permutation(n).astype(float)
    if fitting.size == 0:
        with pytest.raises(DataError, match=f"takes {safe_items_needed(rate, confidence)}"):
            threshold_at(rate, costs, data="made", confidence=confidence)
        return
    threshold = threshold_at(rate, costs, data="made", confidence=confidence)
    k_th_highest = n - fitting.max()  # costs are 0 to n - 1
    assert k_th_highest < threshold.cost < k_th_highest + 1e-3
    assert (costs >= threshold.cost).sum() == fitting.max() - 1


@pytest.mark.parametrize(
    ("rate", "confidence", "needed"),
    [(0.01, 0.95, 299), (0.05, 0.95, 59), (0.01, 0.99, 459), (0.5, 0.75, 2), (0.001, 0.95, 2995)],
)
def test_so_many_safe_items_are_needed_and_do(rate, confidence, needed):
    assert safe_items_needed(rate, confidence) == needed
    costs = np.arange(needed, dtype=float)
    threshold = threshold_at(rate, costs, data="made", confidence=confidence)
    assert (costs >= threshold.cost).sum() == 0
    with pytest.raises(DataError, match=f"made has {needed - 1} safe prompts.*takes {needed}"):
        threshold_at(rate, costs[1:], data="made", confidence=confidence)


def test_what_failed_does_not_count():
    costs = np.full(300, math.nan)
    costs[:298] = 0.0
    with pytest.raises(DataError, match="298 safe prompts"):
        threshold_at(0.01, costs, data="made")


@pytest.mark.parametrize(("rate", "confidence"), [(0, 0.95), (1.0, 0.95), (5, 0.95), (0.01, 1)])
def test_shares_lie_between_0_and_1(rate, confidence):
    with pytest.raises(RecipeError, match="between 0 and 1"):
        threshold_at(rate, np.zeros(1000), data="made", confidence=confidence)


def test_it_says_what_it_promises():
    threshold = threshold_at(0.05, np.zeros(100), data="chats.jsonl", sha256=("ab",))
    assert threshold.name == "fpr5"
    assert threshold.promise == (
        "at most 5 % of safe texts like the 100 of chats.jsonl, with 95 % confidence"
    )
    assert not {"sha256", "licences"} & threshold.in_a_table().keys()
    assert (
        replace(threshold, licences=("MIT", "CC0-1.0")).in_a_table()["licences"] == "MIT, CC0-1.0"
    )


@pytest.mark.parametrize(
    ("name", "kinds", "promised"),
    [
        ("prompts_fpr1", (), {"prompt"}),
        ("responses_fpr5", (), {"response", "exchange"}),
        ("prompts_fpr1", ("exchange",), {"exchange"}),
        ("mine", ("prompt", "exchange"), {"prompt", "exchange"}),
        ("fpr1", (), set(KINDS)),
    ],
)
def test_the_promise_is_of_the_kinds_that_it_rests_on_else_of_those_of_its_name(
    name, kinds, promised
):
    threshold = threshold_at(0.05, np.zeros(100), data="made", name=name, kinds=kinds)
    assert {kind for kind in KINDS if threshold.promises(kind)} == promised
    assert threshold.in_a_table().get("kinds", "") == ", ".join(kinds)


def test_it_does_not_alarm_on_ties_nor_on_what_a_batch_does_to_them():
    costs = np.array([1.0] * 50 + [0.0] * 950)
    threshold = threshold_at(0.02, costs, data="made")
    assert (costs + 9e-5 >= threshold.cost).sum() == 0
    assert threshold.cost < 1.001


def smooth(random, n):
    return random.normal(size=n)


def smooth_above(cost):
    return 0.5 * math.erfc(cost / math.sqrt(2))


@pytest.mark.parametrize("share", [0, 1, 95, math.nan])
def test_the_example_for_a_share_out_of_range_is_one_of_its_kind(share):
    with pytest.raises(RecipeError, match=r"^false-positive rate is .*, such as 0\.05$"):
        safe_items_needed(share)
    with pytest.raises(RecipeError, match=r"^confidence is .*, such as 0\.95$"):
        safe_items_needed(0.05, share)


def tied(random, n):
    return random.geometric(0.2, size=n).astype(float)


def tied_above(cost):
    return 0.8 ** (math.ceil(cost) - 1)


@pytest.mark.parametrize(("draw", "above"), [(smooth, smooth_above), (tied, tied_above)])
@pytest.mark.parametrize(("rate", "n", "confidence"), [(0.05, 200, 0.95), (0.02, 500, 0.9)])
def test_the_promise_is_broken_no_more_often_than_it_says(draw, above, rate, n, confidence):
    draws, risk = 2000, 1 - confidence
    random = np.random.default_rng(0)
    broken = sum(
        above(threshold_at(rate, draw(random, n), data="made", confidence=confidence).cost) > rate
        for _ in range(draws)
    )
    assert broken / draws <= risk + 3 * math.sqrt(risk * confidence / draws)


def test_the_promise_is_no_safer_than_it_needs_to_be():
    """Of thresholds that are kept too often, too many unsafe texts pass below."""
    random = np.random.default_rng(1)
    broken = np.mean(
        [
            smooth_above(threshold_at(0.05, smooth(random, 2000), data="made").cost) > 0.05
            for _ in range(1000)
        ]
    )
    assert broken > 0.03
