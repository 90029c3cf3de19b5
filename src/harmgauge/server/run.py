"""The server as a process."""

from __future__ import annotations

import contextlib

import uvicorn
from fastapi import FastAPI

from ..gauge import Gauge
from . import logs
from .app import create_app
from .protocol import Protocol
from .settings import Settings


def server_of(settings: Settings, gauge: Gauge | None = None) -> tuple[uvicorn.Server, FastAPI]:
    """A server that is not started yet, and its application.

    Arguments and errors as for `create_app`.
    """

    def stop() -> None:
        server.should_exit = True

    app = create_app(settings, gauge, on_failure=stop)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=Protocol.with_timeout(settings.read_timeout_s),
        ws="none",
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=max(1, round(settings.shutdown_timeout_s)),
    )
    server = uvicorn.Server(config)
    return server, app


def run(settings: Settings) -> None:
    """Serve until told to stop by SIGINT or SIGTERM.

    Raises:
        HarmgaugeError: settings, policy or keys are not valid or do not go together, or the gauge
            cannot be loaded.
    """
    server, app = server_of(settings)
    logs.configure()
    with contextlib.suppress(KeyboardInterrupt):  # which uvicorn passes on once it has stopped
        server.run()
    if failure := app.state.judge.batcher.failure:
        raise failure
