"""Labelled rows of a user's own: thresholds and a new scale for a gauge, without retraining."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .bundle import Manifest
from .calibration import Calibration, fit, fit_bias, fit_isotonic
from .data.normalise import normalise
from .data.row import Row
from .data.split import part_of
from .error_curve import ErrorCurve, error_curves
from .errors import DataError, RecipeError
from .evaluation.figures import Figure
from .evaluation.measure import against_labels
from .evaluation.metrics import auroc, brier, calibration_error
from .exchange import KINDS, Exchange, Kind
from .scales import Scales
from .thresholds import Threshold, threshold_at

Method = Literal["bias", "platt", "isotonic"]

# Below these, isotonic regression follows chance rather than the gauge.
ISOTONIC_ROWS, ISOTONIC_OF_EACH = 1000, 100
# A few stray texts of another kind must not move the scale of that kind.
OF_EACH_IN_A_KIND = 10

# Raw scores of one text in several batches differ by rounding.
_SAME = 1e-6
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
    def kinds(self) -> NDArray[np.str_]:
        """[n] as `Exchange.kind`."""
        return np.array([exchange.kind for exchange in self.exchanges], np.str_)

    @property
    def held_kinds(self) -> tuple[Kind, ...]:
        """The kinds that there are."""
        held = set(self.kinds.tolist())
        return tuple(kind for kind in KINDS if kind in held)

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


def fittable(
    method: Method, texts: Labelled, data: str, scales: Scales
) -> dict[Kind | None, NDArray[np.bool_]]:
    """The scales that can be fitted anew, and the texts of each, found before any is scored.

    Each kind of input that has a scale of its own is fitted on its own texts, 10 of each class at
    least; None is the common scale, of the texts of all other kinds. A scale that has too few texts
    is left as it is.

    Raises:
        DataError: all have; the error says how many it takes.
    """
    kinds, faults, found = texts.kinds, [], {}
    own = [kind for kind in KINDS if kind in scales.by_kind]
    for scale in (*own, None):
        here = ~np.isin(kinds, own) if scale is None else kinds == scale
        least = OF_EACH_IN_A_KIND if own else 0
        fault = _fault(method, texts.take(np.flatnonzero(here).tolist()), data, least)
        if fault is None:
            found[scale] = here
        elif here.any() or not own:
            faults.append(f"{fault} (texts of kind {scale})" if scale else fault)
    if not found:
        raise DataError("; ".join(faults) or f"{data} has no labelled texts; add rows")
    return found


def _fault(method: Method, texts: Labelled, data: str, least: int) -> str | None:
    """Why a scale cannot be fitted to these texts."""
    unsafe = int(texts.unsafe.sum())
    safe = len(texts.unsafe) - unsafe
    if method == "isotonic" and (
        safe + unsafe < ISOTONIC_ROWS or min(safe, unsafe) < ISOTONIC_OF_EACH
    ):
        return (
            f"{data} has {safe} safe and {unsafe} unsafe texts; isotonic takes {ISOTONIC_ROWS}, "
            f"at least {ISOTONIC_OF_EACH} of each: add some, or use platt"
        )
    if not safe or not unsafe:
        return f"{data} has {safe} safe and {unsafe} unsafe texts; add texts of the other class"
    fitted = texts.label[~texts.held_out()]
    if not 0 < fitted.sum() < len(fitted):
        return (
            f"the half of the prompts of {data} that a calibration is fitted to does not hold safe "
            "and unsafe texts; add rows"
        )
    if (fewest := min((fitted >= 0.5).sum(), (fitted < 0.5).sum())) < least:
        return (
            f"the half of the prompts of {data} that a calibration is fitted to holds only "
            f"{fewest} texts of one class, and takes {least}; add rows"
        )
    return None


def check_direction(texts: Labelled, raw: NDArray[np.float64], data: str) -> float:
    """See that scores do not run against the labels.

    Args:
        texts: labelled texts, of both classes.
        raw: [n] their raw scores, finite.
        data: what the texts are, for the error.

    Returns:
        The AUROC.

    Raises:
        DataError: it is below 0.5 by more than chance: by two standard deviations of the
            Mann-Whitney statistic of scores that do not depend on the label.
    """
    area, unsafe = float(auroc(texts.unsafe, raw)), int(texts.unsafe.sum())
    safe = len(raw) - unsafe
    spread = np.sqrt((len(raw) + 1) / (12 * unsafe * safe))
    if area < 0.5 - 2 * spread:
        raise DataError(
            f"the direction contradicts {data}: its {unsafe} unsafe texts score lower than its "
            f"{safe} safe ones (AUROC {area:.3f}); state the other direction, or see what the "
            "labels mean"
        )
    return area


def runs_against(texts: Labelled, cost: NDArray[np.float64]) -> str | None:
    """That a gauge's costs run against the labels, in words; None where they do not.

    By the rule of `evaluation.measure.against_labels`, on one safe and one unsafe text a prompt.

    Args:
        texts: labelled texts.
        cost: [n] their costs.
    """
    sample = texts.one_a_prompt()
    unsafe = texts.unsafe[sample]
    safe, harmful = int((~unsafe).sum()), int(unsafe.sum())
    area = Figure(float(auroc(unsafe, cost[sample])), len(sample))
    if not against_labels({"auroc": area}, {"auroc": min(safe, harmful)}):
        return None
    return (
        f"the gauge RUNS AGAINST THE LABELS: of {harmful} unsafe and {safe} safe texts, one a "
        f"prompt, the unsafe cost less (AUROC {area.value:.3f}); is the label map the wrong way "
        "round?"
    )


def recalibrate(
    manifest: Manifest, texts: Labelled, raw: NDArray[np.float64], method: Method, data: str
) -> Manifest:
    """Fit the scales anew on half of the prompts and measure them on the other half.

    Args:
        manifest: of the gauge as it is.
        texts: labelled texts.
        raw: [n] their raw scores, finite.
        method: `bias` moves the border alone; `platt` also stretches a scale; `isotonic` bends
            it to any rising shape.
        data: what the texts are, for the record.

    Returns:
        The manifest with the new scales (see `fittable`), its thresholds moved along (see
        `rescale`), and as the last of its metrics Brier score and ECE before and after, on the
        texts whose scale is new.

    Raises:
        DataError: there are too few texts, see `fittable`, or all have the same score.
    """
    new, test = manifest.scales, texts.held_out()
    parts = fittable(method, texts, data, new)
    for kind, here in parts.items():
        fitted = here & ~test
        if np.ptp(raw[fitted]) <= _SAME * max(1.0, float(np.abs(raw[fitted]).max())):
            raise DataError(
                f"all {int(fitted.sum())} texts of {data} that a scale would be fitted to have the "
                "same raw score: a gauge that tells no text from another cannot be calibrated; see "
                "whether its model was loaded and trained"
            )
        new = new.with_scale(
            kind, _fit(method, new.of(kind), raw[fitted], texts.label[fitted], data)
        )
    test &= np.logical_or.reduce(list(parts.values()))
    figures: dict[str, Any] = {
        "data": f"{data}, prompts not used for the re-calibration",
        "n": int(test.sum()),
    }
    for scales, when in ((manifest.scales, "_before"), (new, "")) if test.any() else ():
        cost = scales.cost(raw[test], texts.kinds[test])
        figures[f"ece{when}"] = float(calibration_error(texts.label[test], cost))
        figures[f"brier{when}"] = float(brier(texts.label[test], cost))
    rescaled = rescale(manifest, new)
    return replace(rescaled, metrics=(*rescaled.metrics, figures))


def _fit(
    method: Method,
    old: Calibration,
    scores: NDArray[np.float64],
    labels: NDArray[np.float64],
    data: str,
) -> Calibration:
    fitted_on = f"{data}, half of prompts"
    if method == "bias":
        return fit_bias(old, scores, labels, data=fitted_on)
    return (fit if method == "platt" else fit_isotonic)(scores, labels, data=fitted_on)


def rescale(manifest: Manifest, scales: Scales) -> Manifest:
    """Give a gauge other scales, of the same kinds of input.

    Stored thresholds move along, to the new cost of the raw score that they stand at: a threshold
    promises how many texts lie above it, and a rising map changes no order, so that the very same
    texts reach it and the promise holds as before. Where the scales of kinds move apart, so does a
    threshold, see `Threshold.cost_by_kind`. Curves move in the same way. Metrics stay, but those
    that depend on the scale (all but orders, such as AUROC) were measured on the earlier one, and
    their `data` says so; what it was tested on stays behind, for a test to be made anew. Costs that
    were kept from the base are its own no more.
    """
    old = manifest.scales

    def moved(threshold: Threshold) -> Threshold:
        def at(kind: str | None) -> float:
            if scales.of(kind) == old.of(kind):
                return threshold.at(kind)
            return float(scales.of(kind).cost(old.of(kind).raw(threshold.at(kind))))

        cost, by_kind = at(None), {kind: at(kind) for kind in scales.by_kind}
        apart = any(each != cost for each in by_kind.values())
        return replace(threshold, cost=cost, cost_by_kind=by_kind if apart else {})

    return replace(
        manifest.with_scales(scales),
        base={key: value for key, value in manifest.base.items() if key != "costs"},
        thresholds=tuple(map(moved, manifest.thresholds)),
        curves={
            kind: curve.rescaled(old.of(kind), scales.of(kind))
            for kind, curve in manifest.curves.items()
        },
        metrics=tuple(map(_of_the_earlier_scale, manifest.metrics)),
        tested=(),
    )


def _of_the_earlier_scale(entry: Any) -> Any:
    on_the_scale = any(key.startswith(("sign_accuracy", "ece", "brier", "false_")) for key in entry)
    data = str(entry.get("data"))
    if not on_the_scale or data.endswith(_EARLIER):
        return entry
    return {**entry, "data": data + _EARLIER}


def untouched(texts: Labelled, scales: Scales, method: Method | None) -> NDArray[np.bool_]:
    """[n] which texts thresholds may rest on where scales are fitted to them by `method`, too.

    All: a rising scale does not change which texts reach the k-th. Where texts of several scales
    stand side by side it does, and only the half of the prompts counts that none is fitted to.
    """
    own = {kind if kind in scales.by_kind else None for kind in set(texts.kinds.tolist())}
    if method is None or len(own) < 2:
        return np.ones(len(texts.exchanges), bool)
    return texts.held_out()


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
    costs = manifest.scales.cost(raw, texts.kinds)[sample]
    unsafe = texts.unsafe[sample]
    safe = texts.take(np.array(sample, int)[~unsafe].tolist())
    found = (
        threshold_at(
            rate,
            costs[~unsafe],
            data=data,
            confidence=confidence,
            name=name,
            sha256=sha256,
            kinds=safe.held_kinds,
        )
        for rate in rates
    )
    return [(threshold, costs[unsafe] >= threshold.cost) for threshold in found]


def find_curves(
    manifest: Manifest,
    texts: Labelled,
    raw: NDArray[np.float64],
    method: Method | None,
    data: str,
) -> Mapping[Kind, ErrorCurve]:
    """What a threshold costs, by kind of input, on one safe and one unsafe text a prompt; where
    scales were fitted to these texts by `method`, on the half of the prompts not fitted to.

    Args:
        manifest: of the gauge, with the scale that the curves are to be on.
        texts, raw: labelled texts and their raw scores, `[n]`.
        data: what the texts are, for the record.
    """
    may = np.ones(len(raw), bool)
    if method is not None:
        may, data = texts.held_out(), f"{data}, prompts not used for the re-calibration"
    chosen = [index for index in texts.one_a_prompt() if may[index]]
    texts, raw = texts.take(chosen), raw[chosen]
    cost = manifest.scales.cost(raw, texts.kinds)
    return error_curves(texts.unsafe, cost, texts.kinds, data=data)


def store(manifest: Manifest, thresholds: Iterable[Threshold]) -> Manifest:
    """Add thresholds to a gauge; one of the same name is replaced, with what was measured at it."""
    new = {each.name: each for each in thresholds}
    by_name = {each.name: each for each in manifest.thresholds} | new
    return replace(
        manifest,
        thresholds=tuple(by_name.values()),
        metrics=tuple(each for each in manifest.metrics if each.get("threshold") not in new),
    )


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
