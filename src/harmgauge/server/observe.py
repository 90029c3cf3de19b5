"""What is done for every request: its id, a log line, metrics, headers for browsers, and an answer
where all else failed."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .asgi import PROBES, header
from .errors import ApiError, try_again
from .logs import logger
from .metrics import Metrics

GONE = 499
"""the status that logs and metrics give to a request whose client went away"""

_POLICY = "; ".join(
    (
        "default-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "object-src 'none'",
    )
)
# Swagger UI sets styles of its own, and has its pictures in them.
_DOCS_POLICY = f"{_POLICY}; style-src 'self' 'unsafe-inline'; img-src 'self' data:"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"})


class Observe:
    """The outermost layer.

    Args:
        route: the name that logs and metrics give to a path; never the path itself, which the
            client chose.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, route: Callable[[str], str]) -> None:
        self._app, self._metrics, self._route = app, metrics, route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        started = time.perf_counter()
        status = GONE
        given = header(scope, b"x-request-id") or ""
        request_id = given if _ID.fullmatch(given) else uuid.uuid4().hex

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                docs = scope["path"].startswith("/docs")
                headers["Content-Security-Policy"] = _DOCS_POLICY if docs else _POLICY
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        # A HEAD is a GET whose body uvicorn leaves out.
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        try:
            await self._app({**scope, "method": method}, receive, noted)
        except asyncio.CancelledError:  # by uvicorn, once shutdown_timeout_s is over
            if status == GONE:
                stopping = try_again("the server is stopping", 5)
                await stopping.response()(scope, receive, noted)
        except Exception as error:
            logger.error("request failed", exc_info=error, extra={"fields": {"id": request_id}})
            if status == GONE:
                failed = ApiError(
                    500, "the server failed; its log has the request id", code="internal_error"
                )
                await failed.response()(scope, receive, noted)
        finally:
            seconds = time.perf_counter() - started
            route = self._route(scope["path"])
            self._metrics.request(route, status, seconds)
            fields = {
                "id": request_id,
                "method": scope["method"] if scope["method"] in _METHODS else "other",
                "route": route,
                "status": status,
                "ms": round(1000 * seconds, 1),
            }
            level = logging.DEBUG if route in PROBES else logging.INFO  # probes come all the time
            logger.log(level, "request", extra={"fields": fields})
