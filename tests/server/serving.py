"""Servers in process and on a loopback port, with a gauge that is arithmetic."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time

import httpx
from arithmetic import make_gauge
from starlette.testclient import TestClient

from harmgauge.server.app import create_app
from harmgauge.server.run import server_of
from harmgauge.server.settings import Settings


@contextlib.contextmanager
def serving(gauge=None, **settings):
    """A client of an app in this process, once its gauge is ready."""
    app = create_app(Settings(**settings), gauge or make_gauge())
    with TestClient(app, base_url="http://localhost") as client:
        wait_for(lambda: client.get("/readyz").status_code == 200)
        yield client


class Live:
    """A server on a loopback port, in a thread."""

    def __init__(self, gauge, settings):
        self.server, self.app = server_of(settings, gauge)
        self.thread = threading.Thread(target=self.server.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        wait_for(lambda: self.server.started)
        self.port = self.server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        # One client: each loads all certificates that it might need.
        self.client = httpx.Client(base_url=self.url, timeout=60)
        wait_for(lambda: self.client.get("/readyz").status_code == 200)
        return self

    def __exit__(self, *_):
        self.client.close()
        self.server.should_exit = True
        self.thread.join(30)
        assert not self.thread.is_alive()


def live(gauge=None, **settings):
    return Live(gauge or make_gauge(), Settings(port=0, **settings))


def texts():
    """200 harmless ones."""
    who = ("I", "We", "They", "My neighbours", "The children")
    what = ("baked bread", "planted a tree", "fixed the old bicycle", "watched the rain 🌧")
    when = ("yesterday", "in spring", "before breakfast", "last year", "on a quiet Sunday")
    why = ("because it was fun", "and it took hours. " * 9)
    return [" ".join(parts) for parts in itertools.product(who, what, when, why)]


def wait_for(condition, seconds=20):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.01)


def envelope(response, status, code=None, param=None):
    """The error of an answer, which has the one form and that status."""
    assert response.status_code == status, response.text
    assert response.json().keys() == {"error"}
    error = response.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    if code is not None:
        assert (error["code"], error["param"]) == (code, param)
    return error
