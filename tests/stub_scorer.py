"""A scorer whose costs follow from what the texts spell."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from harmgauge.data.read import Table
from harmgauge.data.row import Item, Row
from harmgauge.evaluation.data_set import DataSet
from harmgauge.evaluation.scorers import Scored
from harmgauge.exchange import Exchange


@dataclass
class Stub:
    """Costs the number of exclamation marks less one; fails on question marks."""

    name: str = "stub"
    sign: float = 1.0
    threshold: float | None = 0.0
    probabilistic: bool = True
    reads_texts: bool = True
    calls: list[int] = field(default_factory=list)

    @property
    def identity(self) -> str:
        return f"{self.name} {self.sign}"

    @property
    def facts(self) -> dict:
        return {"kind": "stub", "id": self.identity}

    def costs(self, batch, *, progress=False):
        self.calls.append(len(batch.exchanges))
        texts = [exchange.on_trial for exchange in batch.exchanges]
        costs = [np.nan if "?" in text else self.sign * (text.count("!") - 1.0) for text in texts]
        return Scored(np.array(costs), {"shouts": sum("!" in text for text in texts)})


def single(prompt, unsafe, response=None, **meta):
    return Row("f:1", "toy", (Item(Exchange(prompt, response), unsafe),), None, meta)


def data_set(*rows, bad=()):
    return DataSet.of(Table(list(rows), list(bad), "prompt_response", "toy"))
