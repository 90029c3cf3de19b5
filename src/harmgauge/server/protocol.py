"""Uvicorn's HTTP with two more things: a time limit on headers, and our envelope for what is no
HTTP."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from .errors import ApiError


class Protocol(H11Protocol):
    """One connection. `with_timeout` makes the class that uvicorn is given."""

    header_timeout_s = 10.0
    _timer: asyncio.TimerHandle | None = None

    @classmethod
    def with_timeout(cls, seconds: float) -> type[Protocol]:
        return type("Protocol", (cls,), {"header_timeout_s": seconds})

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_headers()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._wait_for_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_waiting()

    def send_400_response(self, msg: str) -> None:
        self._answer(ApiError(400, "this is not valid HTTP", code="invalid_http"))

    def _wait_for_headers(self) -> None:
        """Limit the time from the first byte of a request, or from connecting, to the end of its
        headers; between requests uvicorn's keep-alive timer runs."""
        if self.conn.their_state is not h11.IDLE or self.transport.is_closing():
            self._stop_waiting()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.header_timeout_s, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if self.conn.trailing_data[0]:
            message = f"the headers did not arrive within {self.header_timeout_s:g} s"
            self._answer(ApiError(408, message, code="read_timeout"))
        else:  # not even begun
            self.transport.close()

    def _answer(self, error: ApiError) -> None:
        """Say it and close; where an answer is under way already, only close."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()
            return
        body = json.dumps(error.to_dict()).encode()
        headers: list[Any] = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        for event in (
            h11.Response(status_code=error.status_code, headers=headers),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
