"""Exchanges to raw scores: windows, chunks, batches, and the maximum over windows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from .errors import ExchangeError
from .exchange import KINDS, Exchange, Kind
from .runtime import Runtime, Scores
from .runtime.batches import batches, pad
from .windows import Windower

Floats = NDArray[np.float64]

NO_SCORE = "the gauge gave no finite score"

# So many tokens are tokenised, sorted and scored at a time: enough to sort well, in memory that
# does not grow with the job.
_CHUNK_TOKENS = 1 << 20


@dataclass(slots=True)
class Reading:
    """What was found out about each row."""

    raw: Floats
    """`[n, outputs]`, the maximum over windows; of members, what they say of the worst window"""
    windows: NDArray[np.int64]
    blank: NDArray[np.bool_]
    kinds: NDArray[np.str_]
    """`[n]`, as `Exchange.kind`; empty where there is no exchange"""
    errors: list[str | None]

    @classmethod
    def of_nothing(cls, n: int, outputs: int) -> Reading:
        return cls(
            np.full((n, outputs), -np.inf),
            np.zeros(n, np.int64),
            np.zeros(n, bool),
            np.zeros(n, f"U{max(map(len, KINDS))}"),
            [None] * n,
        )

    def kind(self, row: int) -> Kind | None:
        """The kind of one row's exchange; None where there is none."""
        return cast(Kind, str(self.kinds[row])) if self.kinds[row] else None

    def close(self) -> None:
        """Turn rows without a finite score into NaN, with an error unless they are blank."""
        broken = ~np.isfinite(self.raw).all(axis=1)
        self.raw[broken] = np.nan
        for row in np.flatnonzero(broken & ~self.blank):
            self.errors[row] = self.errors[row] or NO_SCORE


@dataclass(slots=True)
class _Chunk:
    """Rows that are tokenised, sorted and scored together."""

    windows: list[tuple[int, NDArray[np.int32]]] = field(default_factory=list)
    """row and token ids"""
    done: int = 0
    """rows that have nothing to score"""


class Scorer:
    """A windower and a runtime, working together; safe to share between threads."""

    def __init__(self, windower: Windower, runtime: Runtime, members: int = 0) -> None:
        """`members` is the number of outputs, the last ones, that are members' deviations."""
        self._windower = windower
        self._runtime = runtime
        self._members = members

    def read(self, exchanges: Iterable[Any], *, progress: bool, deduplicate: bool) -> Reading:
        """Score every exchange; see `Gauge.score`."""
        if isinstance(exchanges, (str, bytes, Exchange, Mapping)):
            raise ExchangeError("exchanges must be a list; for a single one pass [exchange]")
        items = list(exchanges)
        reading = Reading.of_nothing(len(items), self._runtime.outputs)
        with _progress_bar(len(items), progress) as advance:
            for chunk in self._chunks(items, reading):
                self._score(chunk, reading, deduplicate, advance)
        reading.close()
        return reading

    def _chunks(self, items: list[Any], reading: Reading) -> Iterator[_Chunk]:
        """Tokenise so many rows at a time, noting those that have nothing to score."""
        chunk, tokens = _Chunk(), 0
        for row, item in enumerate(items):
            windows = self._windows(row, item, reading)
            if not windows:
                chunk.done += 1
                continue
            reading.windows[row] = len(windows)
            chunk.windows += [(row, np.asarray(ids, np.int32)) for ids in windows]
            tokens += sum(map(len, windows))
            if tokens >= _CHUNK_TOKENS:
                yield chunk
                chunk, tokens = _Chunk(), 0
        yield chunk

    def _windows(self, row: int, item: Any, reading: Reading) -> list[list[int]]:
        try:
            exchange = Exchange.of(item)
            reading.kinds[row] = exchange.kind
            reading.blank[row] = exchange.blank
            return [] if exchange.blank else self._windower.read(exchange)
        except ExchangeError as error:
            reading.errors[row] = str(error)
            return []

    def _score(
        self,
        chunk: _Chunk,
        reading: Reading,
        deduplicate: bool,
        advance: Callable[[int], object],
    ) -> None:
        """Score the windows of a chunk in batches of like length."""
        sequences: list[NDArray[np.int32]] = []
        owners: list[list[int]] = []
        seen: dict[bytes, int] = {}
        for row, ids in chunk.windows:
            new = len(sequences)
            place = seen.setdefault(ids.tobytes(), new) if deduplicate else new
            if place == new:
                sequences.append(ids)
                owners.append([])
            owners[place].append(row)
        advance(chunk.done)
        left = Counter(row for row, _ in chunk.windows)
        highest = self._runtime.outputs - self._members
        for places, scores in self.run(sequences):
            done = 0
            for place, score in zip(places, scores, strict=True):
                for row in owners[place]:
                    raw = reading.raw[row]
                    if score[0] > raw[0]:
                        raw[highest:] = score[highest:]
                    np.maximum(raw[:highest], score[:highest], out=raw[:highest])
                    left[row] -= 1
                    done += left[row] == 0
            advance(done)

    def run(self, sequences: list[NDArray[np.int32]]) -> Iterator[tuple[list[int], Scores]]:
        """Score sequences in batches of like length; yields places and their raw scores."""
        for places in batches([len(ids) for ids in sequences]):
            yield places, self._runtime.raw_scores(*pad([sequences[place] for place in places]))


@contextmanager
def _progress_bar(total: int, wanted: bool) -> Iterator[Callable[[int], object]]:
    if not wanted:
        yield lambda count: None
        return
    from tqdm import tqdm

    with tqdm(total=total, unit="text", desc="scoring", smoothing=0) as bar:
        yield bar.update
