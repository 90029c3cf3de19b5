"""The Host header, against DNS rebinding: a web page whose name is made to point here."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from .asgi import PROBES, header, refuse
from .errors import ApiError

_HOST = re.compile(r"(?:(?P<name>[\w.-]+)|\[(?P<ipv6>[\da-f:.]+)\])(?::\d{1,5})?", re.A | re.I)


class Hosts:
    """Lets through what was addressed to localhost, to an IP address (which no name can be made
    to point at) or to a name that is allowed; and probes, which tell nothing."""

    def __init__(self, app: ASGIApp, allowed: Iterable[str], linger_s: float) -> None:
        self._app, self._linger_s = app, linger_s
        self._allowed = {"localhost", *(name.lower() for name in allowed)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] != "http"
            or "*" in self._allowed
            or scope["path"] in PROBES
            or self._fits(header(scope, b"host") or "")
        ):
            return await self._app(scope, receive, send)
        refused = ApiError(
            421,
            "this server does not answer to the name in the Host header; the setting "
            "allowed_hosts adds names",
            code="host_not_allowed",
        )
        await refuse(refused, self._linger_s, receive, send)

    def _fits(self, host: str) -> bool:
        if (split := _HOST.fullmatch(host)) is None:
            return False
        name = (split["name"] or split["ipv6"]).lower()
        if name in self._allowed or name.endswith(".localhost"):
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True
