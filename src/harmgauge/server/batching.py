"""Dynamic batching: exchanges of many requests go to the gauge together, from one thread."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..exchange import Exchange
from ..gauge import Gauge
from ..verdict import Verdict
from .errors import ApiError, try_again
from .metrics import Metrics

# A batch takes no more once it holds so many, so that what waits behind a long text waits for
# about as long as a full batch of short ones takes.
_BATCH_CHARACTERS = 1 << 16
# So many characters take about as long as what each exchange takes besides.
_WORK_CHARACTERS = 1000
_WARM = ("warm", "up " * 500)


@dataclass(eq=False, slots=True)
class _Job:
    """One request."""

    exchanges: Sequence[Any]
    future: asyncio.Future[list[Verdict]]
    taken: int = 0
    """how many of the exchanges are in a batch or through one"""
    verdicts: list[Verdict] = field(default_factory=list)

    @property
    def left(self) -> int:
        return len(self.exchanges) - self.taken


class Batcher:
    """A queue and the one thread that empties it into a gauge.

    Args:
        load: gives the gauge; runs in the thread, so that the server answers meanwhile.
        size: most exchanges of a batch.
        wait_s: how long a batch that is not full waits for more.
        queue_size: most exchanges that wait.
        most_s: no more are taken once those that wait need longer, by the pace of the last batches.
            Otherwise a queue that is too slow would be full of what nobody waits for any more.
    """

    def __init__(
        self,
        load: Callable[[], Gauge],
        metrics: Metrics,
        *,
        size: int,
        wait_s: float,
        queue_size: int,
        most_s: float,
    ) -> None:
        self.failure: Exception | None = None
        """why there is no gauge, and will be none"""
        self._load, self._metrics = load, metrics
        self._size, self._wait_s = size, wait_s
        self._queue_size, self._most_s = queue_size, most_s
        self._gauge: Gauge | None = None
        self._jobs: list[_Job] = []
        self._waiting = 0
        self._work_waiting = 0
        self._pace = 0.0
        """seconds for a unit of work, see `_work`"""
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="gauge", daemon=True)
        metrics.queue.set_function(lambda: self._waiting)

    def start(self, on_failure: Callable[[], None]) -> None:
        """Load the gauge and begin; call it in the event loop."""
        self._loop, self._on_failure = asyncio.get_running_loop(), on_failure
        self._thread.start()

    async def close(self) -> None:
        """Finish what was accepted."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._gauge is not None:
            await asyncio.to_thread(self._thread.join)

    @property
    def gauge(self) -> Gauge:
        """Raises:
        ApiError: it is not loaded yet.
        """
        if self._gauge is None:
            raise try_again("the gauge is not loaded yet", 1, "not_ready")
        return self._gauge

    async def verdicts(self, exchanges: Sequence[Any]) -> list[Verdict]:
        """As `Gauge.verdicts`; if the caller is cancelled, what still waits is dropped.

        Raises:
            ApiError: too many wait already, or the server is stopping.
        """
        if not exchanges:
            return []
        job = _Job(exchanges, asyncio.get_running_loop().create_future())
        work = _work(exchanges)
        with self._changed:
            if self._closed:
                raise try_again("the server is stopping", 5)
            full = self._waiting + job.left > self._queue_size
            late = self._jobs and (self._work_waiting + work) * self._pace > self._most_s
            if full or late:
                seconds = self._work_waiting * self._pace
                raise try_again("too many exchanges wait already", seconds)
            self._jobs.append(job)
            self._waiting += job.left
            self._work_waiting += work
            self._changed.notify()
        try:
            return await job.future
        finally:
            with self._changed:
                if job in self._jobs:
                    self._jobs.remove(job)
                    self._waiting -= job.left
                    self._work_waiting -= _work(job.exchanges[job.taken :])

    def _run(self) -> None:
        try:
            gauge = self._load()
            gauge.verdicts(_WARM)  # the first calls allocate, and are slow
            started = time.perf_counter()
            gauge.verdicts(_WARM)
            self._keep_pace(_WARM, time.perf_counter() - started)
        except Exception as error:
            self.failure = error
            self._loop.call_soon_threadsafe(self._on_failure)
            return
        self._gauge = gauge
        while (batch := self._next()) is not None:
            if batch:
                self._judge(gauge, batch)

    def _next(self) -> list[tuple[_Job, Sequence[Any]]] | None:
        """The next batch; None once there is no more to come. What is nearest to its end goes
        first: no small job waits for a large one, and of large ones, some are in time where all
        in turns would be late."""
        with self._changed:
            while not (self._jobs or self._closed):
                self._changed.wait()
            if not self._jobs:
                return None
            until = time.monotonic() + self._wait_s
            while self._waiting < self._size and not self._closed:
                if (seconds := until - time.monotonic()) <= 0:
                    break
                self._changed.wait(seconds)
            batch: list[tuple[_Job, Sequence[Any]]] = []
            room, characters = self._size, 0
            self._jobs.sort(key=lambda job: job.left)
            while room and self._jobs and characters < _BATCH_CHARACTERS:
                job = self._jobs[0]
                share: list[Any] = []
                while room and job.left and characters < _BATCH_CHARACTERS:
                    share.append(job.exchanges[job.taken])
                    characters += length(share[-1])
                    job.taken += 1
                    room -= 1
                batch.append((job, share))
                self._waiting -= len(share)
                self._work_waiting -= _work(share)
                if not job.left:
                    del self._jobs[0]
            return batch

    def _judge(self, gauge: Gauge, batch: list[tuple[_Job, Sequence[Any]]]) -> None:
        started = time.perf_counter()
        exchanges = [each for _, share in batch for each in share]
        try:
            verdicts = gauge.verdicts(exchanges)
        except Exception as error:
            logging.getLogger(__name__).error("batch failed", exc_info=error)
            self._deliver([(job, None) for job, _ in batch])
            return
        seconds = time.perf_counter() - started
        self._keep_pace(exchanges, seconds)
        self._metrics.batch(len(exchanges), seconds)
        given = iter(verdicts)
        self._deliver([(job, [next(given) for _ in share]) for job, share in batch])

    def _keep_pace(self, exchanges: Sequence[Any], seconds: float) -> None:
        pace = seconds / _work(exchanges)
        self._pace = (self._pace + pace) / 2 if self._pace else pace

    def _deliver(self, shares: list[tuple[_Job, list[Verdict] | None]]) -> None:
        def deliver() -> None:
            for job, verdicts in shares:
                if job.future.done():  # cancelled, or failed in an earlier batch
                    continue
                if verdicts is None:
                    job.future.set_exception(
                        ApiError(500, "the gauge failed on this request", code="internal_error")
                    )
                    continue
                job.verdicts += verdicts
                if len(job.verdicts) == len(job.exchanges):
                    job.future.set_result(job.verdicts)

        self._loop.call_soon_threadsafe(deliver)


def _work(exchanges: Sequence[Any]) -> int:
    return sum(_WORK_CHARACTERS + length(each) for each in exchanges)


def length(value: Any) -> int:
    """Characters of all turns of an exchange; 0 of what is none, which costs nothing."""
    if isinstance(value, str):
        return len(value)
    return sum(len(text) for _, text in value.turns) if isinstance(value, Exchange) else 0
