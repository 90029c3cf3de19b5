"""Measure a gauge on a table of rows; the command line and the training pipeline call this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..exchange import Exchange
from .floors import BagOfWords, measure_floors
from .measure import Bootstrap, Scores, measure
from .sample import Sample

if TYPE_CHECKING:
    from ..data.read import Table


class Scorer(Protocol):
    """What is measured: a Gauge, or anything that scores as one does."""

    @property
    def name(self) -> str: ...

    def score(
        self, exchanges: Sequence[Exchange], *, progress: bool = False
    ) -> NDArray[np.float64]: ...


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one or several gauges reach on one table, with all that is needed to repeat it."""

    data: str
    """name of the data set as shown, such as `beavertails/test.jsonl`"""
    source: str
    schema: str
    sha256: str | None
    """of the file as read; None for rows that came from no file"""
    rows: int
    """records in the file"""
    bad_rows: int
    """of these, rows that could not be read"""
    left_out: int
    """of these, rows that the label map leaves out, and repeats of a prompt judged once"""
    pairs: int
    items: int
    blank: int
    """items with nothing to judge; a gauge gives them no verdict, so they are never flagged"""
    n: int
    """items with a safe/unsafe label"""
    unsafe: int
    """of these, unsafe"""
    prompts: int
    """distinct prompts, which the bootstrap draws"""
    one_class: str | None
    """`all unsafe`, `all safe` or `no labels`: why there is no AUROC"""
    threshold: float
    draws: int
    seed: int
    floors: dict[str, Scores]
    """all unsafe, majority, length and, where training rows were given, bag of words"""
    gauges: dict[str, Scores]
    """gauge name -> what it reached"""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, keys in the order above."""
        return asdict(self)


def evaluate_rows(
    gauges: Scorer | Mapping[str, Scorer],
    table: Table,
    *,
    data: str | None = None,
    sha256: str | None = None,
    threshold: float = 0.0,
    bag_of_words: BagOfWords | None = None,
    draws: int = 1000,
    seed: int = 0,
    progress: bool = False,
) -> Measurement:
    """Score all items of a table and measure them beside the floors.

    Args:
        gauges: a gauge, or several by the name under which to show them.
        table: rows as `read_rows` gives them; labelled items give sign figures, pairs ranking.
        data: name to show; the table's source where left out.
        sha256: of the file that the table came from.
        threshold: cost from which on an item is flagged.
        bag_of_words: a trained floor, see `BagOfWords.train`.
        draws: bootstrap draws of prompts for the 95 % intervals; 0 for none.
        seed: of the draws.
        progress: show a progress bar while scoring.
    """
    named = gauges if isinstance(gauges, Mapping) else {gauges.name: gauges}
    sample = Sample.of(table.rows)
    blank = np.array([exchange.blank for exchange in sample.exchanges], bool)
    bootstrap = Bootstrap(draws, seed)
    left_out = table.left_out + table.collapsed
    return Measurement(
        data=data or table.source,
        source=table.source,
        schema=table.schema,
        sha256=sha256,
        rows=len(table.rows) + len(table.bad) + left_out,
        bad_rows=len(table.bad),
        left_out=left_out,
        pairs=sum(row.is_pair for row in table.rows),
        items=len(sample.exchanges),
        blank=int(blank.sum()),
        n=len(sample.labelled),
        unsafe=int(sample.unsafe.sum()),
        prompts=len(np.unique(sample.group)),
        one_class=sample.one_class,
        threshold=threshold,
        draws=draws,
        seed=seed,
        floors=measure_floors(sample, bag_of_words),
        gauges={
            name: measure(
                sample,
                np.asarray(gauge.score(sample.exchanges, progress=progress), np.float64),
                threshold=threshold,
                silent=blank,
                bootstrap=bootstrap,
            )
            for name, gauge in named.items()
        },
    )
