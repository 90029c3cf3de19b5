"""One envelope for every error, as OpenAI's clients read it. None quotes a user's text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import JSONResponse

from .bodies import FIELDS


class ErrorBody(BaseModel):
    message: str
    type: str
    param: str | None
    code: str | None


class ErrorAnswer(BaseModel):
    error: ErrorBody


class ApiError(HTTPException):
    """Something that the client is told.

    Args:
        status: of HTTP.
        message: one sentence, the mend included.
        code: a word for programs.
        param: the place in the body that is meant, such as `exchanges.3`.
        headers: to send along.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, message, dict(headers or {}))
        self.code, self.param = code, param

    @property
    def kind(self) -> str:
        if self.status_code >= 500:
            return "server_error"
        return {401: "authentication_error", 429: "rate_limit_error"}.get(
            self.status_code, "invalid_request_error"
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "error": {
                "message": self.detail,
                "type": self.kind,
                "param": self.param,
                "code": self.code,
            }
        }

    def response(self) -> JSONResponse:
        return JSONResponse(self.to_dict(), self.status_code, self.headers)


def try_again(what: str, seconds: float, code: str = "overloaded") -> ApiError:
    """The server cannot do this now; it may be able to after so many seconds."""
    wait = str(max(1, round(seconds)))
    return ApiError(503, f"{what}; try again in {wait} s", code=code, headers={"Retry-After": wait})


def add_handlers(app: FastAPI) -> None:
    """Have the app answer with the envelope whatever goes wrong in a route."""

    @app.exception_handler(ApiError)
    async def told(request: Request, error: ApiError) -> JSONResponse:
        return error.response()

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return _of_validation(error.errors()).response()

    @app.exception_handler(StarletteHTTPException)
    async def http(request: Request, error: StarletteHTTPException) -> JSONResponse:
        phrase = HTTPStatus(error.status_code).phrase
        code = phrase.lower().replace(" ", "_")
        told = ApiError(error.status_code, phrase, code=code, headers=error.headers)
        return told.response()


def _of_validation(problems: Sequence[Any]) -> ApiError:
    """The first problem; of keys that the client chose nothing is told, they may be a text."""
    problem = problems[0]
    place = [part for part in problem["loc"][1:] if isinstance(part, int) or part in FIELDS]
    where = ".".join(map(str, place)) or None
    if problem["loc"] == ("body",) and problem["type"] != "extra_forbidden":
        message = "the body must be a JSON object, with the header Content-Type: application/json"
    else:
        text = problem["msg"].removeprefix("Value error, ")
        message = f"{where or 'the body'}: {text[:1].lower()}{text[1:]}"
    return ApiError(400, message, code=problem["type"], param=where)
