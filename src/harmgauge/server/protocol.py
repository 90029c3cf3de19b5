"""Uvicorn's HTTP with more limits, and our envelope for what is no HTTP."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from .errors import ApiError

# Many small chunks of a body may lie in one read, and nothing else runs until all are parsed.
_READ_BYTES = 1 << 14


class Protocol(H11Protocol, asyncio.BufferedProtocol):
    """One connection. `with_timeouts` makes the class that uvicorn is given."""

    header_timeout_s = 10.0
    answer_timeout_s = 30.0
    _header_timer: asyncio.TimerHandle | None = None
    _answer_timer: asyncio.TimerHandle | None = None
    _over = False

    @classmethod
    def with_timeouts(cls, headers: float, answer: float) -> type[Protocol]:
        """Seconds for headers to arrive, and for a client to take what it is sent."""
        limits = {"header_timeout_s": headers, "answer_timeout_s": answer}
        return type("Protocol", (cls,), limits)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._buffer = bytearray(_READ_BYTES)
        # So that uvicorn, and the timer, learn of whatever a client does not take.
        transport.set_write_buffer_limits(high=0)
        self._wait_for_headers()

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(self._buffer[:nbytes]))

    def data_received(self, data: bytes) -> None:
        if self._over:  # thrown away: a client that is cut off while it sends may see no answer
            return
        super().data_received(data)
        self._wait_for_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._header_timer = _stop(self._header_timer)
        self._answer_timer = _stop(self._answer_timer)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._answer_timer = self.loop.call_later(self.answer_timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._answer_timer = _stop(self._answer_timer)

    def send_400_response(self, msg: str) -> None:
        error = sys.exc_info()[1]
        if isinstance(error, h11.RemoteProtocolError) and error.error_status_hint == 431:
            too_long = "the path and the headers are too long; send texts in the body"
            self._answer(ApiError(431, too_long, code="headers_too_large"))
        else:
            self._answer(ApiError(400, "this is not valid HTTP", code="invalid_http"))

    def _wait_for_headers(self) -> None:
        """Limit the time from the first byte of a request, or from connecting, to the end of its
        headers; between requests uvicorn's keep-alive timer runs."""
        if self._over:
            return
        if self.conn.their_state is not h11.IDLE or self.transport.is_closing():
            self._header_timer = _stop(self._header_timer)
        elif self._header_timer is None:
            self._header_timer = self.loop.call_later(self.header_timeout_s, self._too_slow)

    def _too_slow(self) -> None:
        self._header_timer = None
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
        self._over = True
        self.transport.write_eof()
        self._header_timer = _stop(self._header_timer)
        self._header_timer = self.loop.call_later(self.header_timeout_s, self.transport.close)


def _stop(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    """None, in place of a timer that is cancelled."""
    if timer is not None:
        timer.cancel()
    return None
