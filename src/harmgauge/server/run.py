"""The server as a process."""

from __future__ import annotations

import contextlib
import socket

import uvicorn
from fastapi import FastAPI

from ..errors import RecipeError
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
        http=Protocol.with_timeouts(settings.read_timeout_s, settings.request_timeout_s),
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
        HarmgaugeError: settings, policy or keys are not valid or do not go together, the address
            cannot be listened on, or the gauge cannot be loaded.
    """
    server, app = server_of(settings)
    logs.configure()
    # The interrupt is what uvicorn passes on once it has stopped.
    with _listening(settings) as listener, contextlib.suppress(KeyboardInterrupt):
        server.run([listener])
    if failure := app.state.judge.batcher.failure:
        raise failure


def _listening(settings: Settings) -> socket.socket:
    """A socket; uvicorn's own would only log what is wrong.

    Raises:
        RecipeError: there is no such address here, or its port is taken.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = socket.create_server((settings.host, settings.port), family=family)
    except (OSError, TypeError) as error:
        why = getattr(error, "strerror", None) or "there is no such name"
        reason = why.partition(" (")[0].lower()
        raise RecipeError(
            f"cannot listen on host {settings.host}, port {settings.port}: {reason}; give another "
            "--port or --host"
        ) from None
    host = f"[{settings.host}]" if family == socket.AF_INET6 else settings.host
    logs.logger.info("running on http://%s:%s", host, listener.getsockname()[1])
    return listener
