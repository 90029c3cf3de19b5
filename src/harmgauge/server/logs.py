"""Logs as JSON, one line an event. They tell what happened, and never what was said.

Of an exception the type and the place are told, not its message: that may quote its input.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from typing import Any

logger = logging.getLogger("harmgauge.server")


class JsonFormatter(logging.Formatter):
    """Time, level, event, and the fields given as `extra={"fields": {…}}`."""

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and (error := record.exc_info[1]) is not None:
            line["exception"] = type(error).__name__
            line["at"] = [
                f"{frame.filename}:{frame.lineno} {frame.name}"
                for frame in traceback.extract_tb(error.__traceback__)
            ]
        return json.dumps(line)


class OnceASecond(logging.Filter):
    """Drops what was said in the same words just before: where no more connections can be opened,
    asyncio says so thousands of times a second."""

    _last: tuple[str, int] | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        said = record.getMessage(), int(record.created)
        repeated, self._last = said == self._last, said
        return not repeated


def configure() -> None:
    """Have everything that logs do so on stderr, as JSON."""
    logging.getLogger("asyncio").addFilter(OnceASecond())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
