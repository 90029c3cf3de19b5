"""Small help for middlewares."""

from __future__ import annotations

from starlette.types import Scope

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
