import numpy as np
import pytest

from harmgauge.evaluation import bootstrap as module
from harmgauge.evaluation import metrics
from harmgauge.evaluation.bootstrap import Bootstrap


def percentiles(draws):
    return np.percentile(draws, [2.5, 97.5])


def share(values):
    return {"share": lambda weight: weight @ values / weight.sum(-1)}


def test_draws_prompts_and_not_items():
    random = np.random.default_rng(1)
    right = (random.random(40) < 0.7).astype(float)
    repeated = np.repeat(right, 25)
    bootstrap = Bootstrap(draws=400, seed=3)
    by_prompt = bootstrap.of(share(repeated), np.repeat(np.arange(40), 25))["share"]
    low, high = percentiles(by_prompt)
    naive = percentiles(bootstrap.of(share(repeated), np.arange(1000))["share"])
    assert low < right.mean() < high
    assert high - low == pytest.approx(3.92 * right.std() / np.sqrt(40), rel=0.2)
    assert high - low > 3 * (naive[1] - naive[0])


def test_memory_bounds_change_no_draw(monkeypatch):
    values = np.random.default_rng(0).normal(size=30)
    group = np.repeat(np.arange(10), 3)
    whole = Bootstrap(draws=50).of(share(values), group)["share"]
    monkeypatch.setattr(module, "_AT_ONCE", 70)
    np.testing.assert_allclose(Bootstrap(draws=50).of(share(values), group)["share"], whole)
    assert len(whole) == 50


def test_one_prompt_has_no_draws():
    assert len(Bootstrap().of(share(np.ones(3)), np.zeros(3, int))["share"]) == 0


def test_intervals_cover_the_truth_at_about_their_rate():
    """Three answers a prompt that share half of their noise; the true AUROC is known."""
    random = np.random.default_rng(5)
    truth, covered, naively = 0.760, 0, 0  # of two normals one deviation apart: Phi(1/sqrt 2)
    trials = 200
    for trial in range(trials):
        prompt = np.repeat(np.arange(60), 3)
        unsafe = np.repeat(random.random(60) < 0.5, 3)  # all answers to a prompt are alike
        noise = np.sqrt(0.5) * (random.normal(size=60)[prompt] + random.normal(size=180))
        cost = noise + unsafe
        metric = {"auroc": lambda weight, u=unsafe, c=cost: metrics.auroc(u, c, weight)}
        low, high = percentiles(Bootstrap(200, trial).of(metric, prompt)["auroc"])
        covered += low <= truth <= high
        low, high = percentiles(Bootstrap(200, trial).of(metric, np.arange(180))["auroc"])
        naively += low <= truth <= high
    assert 0.90 <= covered / trials <= 0.99
    assert naively / trials < covered / trials - 0.05
