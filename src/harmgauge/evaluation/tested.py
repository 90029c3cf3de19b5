"""From the results of `harmgauge evaluate` to what a gauge's bundle keeps of them, see `Tested`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..bundle import Manifest
from ..errors import DataError
from ..tested import Reached, Tested
from .evaluate import Measurement
from .figures import Figure
from .measure import Scores
from .results import FORMAT_VERSION

FIGURES = (
    *("auroc", "auprc", "f1", "false_positive_rate", "false_negative_rate", "calibration_error"),
    *("recall_lost", "identity_recall_gap", "identity_false_positive_gap"),
)
"""what is kept of those that are measured, beside the ranking of pairs"""
RANKING = "ranking_accuracy"
_ANEW = "measure anew: harmgauge evaluate FILE … --json RESULTS.json"


def read_tested(path: Path, manifest: Manifest) -> list[Tested]:
    """What a gauge reached on each file of a run of `harmgauge evaluate --json`.

    Raises:
        DataError: the file cannot be read, is of another format version, holds nothing that was
            measured, or is not of this gauge as it runs by default: from a cost of 0 on, in the
            arithmetic of its bundle.
    """
    results = _read(path)
    try:
        return _tested(results, manifest, path)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} is not as harmgauge evaluate writes it; {_ANEW}") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        results = json.loads(text, parse_constant=lambda constant: None)  # no number, not known
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise DataError(f"{path} is not valid JSON; {_ANEW}") from None
    if not isinstance(results, dict) or not results.get("measurements"):
        raise DataError(f"{path} holds no measurements; {_ANEW}")
    if (version := results.get("format_version")) != FORMAT_VERSION:
        raise DataError(
            f"{path} has format version {version}, and this harmgauge reads {FORMAT_VERSION}; "
            f"{_ANEW}"
        )
    return results


def _tested(results: Mapping[str, Any], manifest: Manifest, path: Path) -> list[Tested]:
    gauges = results["gauges"]
    ways = {n: each.get("runs in") for n, each in gauges.items() if each.get("id") == manifest.id}
    if not ways:
        measured = ", ".join(str(facts.get("id") or name) for name, facts in gauges.items())
        raise DataError(
            f"{path} is of {measured}, not of {manifest.id}; name the gauge that was measured, or "
            "measure this one: harmgauge evaluate --gauge"
        )
    # A torch gauge says where it ran, too; that does not change its arithmetic.
    fitting = [n for n, way in ways.items() if way == "onnx" or str(way).startswith("torch")]
    if not fitting:
        raise DataError(
            f"{path}: {manifest.id} ran in {next(iter(ways.values()))}, which is less exact, and "
            "a card tells of the gauge as it is loaded by default; measure that"
        )
    found = [Measurement.from_dict(each) for each in results["measurements"]]
    version = results["code_version"]
    entries = [_entry(each, each.gauges[fitting[0]], version, path) for each in found]
    entries = [each for each in entries if each.figures]
    if not entries:
        raise DataError(f"{path} has no figure of any file; give them labels, then {_ANEW}")
    return entries


def _entry(measurement: Measurement, scores: Scores, version: str, path: Path) -> Tested:
    contents = measurement.contents
    if scores.threshold != 0:
        raise DataError(
            f"{path}: {contents.data} was judged from a cost of {scores.threshold} on, and a card "
            "tells of 0; measure anew without --threshold"
        )
    figures = {name: scores.figures[name] for name in FIGURES if name in scores.figures}
    # The first that is known: that of mixed pairs, else of pairs of one label or without any.
    for ranking in [each for each in scores.ranking.values() if each.value is not None][:1]:
        figures[RANKING] = ranking
    reached = {
        name: _reached(each, f"{path}: {contents.data}, {name}")
        for name, each in figures.items()
        if each.value is not None
    }
    return Tested(
        contents.data,
        contents.sha256,
        contents.kind,
        contents.n or contents.pairs,
        measurement.draws,
        measurement.seed,
        version,
        reached,
    )


def _reached(figure: Figure, where: str) -> Reached:
    """Raises:
    DataError: it is not what a share, or a difference of two, can be.
    """
    low, high = figure.low, figure.high
    ends = [figure.value, *(each for each in (low, high) if each is not None)]
    if not (
        all(isinstance(each, int | float) and -1 <= each <= 1 for each in ends)
        and isinstance(figure.n, int)
        and figure.n > 0
        and (low is None or high is None or low <= high)
    ):
        raise DataError(f"{where} is damaged; {_ANEW}")
    assert figure.value is not None
    return Reached(figure.value, figure.n, low, high)
