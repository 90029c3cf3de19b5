"""The scales of a gauge's costs: one of all kinds of input together, and those of single kinds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .calibration import Calibration, Floats

ENOUGH = 100
"""texts of each class that a kind takes for a scale of its own, in training"""


@dataclass(frozen=True, slots=True)
class Scales:
    """From raw scores to costs, by the kind of what is judged (see `exchange.Kind`).

    Prompts, answers and exchanges differ in their share of unsafe and in how sure a model is of
    them, so that one scale is right for none. Each scale rises: within a kind no order changes.
    """

    common: Calibration
    """of kinds that have none of their own"""
    by_kind: Mapping[str, Calibration] = field(default_factory=dict)

    def of(self, kind: str | None) -> Calibration:
        """The scale of a kind; None is the common one."""
        return self.common if kind is None else self.by_kind.get(kind, self.common)

    @property
    def named(self) -> dict[str | None, Calibration]:
        """All of them, the common one first, under None."""
        named: dict[str | None, Calibration] = {None: self.common}
        return named | dict(self.by_kind)

    def cost(self, raw: ArrayLike, kinds: NDArray[np.str_], prior: float | None = None) -> Floats:
        """Costs in log-odds of unsafe, `[n]`.

        Args:
            raw: raw scores, `[n]`; NaN stays NaN.
            kinds: the kind of each, `[n]`.
            prior: share of unsafe where the costs are used; None keeps that of each scale.

        Raises:
            RecipeError: the prior is not between 0 and 1.
        """
        scores = np.asarray(raw, np.float64)
        costs = self.common.cost(scores, prior)
        for kind, scale in self.by_kind.items():
            here = kinds == kind
            costs[here] = scale.cost(scores[here], prior)
        return costs

    def at_prior(self, prior: float) -> Scales:
        """The same scales, their costs log-odds at another prior.

        Raises:
            RecipeError: the prior is not between 0 and 1.
        """
        return Scales(
            self.common.at_prior(prior),
            {kind: scale.at_prior(prior) for kind, scale in self.by_kind.items()},
        )

    def with_scale(self, kind: str | None, scale: Calibration) -> Scales:
        """The same scales but for that of one kind; None is the common one."""
        if kind is None:
            return replace(self, common=scale)
        return replace(self, by_kind={**self.by_kind, kind: scale})
