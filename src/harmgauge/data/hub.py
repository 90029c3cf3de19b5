"""Data sets of the Hugging Face Hub: the one part of reading that touches the network."""

from __future__ import annotations

from typing import Any

from ..errors import DataError, needs_extra

HUB = "hub:"
"""Prefix by which a Hub id is asked for, so that a mistyped path never goes out."""


def hub_records(address: str) -> tuple[str, str, list[dict[str, Any]]]:
    """Load `hub:OWNER/NAME[:SPLIT]` (split train where none is named).

    Returns:
        The Hub id, the split and its records.

    Raises:
        DataError: the address is malformed, or the data set cannot be reached or has no such split.
    """
    hub_id, _, split = address.removeprefix(HUB).partition(":")
    split = split or "train"
    if hub_id.count("/") > 1 or not hub_id:
        raise DataError(
            f"{address!r} is no Hub address; write hub:OWNER/NAME or hub:OWNER/NAME:SPLIT"
        )
    try:
        import datasets
    except ImportError as error:
        raise needs_extra("train", "reading from the Hub") from error
    try:
        return hub_id, split, list(datasets.load_dataset(hub_id, split=split))
    except Exception as error:  # the library raises dozens of types, most for want of a network
        raise DataError(
            f"Hub data set {hub_id}, split {split}, could not be fetched ({type(error).__name__}): "
            "check the name and the network, or give a local file"
        ) from error
