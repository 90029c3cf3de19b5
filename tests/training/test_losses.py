import math

import pytest
import torch

from harmgauge.training.losses import Targets, category_term, cost_terms, distil_term

NAN = math.nan


def targets(unsafe, pairs=(), weight=None):
    return Targets(
        unsafe=torch.tensor(unsafe),
        weight=torch.tensor(weight or [1.0] * len(unsafe)),
        safer=torch.tensor([safer for safer, _ in pairs], dtype=torch.long),
        riskier=torch.tensor([riskier for _, riskier in pairs], dtype=torch.long),
    )


def log_sigmoid(x: float) -> float:
    return -math.log1p(math.exp(-x))


def test_a_labelled_pair_gives_all_terms_of_safe_rlhf():
    cost = torch.tensor([-0.5, 1.5])
    terms = cost_terms(cost, targets([0.0, 1.0], [(0, 1)]))
    assert terms.rank.item() == pytest.approx(-log_sigmoid(1.5 - -0.5))
    assert terms.sign.item() == pytest.approx(-log_sigmoid(0.5) - log_sigmoid(1.5))
    assert terms.l2.item() == pytest.approx(0.25 + 2.25)


def test_a_single_gives_no_rank_and_an_unlabelled_pair_no_sign():
    single = cost_terms(torch.tensor([2.0]), targets([1.0]))
    assert single.rank.item() == 0
    assert single.sign.item() == pytest.approx(-log_sigmoid(2.0))
    pair = cost_terms(torch.tensor([2.0, 1.0]), targets([NAN, NAN], [(1, 0)]))
    assert pair.sign.item() == 0
    assert pair.rank.item() == pytest.approx(-log_sigmoid(1.0))


def test_at_cost_0_every_term_is_ln_2():
    terms = cost_terms(torch.zeros(2), targets([0.0, 1.0], [(0, 1)]))
    assert terms.rank.item() == pytest.approx(math.log(2))
    assert terms.sign.item() == pytest.approx(2 * math.log(2))


def test_far_costs_do_not_overflow_and_unknown_labels_leave_no_nan_in_gradients():
    cost = torch.tensor([-200.0, 200.0, 3.0], requires_grad=True)
    terms = cost_terms(cost, targets([1.0, 0.0, NAN], [(1, 0)]))
    assert terms.rank.item() == pytest.approx(400)
    assert terms.sign.item() == pytest.approx(400)
    (terms.rank + terms.sign + terms.l2).backward()
    assert torch.isfinite(cost.grad).all()


def test_weights_and_soft_labels_are_expectations():
    cost = torch.tensor([0.7])
    soft = cost_terms(cost, targets([0.25], weight=[2.0])).sign.item()
    expected = 2 * (0.25 * -log_sigmoid(0.7) + 0.75 * -log_sigmoid(-0.7))
    assert soft == pytest.approx(expected, rel=1e-6)


def test_label_smoothing_moves_labels_inward():
    cost = torch.tensor([0.7])
    smoothed = cost_terms(cost, targets([1.0]), label_smoothing=0.1).sign.item()
    assert smoothed == pytest.approx(cost_terms(cost, targets([0.9])).sign.item(), rel=1e-6)


def test_the_distillation_term_is_the_divergence_from_the_teacher():
    cost, teacher = torch.tensor([0.7, -1.0]), torch.tensor([2.0, 0.5])
    term = distil_term(cost, teacher, torch.tensor([1.0, 3.0]), temperature=2.0).item()
    expected = 0.0
    for c, t, weight in ((0.7, 2.0, 1.0), (-1.0, 0.5, 3.0)):
        p, q = 1 / (1 + math.exp(-t / 2)), 1 / (1 + math.exp(-c / 2))
        expected += weight * 4 * (p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q)))
    assert term == pytest.approx(expected, rel=1e-5)


def test_at_a_high_temperature_costs_are_matched():
    cost = torch.tensor([3.0], requires_grad=True)
    distil_term(cost, torch.tensor([1.0]), torch.ones(1), temperature=100.0).backward()
    assert cost.grad.item() == pytest.approx((3.0 - 1.0) / 4, rel=1e-3)


def test_without_a_teacher_there_is_no_distillation_term():
    assert cost_terms(torch.tensor([2.0]), targets([1.0])).distil.item() == 0


def test_only_known_flags_count_each_by_its_weight():
    scores = torch.tensor([[2.0, -1.0], [0.5, 3.0]])
    flags = torch.tensor([[1.0, NAN], [0.0, 1.0]])
    found = category_term(scores, flags, torch.tensor([1.0, 2.0]), torch.tensor([4.0, 1.0]))
    expected = 4 * -log_sigmoid(2.0) + 2 * -log_sigmoid(-0.5) + 2 * -log_sigmoid(3.0)
    assert found.item() == pytest.approx(expected)
