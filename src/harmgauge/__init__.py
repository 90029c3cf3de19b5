"""harmgauge: gauge how harmful a prompt or a response is, as one signed cost.

Example:
    import harmgauge

    gauge = harmgauge.load()
    gauge.score(["How do I bake bread?"])  # numpy array of costs; below 0 is safe
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import (
    BundleError,
    DataError,
    ExchangeError,
    HarmgaugeError,
    HarmgaugeWarning,
    RecipeError,
)
from .exchange import Exchange
from .verdict import Verdict

if TYPE_CHECKING:
    from .gauge import Gauge, load

__version__ = "0.1.0"

__all__ = [
    "BundleError",
    "DataError",
    "Exchange",
    "ExchangeError",
    "Gauge",
    "HarmgaugeError",
    "HarmgaugeWarning",
    "RecipeError",
    "Verdict",
    "__version__",
    "load",
]


def __getattr__(name: str) -> Any:
    # onnxruntime and tokenizers are imported with the first gauge, not with the package.
    if name in ("Gauge", "load"):
        from . import gauge

        return getattr(gauge, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
