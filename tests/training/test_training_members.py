"""Training an ensemble of heads: each member on a draw of the rows of its own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from test_losses import targets

import harmgauge
from harmgauge.training.examples import Example
from harmgauge.training.losses import cost_terms
from harmgauge.training.members import draws, member_terms
from harmgauge.training.pipeline import run
from harmgauge.training.recipe import Model
from tiny import MAX_TOKENS

TERMS = ("rank", "sign", "l2", "distil")


def example(name, sequences=1):
    return Example(name, "own", name, ([1],) * sequences, (0.0,) * sequences, None, 1.0)


def test_draws_go_by_row_and_seed_and_a_pair_stays_together():
    examples = [example(f"own.jsonl:{number}") for number in range(2000)]
    counts = draws(examples, 3, seed=0)
    assert counts.shape == (2000, 3)
    assert counts.mean().item() == pytest.approx(1, abs=0.05)
    assert counts.var().item() == pytest.approx(1, abs=0.1)  # of Poisson
    assert abs(np.corrcoef(counts.T.numpy()) - np.eye(3)).max() < 0.1
    assert torch.equal(draws(examples[5:9], 3, seed=0), counts[5:9])
    assert not torch.equal(draws(examples, 3, seed=1), counts)
    pair, single = draws([example("pair", 2), example("single")], 4, seed=0).split([2, 1])
    assert torch.equal(pair[0], pair[1])
    assert not torch.equal(pair[:1], single)


def test_the_loss_is_the_mean_over_members_of_their_own():
    cost, known = torch.tensor([-0.5, 1.5, 0.2]), targets([0.0, 1.0, 1.0], [(0, 1)])
    deviations = torch.tensor([[0.3, 0.1], [-0.2, 0.4], [0.0, 1.0]])
    counts = torch.tensor([[2.0, 1.0], [2.0, 1.0], [0.0, 3.0]])
    found = member_terms(cost, deviations, known, counts)
    first = cost + torch.tensor([0.1, -0.3, -0.5])
    second = cost + torch.tensor([-0.1, 0.3, 0.5])
    one = cost_terms(first, targets([0.0, 1.0, 1.0], [(0, 1)], [2.0, 2.0, 0.0]))
    two = cost_terms(second, targets([0.0, 1.0, 1.0], [(0, 1)], [1.0, 1.0, 3.0]))
    for name in TERMS:
        mean = (getattr(one, name) + getattr(two, name)) / 2
        torch.testing.assert_close(getattr(found, name), mean)


def test_members_that_agree_and_see_all_rows_are_one_head():
    cost, known = torch.tensor([-0.5, 1.5]), targets([0.0, 1.0], [(0, 1)])
    found = member_terms(cost, torch.full((2, 4), 0.7), known, torch.ones(2, 4))
    for name in TERMS:
        torch.testing.assert_close(getattr(found, name), getattr(cost_terms(cost, known), name))


def test_names_of_members_and_lone_ones_are_refused():
    with pytest.raises(ValidationError, match="members"):
        Model(members=1)


@pytest.mark.slow
def test_a_run_gives_members_that_differ_and_a_soup_of_it_none(tmp_path, make_recipe, decoder_base):
    model = {"max_tokens": MAX_TOKENS, "members": 3}
    recipe = make_recipe(decoder_base, model=model, runtime="torch")
    bundle = run(recipe, tmp_path, tmp_path / "run", quiet=True)
    gauge = harmgauge.load(bundle)
    assert gauge.manifest.outputs == ("cost", "member_1", "member_2", "member_3")
    texts = ["snow", "hello", "a cat sits on the mat"]
    verdicts = gauge.verdicts(texts)
    assert all(verdict.uncertainty > 1e-3 for verdict in verdicts)
    aurocs = [each["auroc"] for each in gauge.manifest.metrics if each["data"].startswith("single")]
    assert aurocs[0] > 0.9

    soup = run(recipe, tmp_path, tmp_path / "soup", soup=[tmp_path / "run"], quiet=True)
    alone = harmgauge.load(soup)
    assert alone.manifest.outputs == ("cost",)
    assert alone.verdict("snow").uncertainty is None
    np.testing.assert_allclose(alone.score(texts), gauge.score(texts), atol=1e-5)
