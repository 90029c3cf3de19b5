"""From the results of `harmgauge evaluate` into a manifest, for the model card to tell of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..bundle import Manifest
from ..errors import DataError
from .results import FORMAT_VERSION

FIGURES = (
    *("auroc", "auprc", "f1", "false_positive_rate", "false_negative_rate", "calibration_error"),
    *("recall_lost", "identity_recall_gap", "identity_false_positive_gap", "identity_cost_gap"),
)
"""what is taken of those that are measured; of pairs, the ranking accuracy of each stratum"""


def read_results(path: Path) -> dict[str, Any]:
    """What `harmgauge evaluate --json` wrote.

    Raises:
        DataError: it cannot be read, is no such file, or is of another format version.
    """
    anew = "measure anew: harmgauge evaluate FILE … --json RESULTS.json"
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise DataError(f"{path} is not valid JSON; {anew}") from None
    if not isinstance(results, dict) or "measurements" not in results:
        raise DataError(f"{path} has no measurements; {anew}")
    if results.get("format_version") != FORMAT_VERSION:
        raise DataError(
            f"{path} has format version {results.get('format_version')}, and this harmgauge reads "
            f"{FORMAT_VERSION}; {anew}"
        )
    return results


def tested(manifest: Manifest, results: Mapping[str, Any], where: Path) -> list[dict[str, Any]]:
    """Figures of a gauge, an entry each file.

    Args:
        manifest: of the gauge.
        results: see `read_results`.
        where: their file, for errors.

    Returns:
        Entries `data`, `sha256`, `kind`, `n`, `draws`, `seed`, `code_version`, and `figures`: name
        to `value`, `n` and, where there is an interval of 95 %, `low` and `high`.

    Raises:
        DataError: the results are not of this gauge as it runs by default (from a cost of 0 on, in
            the arithmetic of its bundle), or not as `harmgauge evaluate` writes them.
    """
    try:
        return _entries(manifest, results, where)
    except (AttributeError, KeyError, TypeError):
        raise DataError(f"{where} is not as harmgauge evaluate --json writes it") from None


def _entries(manifest: Manifest, results: Mapping[str, Any], where: Path) -> list[dict[str, Any]]:
    gauges = results["gauges"]
    names = [name for name, facts in gauges.items() if facts.get("id") == manifest.id]
    if not names:
        measured = ", ".join(str(facts.get("id") or name) for name, facts in gauges.items())
        raise DataError(
            f"{where} is of {measured}, not of {manifest.id}; measure that one: harmgauge evaluate "
            "--gauge"
        )
    name = names[0]
    if (mode := gauges[name].get("runs in")) != manifest.runtime:
        raise DataError(f"{where}: {name} ran in {mode}, and a card tells of {manifest.runtime}")
    return [
        _entry(each, each["gauges"][name], results["code_version"], where)
        for each in results["measurements"]
    ]


def _entry(
    measurement: Mapping[str, Any], scores: Mapping[str, Any], version: str, where: Path
) -> dict[str, Any]:
    contents = measurement["contents"]
    if scores["threshold"]:
        raise DataError(
            f"{where}: {contents['data']} was judged from a cost of {scores['threshold']:g} on, "
            "and a card tells of 0; measure anew without --threshold"
        )
    figures = {key: scores["figures"][key] for key in FIGURES if key in scores["figures"]}
    figures |= {f"ranking_{stratum}": figure for stratum, figure in scores["ranking"].items()}
    return {
        **{key: contents[key] for key in ("data", "sha256", "kind", "n")},
        **{key: measurement[key] for key in ("draws", "seed")},
        "code_version": version,
        "figures": {
            key: {part: figure[part] for part in ("value", "n", "low", "high")}
            for key, figure in figures.items()
            if figure["value"] is not None
        },
    }


def merged(
    before: tuple[Mapping[str, Any], ...], new: list[dict[str, Any]]
) -> tuple[Mapping[str, Any], ...]:
    """Entries with those of the same name replaced."""
    return tuple({each["data"]: each for each in (*before, *new)}.values())
