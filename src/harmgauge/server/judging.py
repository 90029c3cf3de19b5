"""From what a request holds to verdicts at its threshold, and what the policy says of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import ExchangeError, RecipeError
from ..exchange import KINDS, Exchange, Kind
from ..gauge import Gauge, load
from ..verdict import Verdict
from .batching import Batcher, length
from .errors import ApiError
from .metrics import Metrics
from .policy import Decision, Policy, decide, read_policy
from .settings import Settings


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict and what follows from it."""

    verdict: Verdict
    decision: Decision
    warnings: Sequence[str] = ()
    """that the threshold promises nothing of what was judged"""


class Judge:
    """What all routes share: settings, policy, and the gauge behind its queue.

    Raises:
        RecipeError: the policy cannot be read, or does not go with the settings.
    """

    def __init__(self, settings: Settings, gauge: Gauge | None = None) -> None:
        self.settings = settings
        self.policy: Policy | None = read_policy(settings.policy) if settings.policy else None
        if self.policy and None not in (self.policy.threshold, settings.threshold):
            raise RecipeError(
                "both the policy and the settings give a threshold; leave one of them out"
            )
        self.metrics = Metrics()
        self._given = gauge
        self._unpromised: dict[float | str | None, dict[Kind, Sequence[str]]] = {}
        self.batcher = Batcher(
            self._load,
            self.metrics,
            size=settings.batch_size,
            wait_s=settings.batch_wait_ms / 1000,
            queue_size=settings.queue_size,
            most_s=settings.request_timeout_s / 2,
        )

    @property
    def gauge(self) -> Gauge:
        """Raises:
        ApiError: it is not loaded yet.
        """
        return self.batcher.gauge

    def about(self, judged: Iterable[Judged]) -> dict[str, Any]:
        """What every answer says of who judged, and how far the threshold can be trusted."""
        about: dict[str, Any] = {"gauge": self.gauge.id}
        if self.policy:
            about["policy"] = {"version": self.policy.version}
        if warnings := sorted({each for one in judged for each in one.warnings}):
            about["warnings"] = warnings
        return about

    def threshold(self, asked: float | str | None) -> float | str | None:
        """That of a request, else of the policy, else of the settings.

        Raises:
            ApiError: the gauge has no threshold of that name.
        """
        stored = [entry.name for entry in self.gauge.manifest.thresholds]
        if isinstance(asked, str) and asked not in stored:
            raise ApiError(
                400,
                "the gauge has no threshold of that name; give a cost, or one of "
                f"{', '.join(stored) or 'its names, of which it has none'}",
                code="unknown_threshold",
                param="threshold",
            )
        if isinstance(asked, float) and not math.isfinite(asked):
            raise ApiError(400, "threshold must be finite", code="finite_number", param="threshold")
        if asked is not None:
            return asked
        if self.policy and self.policy.threshold is not None:
            return self.policy.threshold
        return self.settings.threshold

    async def judge(
        self, values: Sequence[Any], threshold: float | str | None, param: str
    ) -> list[Judged]:
        """One for each value, in order.

        Args:
            values: anything that `Exchange.of` reads; what it does not read gets its error.
            threshold: as of a request.
            param: where the values stand in the request, for errors.

        Raises:
            ApiError: one is too long, all are together, or the server cannot take them now.
        """
        chosen = self.threshold(threshold)
        at = {kind: self.gauge.threshold(chosen, kind) for kind in (None, *KINDS)}
        warnings = self._unpromised.get(chosen, {})
        exchanges = [_read(value) for value in values]
        self._check_lengths(exchanges, param)
        verdicts = await self.batcher.verdicts(
            [value if each is None else each for value, each in zip(values, exchanges, strict=True)]
        )
        judged = []
        for exchange, verdict in zip(exchanges, verdicts, strict=True):
            verdict = _at(at[exchange.kind if exchange else None], verdict)
            decision = decide(self.policy, exchange, verdict)
            told = (
                warnings.get(exchange.kind, ()) if exchange and verdict.unsafe is not None else ()
            )
            judged.append(Judged(verdict, decision, told))
        self.metrics.verdicts(each.verdict for each in judged)
        return judged

    def _check_lengths(self, exchanges: Sequence[Exchange | None], param: str) -> None:
        most, total = self.settings.max_characters, 0
        for row, exchange in enumerate(exchanges):
            characters = length(exchange)
            total += characters
            if characters > most:
                raise ApiError(
                    413,
                    f"{param}.{row} has {characters} characters, and {most} are the most",
                    code="too_long",
                    param=f"{param}.{row}",
                )
        if total > self.settings.max_body_bytes:  # one prompt counts for each of its responses
            raise ApiError(
                413,
                f"{param} come to {total} characters with their prompts, and "
                f"{self.settings.max_body_bytes} are the most; send them in several requests",
                code="too_long",
                param=param,
            )

    def _load(self) -> Gauge:
        given, settings = self._given, self.settings
        gauge = given or load(settings.gauge, prior=settings.prior, threads=settings.threads)
        gauge.threshold(settings.threshold)
        if self.policy:
            self.policy.check(gauge)
        self._unpromised = {
            stored.name: {kind: gauge.unpromised(stored.name, [kind]) for kind in KINDS}
            for stored in gauge.manifest.thresholds
        }
        return gauge


def _read(value: Any) -> Exchange | None:
    try:
        return Exchange.of(value)
    except ExchangeError:
        return None  # the gauge will say why


def _at(threshold: float, verdict: Verdict) -> Verdict:
    """The verdict at another threshold, as `Gauge.verdicts` would have given it."""
    if verdict.unsafe is None or verdict.cost is None:
        return replace(verdict, threshold=threshold)
    return replace(verdict, threshold=threshold, unsafe=verdict.cost >= threshold)
