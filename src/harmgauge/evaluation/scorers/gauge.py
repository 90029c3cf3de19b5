"""Our own gauges as scorers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...gauge import Gauge, load
from ...verdict import DIRECTION
from .base import Batch, Scored


@dataclass(frozen=True)
class GaugeScorer:
    """A gauge; it flags from cost 0 on."""

    gauge: Gauge

    threshold = 0.0
    probabilistic = True
    reads_texts = True

    @classmethod
    def load(cls, name_or_folder: str, *, threads: int | None = None) -> GaugeScorer:
        """See `harmgauge.load`."""
        return cls(load(name_or_folder, threads=threads))

    @property
    def name(self) -> str:
        return self.gauge.name

    @property
    def identity(self) -> str:
        return f"{self.gauge.id} {self.gauge.mode} prior {self.gauge.prior!r}"

    @property
    def facts(self) -> dict[str, Any]:
        manifest = self.gauge.manifest
        return {
            "kind": "gauge",
            "id": self.gauge.id,
            "runs in": self.gauge.mode,
            "licence": manifest.licence,
            "direction": DIRECTION,
            "scale": "log_odds",
            "border": 0.0,
            "thresholds": {
                each.name: {"cost": self.gauge.threshold(each.name), "promise": each.promise}
                for each in manifest.thresholds
            },
        }

    def costs(self, batch: Batch, *, progress: bool = False) -> Scored:
        manifest = self.gauge.manifest
        if not (names := manifest.category_names) and not manifest.members:
            return Scored(self.gauge.score(batch.exchanges, progress=progress))
        costs, chances, apart = [], [], []
        for verdict in self.gauge.verdicts(batch.exchanges, progress=progress):
            costs.append(_number(verdict.cost))
            apart.append(_number(verdict.uncertainty))
            given = verdict.categories or {}
            chances.append([given.get(name, np.nan) for name in names])
        columns = np.array(chances, np.float64).reshape(len(chances), len(names)).T
        return Scored(
            np.array(costs, np.float64),
            categories=dict(zip(names, columns, strict=True)),
            uncertainty=np.array(apart, np.float64) if manifest.members else None,
        )


def _number(value: float | None) -> float:
    return np.nan if value is None else value
