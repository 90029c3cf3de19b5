"""JSON bodies as the standard has them: UTF-8, no NaN, no key twice, no nesting without end.

Lists are counted before anything looks into them: checking each of a million entries would hold up
all others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from .bodies import FIELDS
from .errors import ApiError


def route_class(max_entries: int) -> type[APIRoute]:
    """A class of routes that take nothing else, and no list of more entries."""

    class StrictRequest(Request):
        async def json(self) -> Any:
            if self.headers.get("content-encoding", "identity").lower() != "identity":
                raise ApiError(
                    415,
                    "the body is compressed; send it as it is, without a Content-Encoding",
                    code="unsupported_encoding",
                    headers={"Accept-Encoding": "identity"},
                )
            value = _read(await self.body())
            if isinstance(value, dict):
                _check_lists(value, max_entries)
            return value

    class StrictRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def strict(request: Request) -> Response:
                return await handle(StrictRequest(request.scope, request.receive))

            return strict

    return StrictRoute


def _read(body: bytes) -> Any:
    try:
        # Some programs for Windows begin each file with a byte order mark.
        text = body.decode("utf-8-sig")
        return json.loads(text, parse_constant=_refuse, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise ApiError(
            400,
            "the body is not valid JSON: it must be UTF-8, without NaN and Infinity, not nested "
            "too deep, and have no key twice",
            code="invalid_json",
        ) from None


def _check_lists(body: dict[str, Any], most: int) -> None:
    for name, value in body.items():
        if name in FIELDS and isinstance(value, list) and len(value) > most:
            raise ApiError(
                413,
                f"{name} has {len(value)} entries, and {most} are the most; send them in several "
                "requests",
                code="too_many",
                param=name,
            )


def _refuse(constant: str) -> None:
    raise ValueError


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of a key that stands twice another reader, such as a filter before us, may take the first."""
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError
    return values
