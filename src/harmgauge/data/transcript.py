"""Anthropic HH transcripts (`\\n\\nHuman: …\\n\\nAssistant: …`) and message lists to exchanges."""

from __future__ import annotations

import re
from typing import Any

from ..errors import DataError
from ..exchange import Exchange

_TURN = re.compile(r"(?:^|\n\n)(Human|Assistant):")


def read_transcript(value: Any, column: str) -> Exchange:
    """The last assistant turn on trial, in the light of all turns before it.

    Raises:
        DataError: there is no turn, text stands before the first, or the last is not a reply.
    """
    if isinstance(value, list):
        exchange = Exchange.from_messages(value)
    elif isinstance(value, str):
        before, *parts = _TURN.split(value)
        if before.strip() or not parts:
            raise DataError(f"column {column!r} does not begin with a Human: or Assistant: turn")
        exchange = Exchange.from_messages(
            [
                {"role": role, "content": text.strip()}
                for role, text in zip(parts[::2], parts[1::2], strict=True)
            ]
        )
    else:
        raise DataError(f"column {column!r} must be a transcript or a list of messages")
    if exchange.response is None:
        raise DataError(f"column {column!r} ends in a human turn; there is no reply to judge")
    return exchange
