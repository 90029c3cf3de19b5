"""Small help for middlewares."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.types import Receive, Scope, Send

from .errors import ApiError

PROBES = ("/healthz", "/readyz")
_OPEN = ("/", "/openapi.json", *PROBES)
_OPEN_BELOW = ("/page/", "/docs")


def is_open(path: str) -> bool:
    """Whether a path tells nothing that needs a key: the page, the docs, and probes."""
    return path in _OPEN or path.startswith(_OPEN_BELOW)


def header(scope: Scope, name: bytes) -> str | None:
    """The one value of a header; None where it is missing or stands twice."""
    found = [value for key, value in scope["headers"] if key == name]
    return found[0].decode("latin-1") if len(found) == 1 else None


class GoneError(Exception):
    """The client went away."""


async def parts(receive: Receive) -> AsyncIterator[bytes]:
    """A request's body as it arrives.

    Raises:
        GoneError: the client went away.
    """
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise GoneError
        yield message.get("body", b"")
        if not message.get("more_body", False):
            return


async def refuse(error: ApiError, seconds: float, receive: Receive, send: Send) -> None:
    """Answer at once, and close.

    What the client still sends is read and thrown away for so many seconds: one that is cut off
    while it sends may never see the answer.
    """
    response = error.response()
    response.headers["Connection"] = "close"
    start = {"status": response.status_code, "headers": response.raw_headers}
    await send({"type": "http.response.start", **start})
    body = bytes(response.body)
    await send({"type": "http.response.body", "body": body, "more_body": True})
    if response.status_code != 408:
        try:
            async with asyncio.timeout(seconds):
                async for _ in parts(receive):
                    pass
        except (TimeoutError, GoneError):
            pass
    await send({"type": "http.response.body", "body": b"", "more_body": False})
