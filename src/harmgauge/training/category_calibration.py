"""The scale of each category's output, fitted and measured on validation texts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..calibration import Calibration, Floats, fit, probability
from ..evaluation.metrics import auroc

_SPREAD = 0.05
"""log-odds; a category whose scaled scores spread less (standard deviation) says the same of all"""


def fit_categories(
    names: Sequence[str],
    raw: Floats,
    flags: Floats,
    weight: Floats,
    *,
    data: str,
) -> dict[str, Calibration]:
    """Platt scaling of each category by itself, on the texts of which its flag is known.

    A category is left out whose scores do not rise with its flags, so that its scale came out flat:
    every text would have the same probability of it.

    Args:
        names: `[categories]`.
        raw: raw scores, `[n, categories]`.
        flags: 1 flagged, 0 not, NaN unknown, `[n, categories]`.
        weight: `[n]`.
        data: what the texts are, for the record.

    Raises:
        DataError: of a category only one class is known.
    """
    fitted = {}
    for column, name in enumerate(names):
        known = ~np.isnan(flags[:, column])
        scores = raw[known, column]
        scale = fit(scores, flags[known, column], weight[known], data=data)
        if scale.cost(scores).std() > _SPREAD:
            fitted[name] = scale
    return fitted


def category_data(name: str) -> str:
    """What the figures of a category are called in `Manifest.metrics`."""
    return f"{name}, validation"


def category_figures(
    categories: Mapping[str, Calibration], raw: Floats, flags: Floats, cost: Floats, unsafe: Floats
) -> list[dict[str, Any]]:
    """Validation figures, an entry of `Manifest.metrics` each: AUROC of a category's texts against
    all others, and against the unsafe ones among these, which a mere cost cannot tell apart.

    Args:
        categories: name -> scale.
        raw, flags: as for `fit_categories`.
        cost: calibrated costs, `[n]`.
        unsafe: labels, `[n]`.
    """
    figures = []
    for column, (name, scale) in enumerate(categories.items()):
        flag = flags[:, column]
        chance = np.minimum(probability(scale.cost(raw[:, column])), probability(cost))
        figures.append(
            {
                "data": category_data(name),
                "n": int((~np.isnan(flag)).sum()),
                "flagged": int((flag == 1).sum()),
                "auroc": _auroc(flag, chance, ~np.isnan(flag)),
                "auroc_of_unsafe": _auroc(flag, chance, ~np.isnan(flag) & (unsafe >= 0.5)),
            }
        )
    return figures


def _auroc(flag: Floats, chance: Floats, chosen: NDArray[np.bool_]) -> float | None:
    value = float(auroc(flag[chosen] == 1, chance[chosen]))
    return None if math.isnan(value) else value
