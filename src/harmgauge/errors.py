"""Every error a user can cause, as one small tree.

HarmgaugeError
├── ExchangeError   a text or conversation that cannot be judged
├── DataError       a file or row of data that cannot be read
├── BundleError     a gauge on disk that cannot be trusted or understood
└── RecipeError     a recipe or setting that cannot be followed

Messages are sentences that name the input, what is wrong and the mend. They never quote a
user's text: it may be private, and it may be the very harm that is being measured.
"""

from __future__ import annotations


class HarmgaugeError(Exception):
    """Base of all errors below; the command line prints it as one line and exits with 2."""


class ExchangeError(HarmgaugeError, ValueError):
    """What was given to judge is not text, or not text that can be encoded."""


class DataError(HarmgaugeError, ValueError):
    """A data file is missing, unreadable or fits no known schema."""


class BundleError(HarmgaugeError, ValueError):
    """A bundle is missing, damaged or of an unknown format version."""


class RecipeError(HarmgaugeError, ValueError):
    """A recipe, or a setting given on the command line, is not valid."""


class HarmgaugeWarning(UserWarning):
    """What a user should know and what stops nothing; the command line prints it as one line."""


def needs_extra(extra: str, what: str) -> HarmgaugeError:
    """The error for an optional dependency that is not installed."""
    return HarmgaugeError(
        f"{what} needs an optional part: install harmgauge with its extra {extra}, in a clone by "
        f"pip install '.[{extra}]'"
    )
