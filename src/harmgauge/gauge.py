"""The one door to scoring: exchanges in, costs and verdicts out."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from .bundle import Manifest, read_bundle
from .calibration import probability
from .error_curve import ErrorCurve
from .errors import BundleError, ExchangeError, HarmgaugeWarning, RecipeError
from .exchange import KINDS, Exchange, Kind
from .gauges import find
from .members import member_costs
from .runtime import Runtime, load_runtime
from .scoring import Reading, Scorer
from .verdict import Verdict, log_sigmoid, sigmoid
from .windows import Windower

Floats = NDArray[np.float64]


def load(
    name_or_folder: str | Path | None = None,
    *,
    prior: float | None = None,
    threads: int | None = None,
    int8_activations: bool = False,
    device: str | None = None,
) -> Gauge:
    """Load a gauge; nothing is downloaded.

    Args:
        name_or_folder: name of an installed gauge or folder of a bundle; None is the embedded
            `mini`.
        prior: share of unsafe texts where the gauge will be used; shifts every cost. None keeps
            the prior of the calibration data, that of each kind of input where kinds have scales
            of their own.
        threads: cores for one call; None takes HARMGAUGE_THREADS, else all physical cores.
        int8_activations: multiply in int8, faster but less precise (ONNX gauges; needs the extra
            `train`).
        device: of torch gauges; None is a GPU where there is one. ONNX gauges run on the CPU.

    Raises:
        BundleError: there is no such gauge, or its files are not those that were written.
        RecipeError: an option does not fit.
    """
    folder = find(name_or_folder)
    manifest = read_bundle(folder)
    runtime = load_runtime(
        folder, manifest, threads=threads, int8_activations=int8_activations, device=device
    )
    return Gauge(
        manifest, Tokenizer.from_file(str(folder / "tokenizer.json")), runtime, prior=prior
    )


class Gauge:
    """A loaded model that scores exchanges; any number of threads may share one.

    Wherever an exchange is taken, anything that `Exchange.of` reads will do: a string (a prompt),
    an `Exchange`, a mapping with `prompt`, `response` or `messages`, a list of messages.
    """

    def __init__(
        self,
        manifest: Manifest,
        tokenizer: Tokenizer,
        runtime: Runtime,
        *,
        prior: float | None = None,
    ) -> None:
        if runtime.outputs != len(manifest.outputs):
            raise BundleError(
                f"{manifest.name}: its model has {runtime.outputs} outputs, its manifest names "
                f"{len(manifest.outputs)}"
            )
        self.manifest = manifest
        self.name = manifest.name
        self.id = manifest.id
        """name and short hash, as in `Verdict.gauge`"""
        self.prior = manifest.calibration.prior if prior is None else prior
        """share of unsafe texts at which costs are log-odds; where None was given, kinds of input
        with a scale of their own keep the prior of that"""
        self.mode = runtime.mode
        """how the model runs, such as `onnx` or `onnx int8`"""
        self._prior, self._scales = prior, manifest.scales
        self._shift = {kind: self._scales.of(kind).shift(prior) for kind in (None, *KINDS)}
        self._scorer = Scorer(Windower(tokenizer, manifest.layout), runtime, manifest.members)

    def score(
        self, exchanges: Iterable[Any], *, progress: bool = False, deduplicate: bool = True
    ) -> Floats:
        """Costs, `[n]`, in order; below 0 safe, above 0 unsafe.

        Blank exchanges have cost 0, and those that cannot be judged NaN; `verdicts` says why.

        Args:
            exchanges: what to judge.
            progress: show a progress bar on stderr.
            deduplicate: score texts that occur several times once.

        Raises:
            ExchangeError: `exchanges` is a single text and not a list of them.
        """
        return self._costs(self._scorer.read(exchanges, progress=progress, deduplicate=deduplicate))

    def raw_scores(
        self, exchanges: Iterable[Any], *, progress: bool = False, deduplicate: bool = True
    ) -> Floats:
        """Uncalibrated scores, `[n, outputs]`: of each output the maximum over windows, but of
        members what they say of the window of the cost.

        Rows that are blank or cannot be judged are NaN. Calibration is fitted on these.
        """
        return self._scorer.read(exchanges, progress=progress, deduplicate=deduplicate).raw

    def raw_scores_of_ids(self, sequences: Sequence[Sequence[int]]) -> Floats:
        """Uncalibrated scores of token ids as `Windower` makes them, `[n, outputs]`."""
        raw = np.full((len(sequences), len(self.manifest.outputs)), np.nan)
        for places, scores in self._scorer.run([np.asarray(ids, np.int32) for ids in sequences]):
            raw[places] = scores
        return raw

    def verdict(self, exchange: Any, threshold: float | str | None = None) -> Verdict:
        """Judge one exchange; see `verdicts`."""
        return self.verdicts([exchange], threshold)[0]

    def verdicts(
        self,
        exchanges: Iterable[Any],
        threshold: float | str | None = None,
        *,
        progress: bool = False,
    ) -> list[Verdict]:
        """Judge exchanges, one verdict each, in order.

        Args:
            exchanges: what to judge.
            threshold: the cost from which on a verdict is unsafe, or the name of a stored
                threshold such as `fpr1`; None is 0, where unsafe is as likely as safe.
            progress: show a progress bar on stderr.

        Warns:
            HarmgaugeWarning: a text is of a kind that the stored threshold promises nothing of.

        Raises:
            RecipeError: the gauge has no threshold of that name.
        """
        kinds: tuple[Kind | None, ...] = (None, *KINDS)
        at = {kind: self.threshold(threshold, kind) for kind in kinds}
        reading = self._scorer.read(exchanges, progress=progress, deduplicate=True)
        costs, apart = self._costs(reading), self._uncertainties(reading)
        self.check_promise(threshold, reading.kinds[np.isfinite(costs) & ~reading.blank])
        return [
            self._verdict(reading, row, float(cost), at, None if apart is None else apart[row])
            for row, cost in enumerate(costs)
        ]

    def rank(self, prompt: str | None, responses: Iterable[str]) -> list[tuple[int, float]]:
        """Order responses to one prompt, safest first.

        Returns:
            For each response its index in `responses` and its cost; ties keep their order.

        Raises:
            ExchangeError: a response cannot be judged, so that its place is unknown.
        """
        if isinstance(responses, (str, bytes)):
            raise ExchangeError("responses must be a list of strings, not one string")
        candidates = []
        for number, response in enumerate(responses, 1):
            if response is None:  # of which an exchange would put the prompt on trial
                raise ExchangeError(f"response {number} cannot be ranked: it is None")
            try:
                candidates.append(Exchange(prompt=prompt, response=response))
            except ExchangeError as error:
                raise ExchangeError(f"response {number} cannot be ranked: {error}") from None
        reading = self._scorer.read(candidates, progress=False, deduplicate=True)
        for number, why in enumerate(reading.errors, 1):
            if why is not None:
                raise ExchangeError(f"response {number} cannot be ranked: {why}")
        costs = self._costs(reading)
        return [(int(index), float(costs[index])) for index in np.argsort(costs, kind="stable")]

    def threshold(self, threshold: float | str | None, kind: Kind | None = None) -> float:
        """A threshold as a cost of this gauge, at its prior.

        Args:
            threshold: as for `verdicts`.
            kind: of what is judged. A stored threshold may lie at another cost for each kind, once
                kinds with scales of their own were moved to another prior or re-calibrated; None
                gives that of kinds that have none.

        Raises:
            RecipeError: the gauge has no threshold of that name, or it is not finite.
        """
        if threshold is None:
            return 0.0
        if isinstance(threshold, str):
            stored = {entry.name: entry for entry in self.manifest.thresholds}
            if threshold not in stored:
                raise RecipeError(
                    f"{self.name} has no threshold {threshold!r}; give a cost, or one of its "
                    f"names ({', '.join(stored) or 'it has none'})"
                )
            return stored[threshold].at(kind) + self._shift[kind]
        if not math.isfinite(threshold):
            raise RecipeError(f"threshold is {threshold}; give a finite cost, such as 0")
        return float(threshold)

    def check_promise(self, threshold: float | str | None, kinds: Iterable[str]) -> None:
        """Warn where a stored threshold is used on kinds of input that it promises nothing of.

        Args:
            threshold: as for `verdicts`; a cost promises nothing, and is left alone.
            kinds: of what is judged, see `Exchange.kind`.

        Warns:
            HarmgaugeWarning: once a kind.
        """
        for told in self.unpromised(threshold, kinds):
            warnings.warn(told, HarmgaugeWarning, stacklevel=3)

    def unpromised(self, threshold: float | str | None, kinds: Iterable[str]) -> list[str]:
        """What `check_promise` warns of: a sentence for each such kind of input."""
        stored = {entry.name: entry for entry in self.manifest.thresholds}
        if threshold not in stored:
            return []
        told = []
        for kind in sorted(set(kinds)):
            if not stored[str(threshold)].promises(kind):
                others = [name for name, entry in stored.items() if entry.promises(kind)]
                use = f"use {' or '.join(others)}, or " if others else ""
                told.append(
                    f"{self.name}'s threshold {threshold} promises nothing of what is judged here "
                    f"(input of kind {kind}): it rests on texts of another; {use}store one by "
                    "harmgauge calibrate"
                )
        return told

    def curves(self) -> dict[Kind, ErrorCurve]:
        """What a threshold costs, by kind of input, at this gauge's prior; empty where the bundle
        stores none."""
        stored = self.manifest.curves.items()
        return {kind: curve.shifted(self._shift[kind]) for kind, curve in stored}

    def _costs(self, reading: Reading) -> Floats:
        costs = self._scales.cost(reading.raw[:, 0], reading.kinds, self._prior)
        costs[reading.blank] = 0.0
        return costs

    def _uncertainties(self, reading: Reading) -> Floats | None:
        """Standard deviation of the members' probabilities, `[n]`; None where the gauge has none.

        That of their costs would call most uncertain what is clearest: members of one backbone
        differ in scale, and so the more, the farther a cost lies from the border.
        """
        if not (members := self.manifest.members):
            return None
        raw = reading.raw
        costs = member_costs(raw[:, 0], raw[:, -members:], self._scales, reading.kinds, self._prior)
        spread: Floats = probability(costs).std(1)
        return spread

    def _verdict(
        self,
        reading: Reading,
        row: int,
        cost: float,
        thresholds: Mapping[Kind | None, float],
        uncertainty: float | None,
    ) -> Verdict:
        kind = reading.kind(row)
        threshold = thresholds[kind]
        error = reading.errors[row]
        if error is not None:
            return Verdict(None, None, None, threshold, gauge=self.id, error=error)
        if reading.blank[row]:
            return Verdict(cost, sigmoid(cost), None, threshold, empty=True, gauge=self.id)
        return Verdict(
            cost=cost,
            probability=sigmoid(cost),
            unsafe=cost >= threshold,
            threshold=threshold,
            uncertainty=None if uncertainty is None else float(uncertainty),
            categories=self._categories(reading.raw[row], cost, kind) or None,
            empty=False,
            windows=int(reading.windows[row]),
            gauge=self.id,
        )

    def _categories(self, raw: Floats, cost: float, kind: Kind | None) -> dict[str, float]:
        """Probability of each category from its raw score, at most that of the cost: the category's
        share of what is unsafe, which no prior changes, times the probability of unsafe."""
        unsafe = log_sigmoid(cost - self._shift[kind])
        probabilities = {}
        for name, score in zip(self.manifest.category_names, raw[1:], strict=False):
            category = log_sigmoid(float(self.manifest.categories[name].cost(score)))
            share = math.exp(min(0.0, category - unsafe))
            probabilities[name] = share * sigmoid(cost)
        return probabilities
