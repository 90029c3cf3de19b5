"""Labelled rows of a user's own: thresholds and a new scale for a gauge, without retraining."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .bundle import Manifest
from .calibration import Calibration, fit, fit_bias, fit_isotonic
from .data.normalise import normalise
from .data.row import Row
from .data.split import part_of
from .errors import DataError, RecipeError
from .evaluation.metrics import brier, calibration_error
from .exchange import Exchange
from .thresholds import Threshold, threshold_at

Method = Literal["bias", "platt", "isotonic"]

# Below these, isotonic regression follows chance rather than the gauge.
ISOTONIC_ROWS, ISOTONIC_OF_EACH = 1000, 100

_EARLIER = " (earlier scale)"


@dataclass(frozen=True, slots=True)
class Labelled:
    """Texts with a safe/unsafe label; blank ones, of which a gauge says nothing, are left out."""

    exchanges: list[Exchange]
    label: NDArray[np.float64]
    """[n] from 0 (safe) to 1 (unsafe)"""
    prompt: list[str]
    """[n] what texts of one prompt share"""
    blank: int
    """how many were left out"""

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Labelled:
        """The labelled items of rows, both of a pair."""
        items = [(row, item) for row in rows for item in row.items if item.unsafe is not None]
        kept = [(row, item) for row, item in items if not item.exchange.blank]
        return cls(
            [item.exchange for _, item in kept],
            np.array([item.unsafe for _, item in kept], np.float64),
            [normalise(row.group) for row, _ in kept],
            len(items) - len(kept),
        )

    @property
    def unsafe(self) -> NDArray[np.bool_]:
        """[n] a mean of raters of 0.5 or more is unsafe."""
        return self.label >= 0.5

    def one_a_prompt(self) -> list[int]:
        """Indices of one safe and one unsafe text of each prompt that has such, chosen by a hash
        of the text: whatever its cost, and in whatever order the rows come."""
        chosen: dict[tuple[str, bool], tuple[str, int]] = {}
        for index, exchange in enumerate(self.exchanges):
            digest = hashlib.sha256(repr(exchange.turns).encode()).hexdigest()
            key = (self.prompt[index], bool(self.unsafe[index]))
            chosen[key] = min(chosen.get(key, (digest, index)), (digest, index))
        return sorted(index for _, index in chosen.values())

    def take(self, indices: Sequence[int]) -> Labelled:
        """Some of the texts, in the order of `indices`."""
        return Labelled(
            [self.exchanges[index] for index in indices],
            self.label[np.asarray(indices, int)],
            [self.prompt[index] for index in indices],
            self.blank,
        )

    def held_out(self) -> NDArray[np.bool_]:
        """[n] which half of the prompts a calibration is measured on, not fitted to."""
        halves = {"fitted": 0.5, "held out": 0.5}
        # Not a seed of `data split`: a part that it cut out would lie in one half.
        parts = (part_of(prompt, halves, seed=-1) for prompt in self.prompt)
        return np.array([part == "held out" for part in parts], bool)


def check_method(method: Method, texts: Labelled, data: str) -> None:
    """See that a way to re-calibrate has enough texts, before they are scored.

    Raises:
        DataError: it has not; the error says how many it takes.
    """
    unsafe = int(texts.unsafe.sum())
    safe = len(texts.unsafe) - unsafe
    if method == "isotonic" and (
        safe + unsafe < ISOTONIC_ROWS or min(safe, unsafe) < ISOTONIC_OF_EACH
    ):
        raise DataError(
            f"{data} has {safe} safe and {unsafe} unsafe texts; isotonic takes {ISOTONIC_ROWS}, "
            f"at least {ISOTONIC_OF_EACH} of each: add some, or use platt"
        )
    fitted = texts.label[~texts.held_out()]
    if not 0 < fitted.sum() < len(fitted):
        raise DataError(
            f"the half of the prompts of {data} that a calibration is fitted to does not hold safe "
            "and unsafe texts; add rows"
        )


def recalibrate(
    manifest: Manifest, texts: Labelled, raw: NDArray[np.float64], method: Method, data: str
) -> Manifest:
    """Fit the scale anew on half of the prompts and measure it on the other half.

    Args:
        manifest: of the gauge as it is.
        texts: labelled texts.
        raw: [n] their raw scores, finite.
        method: `bias` moves the border alone; `platt` also stretches the scale; `isotonic` bends
            it to any rising shape.
        data: what the texts are, for the record.

    Returns:
        The manifest with the new calibration, its thresholds moved along (see `rescale`), and as
        the last of its metrics Brier score and ECE before and after.

    Raises:
        DataError: there are too few texts, see `check_method`.
    """
    check_method(method, texts, data)
    test = texts.held_out()
    old, scores, labels = manifest.calibration, raw[~test], texts.label[~test]
    fitted_on = f"{data}, half of prompts"
    if method == "bias":
        new = fit_bias(old, scores, labels, data=fitted_on)
    elif method == "platt":
        new = fit(scores, labels, data=fitted_on)
    else:
        new = fit_isotonic(scores, labels, data=fitted_on)
    figures: dict[str, Any] = {
        "data": f"{data}, prompts not used for the re-calibration",
        "n": int(test.sum()),
    }
    for calibration, when in ((old, "_before"), (new, "")) if test.any() else ():
        cost = calibration.cost(raw[test])
        figures[f"ece{when}"] = float(calibration_error(texts.label[test], cost))
        figures[f"brier{when}"] = float(brier(texts.label[test], cost))
    rescaled = rescale(manifest, new)
    return replace(rescaled, metrics=(*rescaled.metrics, figures))


def rescale(manifest: Manifest, calibration: Calibration) -> Manifest:
    """Give a gauge another scale.

    Stored thresholds move along, to the new cost of the raw score that they stand at: a threshold
    promises how many texts lie above it, and a rising map changes no order, so that the very same
    texts reach it and the promise holds as before. Metrics stay, but those that depend on the scale
    (all but orders, such as AUROC) were measured on the earlier one, and their `data` says so.
    """
    old = manifest.calibration

    def moved(cost: float) -> float:
        return float(calibration.cost(old.raw(cost)))

    return replace(
        manifest,
        calibration=calibration,
        thresholds=tuple(replace(each, cost=moved(each.cost)) for each in manifest.thresholds),
        metrics=tuple(map(_of_the_earlier_scale, manifest.metrics)),
    )


def _of_the_earlier_scale(entry: Any) -> Any:
    on_the_scale = any(key.startswith(("sign_accuracy", "ece", "brier")) for key in entry)
    data = str(entry.get("data"))
    if not on_the_scale or data.endswith(_EARLIER):
        return entry
    return {**entry, "data": data + _EARLIER}


def find_thresholds(
    manifest: Manifest,
    texts: Labelled,
    raw: NDArray[np.float64],
    rates: Iterable[float],
    *,
    data: str,
    sha256: tuple[str, ...] = (),
    confidence: float = 0.95,
    name: str | None = None,
) -> list[tuple[Threshold, NDArray[np.bool_]]]:
    """A threshold for each false-positive rate, from the safe texts, one a prompt.

    Args:
        manifest: of the gauge, with the scale that the thresholds are to be on.
        texts, raw: labelled texts and their raw scores, `[n]`.
        rates: the promises, such as 0.01; each holds with `confidence` by itself.
        data, sha256, name: see `Threshold`.

    Returns:
        Each threshold, and which of the unsafe texts (one a prompt) reach it. Nothing is chosen on
        these.

    Raises:
        DataError: there are too few safe prompts, see `threshold_at`.
    """
    sample = texts.one_a_prompt()
    costs, unsafe = manifest.calibration.cost(raw)[sample], texts.unsafe[sample]
    found = (
        threshold_at(
            rate, costs[~unsafe], data=data, confidence=confidence, name=name, sha256=sha256
        )
        for rate in rates
    )
    return [(threshold, costs[unsafe] >= threshold.cost) for threshold in found]


def store(manifest: Manifest, thresholds: Iterable[Threshold]) -> Manifest:
    """Add thresholds to a gauge; one of the same name is replaced."""
    by_name = {each.name: each for each in (*manifest.thresholds, *thresholds)}
    return replace(manifest, thresholds=tuple(by_name.values()))


def check_name(name: str) -> None:
    """Raises:
    RecipeError: the name would be taken for a cost, or is not one word.
    """
    try:
        float(name)
    except ValueError:
        if name and not any(character.isspace() or character == "," for character in name):
            return
    raise RecipeError(
        f"{name!r} cannot name a threshold; give one word that is no number, such as fpr1"
    )
