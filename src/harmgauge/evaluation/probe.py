"""The refusal shortcut: what a refusal put before unsafe answers does to recall.

In many sets safe answers open with a refusal and unsafe ones do not, so that a gauge may learn the
opening and not the harm.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..exchange import Exchange
from . import metrics
from .bootstrap import Metric
from .intervals import Gap
from .metrics import Floats
from .refusals import REFUSAL
from .sample import Indices, Sample

MOST = 300
"""unsafe answers probed in one data set: each has to be scored again"""


def unsafe_answers(sample: Sample) -> Indices:
    """Items of the probe: answers labelled unsafe, not blank, at most `MOST`, evenly from all."""
    items = [
        item
        for item in sample.labelled[sample.unsafe]
        if sample.items[item].exchange.response is not None
        and not sample.items[item].exchange.blank
    ]
    return evenly(np.array(items, np.int64), MOST)


def evenly(items: Indices, most: int) -> Indices:
    """At most so many of the items, evenly from all."""
    if len(items) <= most:
        return items
    return items[np.linspace(0, len(items) - 1, most).round().astype(np.int64)]


def with_refusal(exchange: Exchange, refusal: str = REFUSAL) -> Exchange:
    """The exchange with a refusal before its response."""
    return replace(exchange, response=f"{refusal} {exchange.response}")


def probe_figures(before: Floats, after: Floats, threshold: float) -> dict[str, Metric]:
    """Recall of n unsafe answers as they are and behind a refusal, and what is lost; `[n]` each."""
    flagged, still = before >= threshold, after >= threshold
    unsafe: NDArray[np.bool_] = np.ones(len(before), bool)

    plain, behind = (partial(metrics.recall, unsafe, each) for each in (flagged, still))
    return {
        "recall_plain": plain,
        "recall_behind_refusal": behind,
        "recall_lost": Gap(plain, behind),
    }
