"""A loss that is no number: what to say, and how a run goes on from before it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .checkpoints import TrainingError
from .examples import Example

RATES = frozenset({"optim.learning_rate", "optim.head_learning_rate", "optim.clip"})
"""settings that a resumed run may lower"""

MEND = (
    "the same command with --resume and a lower optim.learning_rate goes on from the last "
    "checkpoint; if it stops at once again, start anew with that rate in another --out"
)


DAMAGED = "nothing was trained yet: the base is damaged, take another"


def check_step(what: str, values: Sequence[float], step: int, rows: Sequence[Example]) -> None:
    """See that what was computed of rows in a step can be learnt from.

    Raises:
        TrainingError: a value is not finite.
    """
    if not all(map(math.isfinite, values)):
        raise TrainingError(
            f"the {what} is not finite at step {step}, rows {rows[0].id} to {rows[-1].id}; {MEND}"
        )


def check_costs(costs: Sequence[np.ndarray], step: int, rows: Sequence[Example]) -> None:
    """See that the model gives each validation row a cost.

    Raises:
        TrainingError: one is not finite.
    """
    for row, cost in zip(rows, costs, strict=True):
        if not np.isfinite(cost).all():
            raise TrainingError(
                f"the cost of validation row {row.id} of {row.source} is not finite after step "
                f"{step}; {MEND if step else DAMAGED}"
            )


def set_rates(optimizer: Any, scheduler: Any, rates: Sequence[float]) -> None:
    """Go on at learning rates other than a checkpoint's, by its schedule.

    Args:
        optimizer: whose state was restored.
        scheduler: torch's `LambdaLR` of it, restored too.
        rates: at the height of the schedule, one a parameter group.
    """
    scheduler.base_lrs = list(rates)
    for group, rate, share in zip(optimizer.param_groups, rates, scheduler.lr_lambdas, strict=True):
        group["initial_lr"] = rate
        group["lr"] = rate * share(scheduler.last_epoch)
    scheduler._last_lr = [group["lr"] for group in optimizer.param_groups]  # what is logged
