"""What a request may take: bytes, time, and a place among those in work."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .asgi import PROBES, GoneError, header, parts, refuse
from .errors import ApiError, try_again
from .settings import Settings

# A server that is busy is not to be taken for dead and started anew.
_ALWAYS = (*PROBES, "/metrics")


class Limits:
    """Reads a body within its limits before the app sees any of it, runs the app within its time,
    and cancels it when the client goes away."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._in_work = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        if scope["path"] in _ALWAYS:
            return await self._run(scope, receive, send)
        if self._in_work >= self._settings.max_requests:
            busy = try_again("too many requests are in work", 1)
            return await refuse(busy, self._settings.read_timeout_s, receive, send)
        self._in_work += 1
        try:
            await self._run(scope, receive, send)
        finally:
            self._in_work -= 1

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await self._read(scope, receive)
        except GoneError:
            return
        except ApiError as error:
            return await refuse(error, self._settings.read_timeout_s, receive, send)
        sent = iter([{"type": "http.request", "body": body, "more_body": False}])
        gone = asyncio.Event()
        started = False

        async def given() -> Message:
            if (message := next(sent, None)) is not None:
                return message
            await gone.wait()
            return {"type": "http.disconnect"}

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            gone.set()

        work = asyncio.ensure_future(self._app(scope, given, noted))
        watcher = asyncio.ensure_future(watch())
        try:
            await asyncio.wait(
                {work, watcher},
                timeout=self._settings.request_timeout_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            watcher.cancel()
            if not work.done():
                work.cancel()
        try:
            await work
        except asyncio.CancelledError:
            if not work.cancelled():
                raise
            if not (gone.is_set() or started):
                late = try_again("the request took longer than it may", 5, "timeout")
                await late.response()(scope, receive, send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes:
        """The whole body.

        Raises:
            ApiError: it is too long, too slow, or of two lengths.
            GoneError: the client went away.
        """
        most = self._settings.max_body_bytes
        too_long = ApiError(
            413,
            f"the body has more than {most} bytes; send less at a time",
            code="body_too_large",
        )
        length = header(scope, b"content-length")
        if length is not None and length.isdecimal() and int(length) > most:
            raise too_long
        chunked = header(scope, b"transfer-encoding") is not None
        if length is not None and chunked:  # a proxy before us may take the other one
            raise ApiError(
                400,
                "Content-Length and Transfer-Encoding do not go together; send one of them",
                code="two_lengths",
            )
        if length is None and not chunked:
            return b""
        body = bytearray()
        try:
            async with asyncio.timeout(self._settings.read_timeout_s):
                async for part in parts(receive):
                    body += part
                    if len(body) > most:
                        raise too_long
        except TimeoutError:
            raise ApiError(
                408,
                f"the body did not arrive within {self._settings.read_timeout_s:g} s",
                code="read_timeout",
            ) from None
        return bytes(body)
