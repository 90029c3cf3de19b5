"""The server as a process."""

from __future__ import annotations

import uvicorn

from . import logs
from .app import create_app
from .protocol import Protocol
from .settings import Settings


def server_of(settings: Settings) -> uvicorn.Server:
    """A server that is not started yet.

    Raises:
        RecipeError: settings, policy or keys are not valid, or do not go together.
    """

    def stop() -> None:
        server.should_exit = True

    config = uvicorn.Config(
        create_app(settings, on_failure=stop),
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
    return server


def run(settings: Settings) -> None:
    """Serve until told to stop by SIGINT or SIGTERM.

    Raises:
        HarmgaugeError: as for `server_of`; or the gauge cannot be loaded.
    """
    server = server_of(settings)
    logs.configure()
    server.run()
    if failure := server.config.app.state.judge.batcher.failure:
        raise failure
