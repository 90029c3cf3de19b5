"""The cost loss of Safe RLHF, its distillation term, and the term of categories."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, softplus


@dataclass(frozen=True, slots=True)
class Targets:
    """What is known about the `n` sequences of one forward pass.

    Unknown labels are NaN: such a sequence gives no sign term.
    """

    unsafe: Tensor
    """1 unsafe, 0 safe, between where raters disagree, NaN unknown; `[n]`"""
    weight: Tensor
    """weight of each sequence; `[n]`"""
    safer: Tensor
    """index of the safer sequence of each pair; `[pairs]`"""
    riskier: Tensor
    """index of the other one; `[pairs]`"""
    teacher: Tensor | None = None
    """cost by the teachers, NaN unknown; `[n]`"""


@dataclass(frozen=True, slots=True)
class Terms:
    """Weighted sums of each term over one forward pass."""

    rank: Tensor
    sign: Tensor
    l2: Tensor
    distil: Tensor


def cost_terms(
    cost: Tensor, targets: Targets, label_smoothing: float = 0.0, temperature: float = 1.0
) -> Terms:
    r"""Sums of the terms of the cost loss.

    For a pair of responses, :math:`y^+` the riskier and :math:`y^-` the safer one, and signs
    :math:`s(y) = +1` for unsafe and :math:`-1` for safe,

    .. math::
        L = - \log \sigma(C(y^+) - C(y^-))
            - \log \sigma(s(y^+) C(y^+)) - \log \sigma(s(y^-) C(y^-)) + \mu\, C(y)^2

    (Dai et al., Safe RLHF, arXiv 2310.12773, the cost-model loss; the quadratic regulariser is
    that of its code). The sign terms are Bradley-Terry against an imaginary response of cost 0,
    and so pin 0 as the border. A sequence without a partner gives the sign term alone, a pair
    without labels the rank term alone. A fractional label is the expected sign term.

    Args:
        cost: raw costs, `[n]`.
        targets: labels, weights and pairs over the same `n` sequences.
        label_smoothing: moves labels 0 and 1 inward by this much.
        temperature: of the distillation term, see `distil_term`.

    Returns:
        Weighted sums; the caller divides each by its own count.
    """
    cost = cost.float()
    margin = cost[targets.riskier] - cost[targets.safer]
    pair_weight = targets.weight[targets.safer]
    rank = (pair_weight * softplus(-margin)).sum()  # softplus(-x) = -logsigmoid(x), no overflow

    known = ~torch.isnan(targets.unsafe)
    label = targets.unsafe[known] * (1 - 2 * label_smoothing) + label_smoothing
    sign = binary_cross_entropy_with_logits(
        cost[known], label, weight=targets.weight[known], reduction="sum"
    )
    l2 = (targets.weight * cost.square()).sum()
    distil = cost.new_zeros(())
    if targets.teacher is not None:
        distil = distil_term(cost, targets.teacher, targets.weight, temperature)
    return Terms(rank=rank, sign=sign, l2=l2, distil=distil)


def distil_term(cost: Tensor, teacher: Tensor, weight: Tensor, temperature: float) -> Tensor:
    r"""Weighted sum of the cross-entropy against the teacher's softened probability.

    With :math:`t` the teacher's cost and :math:`T` the temperature,

    .. math::
        T^2 \, \mathrm{BCE}(\sigma(t / T),\; \sigma(C / T))

    (Hinton et al., Distilling the Knowledge in a Neural Network, arXiv 1503.02531, for two
    classes; :math:`T^2` keeps the size of the gradient). For a large :math:`T` its gradient is
    that of :math:`(C - t)^2 / 8`, the matching of logits which Kim et al., arXiv 2105.08919,
    found better with reliable labels: one term for both. Shifted to be 0 where the costs agree.
    """
    known = ~torch.isnan(teacher)
    soft = teacher[known] / temperature
    target = torch.sigmoid(soft)
    here, entropy = (
        binary_cross_entropy_with_logits(logits, target, weight=weight[known], reduction="sum")
        for logits in (cost[known] / temperature, soft)
    )
    return temperature**2 * (here - entropy)


def category_term(scores: Tensor, flags: Tensor, weight: Tensor, positive_weight: Tensor) -> Tensor:
    """Weighted sum of the cross-entropy of every known category flag.

    Args:
        scores: raw scores of the categories, `[n, categories]`.
        flags: 1 flagged, 0 not, NaN unknown, `[n, categories]`; unknown ones give nothing.
        weight: of each sequence, `[n]`.
        positive_weight: what a flag counts, its absence counting 1, `[categories]`.
    """
    each = binary_cross_entropy_with_logits(
        scores.float(), flags.nan_to_num(), pos_weight=positive_weight, reduction="none"
    )
    return (each * weight[:, None])[~torch.isnan(flags)].sum()
