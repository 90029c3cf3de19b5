"""Routes that tell of the server: `/info`, `/healthz`, `/readyz`, `/metrics`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from starlette.responses import JSONResponse, Response

from .. import __version__
from ..bundle import Manifest
from ..exchange import KINDS
from ..gauge import Gauge
from .bodies import PolicyVersion
from .judging import Judge
from .metrics import CONTENT_TYPE


class ThresholdInfo(BaseModel):
    name: str
    cost: float
    """at the server's prior"""
    cost_by_kind: dict[str, float] | None = None
    """of kinds of input for which it lies elsewhere"""
    kinds: list[str]
    """of input that its promise rests on"""
    false_positive_rate: float
    confidence: float
    data: str
    n: int


class Curve(BaseModel):
    """Errors at each cost that could be a threshold, on stored validation data."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    data: str
    safe: int
    unsafe: int
    cost: list[float]
    false_alarms: list[float]
    """share of safe texts with that cost or a higher one"""
    misses: list[float]
    """share of unsafe texts with a lower cost"""


class LimitsInfo(BaseModel):
    max_body_bytes: int
    max_exchanges: int
    max_characters: int
    request_timeout_s: float


class Info(BaseModel):
    gauge: str
    name: str
    description: str
    licence: str
    """of the weights"""
    sha256: str
    """of the manifest but for curves and tests, with that of each file but the card in it; the
    gauge's id begins so"""
    direction: str
    prior: float
    categories: list[str]
    threshold: float | str | None
    """where a request names none; null is a cost of 0"""
    thresholds: list[ThresholdInfo]
    curves: dict[str, Curve] | None
    limits: LimitsInfo
    policy: PolicyVersion | None
    version: str
    """of harmgauge"""


class Status(BaseModel):
    status: str


def routes(judge: Judge) -> APIRouter:
    router = APIRouter()

    @router.get("/info", response_model=Info)
    async def info() -> JSONResponse:
        """The gauge, its licence, thresholds and limits."""
        gauge, settings = judge.gauge, judge.settings
        curves = {kind: asdict(curve) for kind, curve in gauge.curves().items()}
        return JSONResponse(
            {
                "gauge": gauge.id,
                "name": gauge.name,
                "description": _description(gauge.manifest),
                "licence": gauge.manifest.licence,
                "sha256": gauge.manifest.sha256,
                "direction": gauge.manifest.direction,
                "prior": gauge.prior,
                "categories": list(gauge.manifest.category_names),
                "threshold": judge.threshold(None),
                "thresholds": _thresholds(gauge),
                "curves": curves or None,
                "limits": {name: getattr(settings, name) for name in LimitsInfo.model_fields},
                "policy": {"version": judge.policy.version} if judge.policy else None,
                "version": __version__,
            }
        )

    @router.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """For Prometheus."""
        return Response(judge.metrics.text(), media_type=CONTENT_TYPE)

    return router


def probes(judge: Judge) -> APIRouter:
    """What needs no key."""
    router = APIRouter()

    @router.get("/healthz", response_model=Status)
    async def healthz() -> JSONResponse:
        """The process answers."""
        return JSONResponse({"status": "ok"})

    @router.get("/readyz", response_model=Status)
    async def readyz() -> JSONResponse:
        """The gauge is loaded and has judged something; 503 until then."""
        _ = judge.gauge  # raises until then
        return JSONResponse({"status": "ready"})

    return router


def _thresholds(gauge: Gauge) -> list[dict[str, Any]]:
    entries = []
    for stored in gauge.manifest.thresholds:
        entry: dict[str, Any] = {"name": stored.name, "cost": gauge.threshold(stored.name)}
        # A prior moves the scale of each kind from where it was.
        by_kind = {kind: gauge.threshold(stored.name, kind) for kind in KINDS}
        if differing := {kind: cost for kind, cost in by_kind.items() if cost != entry["cost"]}:
            entry["cost_by_kind"] = differing
        entry["kinds"] = [kind for kind in KINDS if stored.promises(kind)]
        for key in ("false_positive_rate", "confidence", "data", "n"):
            entry[key] = getattr(stored, key)
        entries.append(entry)
    return entries


def _description(manifest: Manifest) -> str:
    base = manifest.base.get("name") or "a model of its own"
    return f"on {base}, trained with {manifest.rows_in_words}"
