"""API keys."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from .asgi import header, is_open, refuse
from .errors import ApiError


class Auth:
    """Lets calls through that carry a key: `Authorization: Bearer KEY`. Without keys, all."""

    def __init__(self, app: ASGIApp, keys: Iterable[str], linger_s: float) -> None:
        self._app, self._linger_s = app, linger_s
        self._digests = [_digest(key) for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] != "http"
            or not self._digests
            or is_open(scope["path"])
            or self._holds(header(scope, b"authorization") or "")
        ):
            return await self._app(scope, receive, send)
        given = header(scope, b"authorization") is not None
        refused = ApiError(
            401,
            ("this is no key of this server" if given else "this server needs a key")
            + ": send the header Authorization: Bearer KEY",
            code="invalid_api_key",
            headers={"WWW-Authenticate": "Bearer"},
        )
        await refuse(refused, self._linger_s, receive, send)

    def _holds(self, authorization: str) -> bool:
        scheme, _, key = authorization.partition(" ")
        given = _digest(key.strip())
        # All are compared, and digests of one length: the time tells nothing of the keys.
        found = [hmac.compare_digest(given, each) for each in self._digests]
        return scheme.lower() == "bearer" and any(found)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
