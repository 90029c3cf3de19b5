"""JSON bodies as the standard has them: UTF-8, no NaN, no nesting without end."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from .errors import ApiError


class _StrictRequest(Request):
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


class StrictRoute(APIRoute):
    """A route that takes nothing else."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return strict


def _refuse(constant: str) -> None:
    raise ValueError
