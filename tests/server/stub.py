"""A small server that speaks the HTTP contract, for the page's tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from fastapi import FastAPI, Request
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

import harmgauge

PAGE = Path(harmgauge.__file__).parent / "server" / "page"


def curve():
    random = np.random.default_rng(0)
    safe, unsafe = random.normal(-2, 1.6, 568), random.normal(1.6, 1.8, 410)
    costs = np.sort(np.concatenate([safe, unsafe]))
    return {
        "data": "validation prompts",
        "safe": safe.size,
        "unsafe": unsafe.size,
        "cost": costs.tolist(),
        "false_alarms": [float((safe >= cost).mean()) for cost in costs],
        "misses": [float((unsafe < cost).mean()) for cost in costs],
    }


def make_app(gauge):
    app = FastAPI()

    @app.middleware("http")
    async def policy(request: Request, call_next):
        response = await call_next(request)
        response.headers["Content-Security-Policy"] = "default-src 'self'"
        return response

    @app.get("/")
    def index():
        return FileResponse(PAGE / "index.html")

    @app.get("/info")
    def info():
        kinds = {"prompts": "prompt", "responses": "exchange"}
        return {
            "gauge": gauge.id,
            "name": gauge.name,
            "description": "the embedded gauge",
            "licence": gauge.manifest.licence,
            "sha256": "0" * 64,
            "direction": gauge.manifest.direction,
            "prior": gauge.prior,
            "categories": list(gauge.manifest.outputs[1:]),
            "thresholds": [
                {**each.in_a_table(), "kind": kinds[each.name.split("_")[0]]}
                for each in gauge.manifest.thresholds
            ],
            "curves": {"prompt": curve(), "exchange": curve()},
            "limits": {"max_body_bytes": 1 << 20, "max_exchanges": 100},
            "policy": None,
            "version": harmgauge.__version__,
        }

    @app.post("/v1/score")
    def score(body: dict):
        verdicts = gauge.verdicts(body["exchanges"], body.get("threshold"))
        return {
            "verdicts": [verdict.to_dict() for verdict in verdicts],
            "gauge": gauge.id,
            "direction": gauge.manifest.direction,
        }

    @app.post("/v1/rank")
    def rank(body: dict):
        ranking = gauge.rank(body["prompt"], body["responses"])
        return {"ranking": [{"index": i, "cost": cost} for i, cost in ranking]}

    app.mount("/page", StaticFiles(directory=PAGE))
    return app
