"""The application: layers around routes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.routing import APIRoute
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

from .. import __version__
from ..gauge import Gauge
from . import about, openai, scoring
from .auth import Auth
from .docs import add_docs
from .errors import ApiError, ErrorAnswer, add_handlers
from .hosts import Hosts
from .judging import Judge
from .limits import Limits
from .observe import Observe
from .settings import Settings

_DESCRIPTION = (
    "How harmful is it? Costs are calibrated log-odds of unsafe: below 0 safe, above 0 unsafe."
)


def create_app(
    settings: Settings,
    gauge: Gauge | None = None,
    on_failure: Callable[[], None] = lambda: None,
) -> FastAPI:
    """The server as an ASGI application.

    Args:
        settings: what it is told.
        gauge: None loads that of the settings once the application starts.
        on_failure: called when no gauge could be loaded; `app.state.judge.batcher.failure` says
            why.

    Raises:
        RecipeError: settings, policy or keys are not valid, or do not go together.
    """
    judge = Judge(settings, gauge)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        judge.batcher.start(on_failure)
        yield
        await judge.batcher.close()

    app = FastAPI(
        title="harmgauge",
        description=_DESCRIPTION,
        version=__version__,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        responses={"default": {"model": ErrorAnswer, "description": "What went wrong."}},
        middleware=[
            Middleware(Observe, metrics=judge.metrics, route=lambda path: _route(app, path)),
            Middleware(Hosts, allowed=settings.allowed_hosts),
            *_cors(settings),
            Middleware(Auth, keys=settings.all_keys()),
            Middleware(Limits, settings=settings),
        ],
    )
    app.state.judge = judge
    app.router.route_class = _StrictRoute
    add_handlers(app)
    for part in (scoring, openai, about):
        app.include_router(part.routes(judge))
    add_docs(app)
    page = StaticFiles(packages=[(__package__, "page")])
    app.mount("/page", page)

    @app.get("/", include_in_schema=False)
    async def index() -> FileResponse:
        path, _ = page.lookup_path("index.html")
        return FileResponse(path)

    return app


class _StrictRequest(Request):
    """JSON as its standard has it: UTF-8, no NaN, no nesting without end."""

    async def json(self) -> Any:
        try:
            return json.loads((await self.body()).decode("utf-8"), parse_constant=_refuse)
        except (ValueError, RecursionError):
            raise ApiError(
                400,
                "the body is not valid JSON: it must be UTF-8, without NaN and Infinity, and not "
                "nested too deep",
                code="invalid_json",
            ) from None


class _StrictRoute(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return strict


def _refuse(constant: str) -> None:
    raise ValueError


def _cors(settings: Settings) -> list[Middleware]:
    if not settings.cors_origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST"),
            allow_headers=("Authorization", "Content-Type"),
            expose_headers=("X-Request-ID", "Retry-After"),
        )
    ]


def _route(app: FastAPI, path: str) -> str:
    """The route that a path belongs to; `other` for paths that are none of ours."""
    known = {getattr(route, "path", "") for route in app.routes}
    if path in known:
        return path
    return next((f"/{top}" for top in ("page", "docs") if path.startswith(f"/{top}/")), "other")
