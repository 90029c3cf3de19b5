"""Other guards beside our gauges, measured by the same harness; see docs/scorers.md."""

from __future__ import annotations

from pathlib import Path

from ...errors import needs_extra
from .base import Batch, Scored, Scorer, as_record
from .gauge import GaugeScorer

__all__ = ["Batch", "GaugeScorer", "Scored", "Scorer", "as_record", "open_scorer"]


def open_scorer(spec: str, *, threads: int | None = None) -> Scorer:
    """Open what is to be measured.

    Args:
        spec: name of an installed gauge, folder of a bundle, or a YAML file that describes another
            scorer (needs the extra `train`).
        threads: cores for gauges and Hugging Face folders; None takes all physical ones.

    Raises:
        BundleError: there is no such gauge, or it is damaged.
        RecipeError: the description cannot be followed.
        HarmgaugeError: what it describes cannot be opened.
    """
    path = Path(spec)
    if path.suffix not in (".yaml", ".yml"):
        return GaugeScorer.load(spec, threads=threads)
    try:
        from .described import open_described
    except ImportError:
        raise needs_extra("train", f"the scorer described in {path}") from None
    return open_described(path, threads=threads)
