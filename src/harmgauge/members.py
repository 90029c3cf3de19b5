"""Members of an ensemble: several heads on one backbone, whose mean is the cost.

A model gives their mean as its cost, and beside it a *deviation* of each member. The raw score of
a member is that of the cost plus its deviation, less the mean of all deviations: so the mean of the
members is the cost by construction, whatever the weights are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .calibration import Floats
from .scales import Scales

_MEMBER = re.compile(r"member_\d+")


def member_names(members: int | None) -> tuple[str, ...]:
    """What the outputs of so many members are called; None has none."""
    return tuple(f"member_{number}" for number in range(1, (members or 0) + 1))


def is_member(output: str) -> bool:
    """Whether an output of a model is the deviation of a member."""
    return _MEMBER.fullmatch(output) is not None


def members_at(outputs: Sequence[str]) -> list[int]:
    """The places of members among the outputs of a model."""
    return [place for place, name in enumerate(outputs) if is_member(name)]


def member_costs(
    raw: Floats,
    deviations: Floats,
    scales: Scales,
    kinds: NDArray[np.str_],
    prior: float | None = None,
) -> Floats:
    """Calibrated costs of the members, `[n, members]`.

    Args:
        raw: raw scores of the cost, `[n]`.
        deviations: `[n, members]`.
        scales: of the gauge, each of which holds for the cost and its members alike.
        kinds: of input, `[n]`.
        prior: as for `Scales.cost`.
    """
    scores = raw[:, None] + deviations - deviations.mean(1, keepdims=True)
    return np.stack([scales.cost(column, kinds, prior) for column in scores.T], 1)
