"""The application: layers around routes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from fastapi.security import HTTPBearer
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles

from .. import __version__
from ..gauge import Gauge
from . import about, openai, scoring
from .auth import Auth
from .docs import add_docs
from .errors import ErrorAnswer, add_handlers
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
    keys = settings.all_keys()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        judge.batcher.start(on_failure)
        yield
        await judge.batcher.close()

    def route(path: str) -> str:
        return _route(app, path)

    app = FastAPI(
        title="harmgauge",
        description=_DESCRIPTION,
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # to a URL that the Host header makes up, and never to https
        lifespan=lifespan,
        responses={"default": {"model": ErrorAnswer, "description": "What went wrong."}},
        middleware=[
            Middleware(Observe, metrics=judge.metrics, route=route),
            Middleware(Hosts, allowed=settings.allowed_hosts, linger_s=settings.read_timeout_s),
            *_cors(settings),
            Middleware(Auth, keys=keys, linger_s=settings.read_timeout_s),
            Middleware(Limits, settings=settings),
        ],
    )
    app.state.judge = judge
    add_handlers(app)
    # Says in the description that a key is needed; `Auth` sees to it.
    key = [Depends(HTTPBearer(auto_error=False))] if keys else []
    for part in (scoring, openai, about):
        app.include_router(part.routes(judge), dependencies=key)
    app.include_router(about.probes(judge))
    add_docs(app)
    page = StaticFiles(packages=[(__package__, "page")])
    app.mount("/page", page)

    @app.get("/", include_in_schema=False)
    async def index() -> FileResponse:
        path, _ = page.lookup_path("index.html")
        return FileResponse(path)

    return app


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
    if path in app.openapi()["paths"] or path in ("/", "/docs", "/openapi.json"):
        return path
    return next((f"/{top}" for top in ("page", "docs") if path.startswith(f"/{top}/")), "other")
