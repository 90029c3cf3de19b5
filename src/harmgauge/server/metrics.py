"""Prometheus metrics: numbers and our own names, never a text."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST as CONTENT_TYPE

from ..verdict import Verdict

__all__ = ["CONTENT_TYPE", "Metrics"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """All metrics of one server, in a registry of its own."""

    def __init__(self) -> None:
        # Else each has a series that tells when it began.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "harmgauge_requests",
            "Requests answered; status 499 is of clients that went away.",
            ("route", "status"),
            registry=self._registry,
        )
        self._latency = Histogram(
            "harmgauge_request_seconds",
            "From the headers of a request to the end of its answer.",
            ("route",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._batches = Histogram(
            "harmgauge_batch_exchanges",
            "Exchanges that went to the gauge together.",
            buckets=_SIZES,
            registry=self._registry,
        )
        self._batch_seconds = Histogram(
            "harmgauge_batch_seconds",
            "Time of the gauge for a batch.",
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._verdicts = Counter(
            "harmgauge_verdicts",
            "Verdicts given: safe, unsafe, empty, or error for what could not be judged.",
            ("verdict",),
            registry=self._registry,
        )
        self.queue = Gauge(
            "harmgauge_queue_exchanges", "Exchanges that wait.", registry=self._registry
        )
        for kind in ("safe", "unsafe", "empty", "error"):
            self._verdicts.labels(kind)  # 0 is told, too

    def request(self, route: str, status: int, seconds: float) -> None:
        self._requests.labels(route, status).inc()
        self._latency.labels(route).observe(seconds)

    def batch(self, exchanges: int, seconds: float) -> None:
        self._batches.observe(exchanges)
        self._batch_seconds.observe(seconds)

    def verdicts(self, verdicts: Iterable[Verdict]) -> None:
        for verdict in verdicts:
            self._verdicts.labels(_kind(verdict)).inc()

    def text(self) -> bytes:
        """What Prometheus reads."""
        return generate_latest(self._registry)


def _kind(verdict: Verdict) -> str:
    if verdict.error is not None:
        return "error"
    return "empty" if verdict.empty else "unsafe" if verdict.unsafe else "safe"
