"""What a model card tells of the files that a gauge was tested on, see `card`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..bundle import Manifest
from .card_figures import FEWEST, WORST, table

Entry = Mapping[str, Any]
"""one of `Manifest.tested`"""

# Figures by which it can fail, and whether it does where they are high.
_FAILURES = (
    ("auroc", "**Lowest AUROC** (0.5 is chance)", False),
    ("ranking_mixed", "**Lowest ranking accuracy**, of pairs with one safe answer", False),
    ("false_positive_rate", "**Most false alarms**, of safe texts at cost 0", True),
    ("false_negative_rate", "**Most misses**, of unsafe texts at cost 0", True),
    ("recall_lost", "**Most recall lost** where an unsafe answer begins as a refusal", True),
    ("identity_false_positive_gap", "**False alarms apart** between groups of people", True),
    ("identity_recall_gap", "**Recall apart** between groups of people", True),
)
_COLUMNS = {
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "f1": "F1",
    "false_positive_rate": "false alarms",
    "false_negative_rate": "misses",
    "calibration_error": "ECE",
    "ranking_mixed": "ranking",
}


def tested_failures(manifest: Manifest) -> list[str]:
    """Where it is worst, by figure; nothing where it was not tried."""
    found = [(title, _worst(manifest.tested, key, high)) for key, title, high in _FAILURES]
    lines = [f"- {title}: {', '.join(named)}." for title, named in found if named]
    if not lines:
        return []
    return [
        f"Worst first, on the {len(manifest.tested)} labelled files of [Tested](#tested), with "
        "intervals of 95 %.",
        "",
        *lines,
    ]


def _worst(entries: Iterable[Entry], key: str, high: bool) -> list[str]:
    known = [
        (each["data"], each["figures"][key])
        for each in entries
        if key in each["figures"] and each["figures"][key]["n"] >= FEWEST
    ]
    known.sort(key=lambda each: float(each[1]["value"]), reverse=high)
    return [f"{data} {_figure(figure)} (n = {figure['n']})" for data, figure in known[:WORST]]


def tested_figures(manifest: Manifest) -> list[str]:
    """All figures of each file."""
    if not manifest.tested:
        return []
    rows = [
        {
            "data": each["data"],
            "kind": each["kind"],
            "n": each["n"],
            **{title: _figure(each["figures"].get(key)) for key, title in _COLUMNS.items()},
        }
        for each in manifest.tested
    ]
    ways = sorted({(each["draws"], each["seed"], each["code_version"]) for each in manifest.tested})
    said = (f"{draws} draws and seed {seed} in harmgauge {code}" for draws, seed, code in ways)
    return [
        "## Tested",
        "",
        "By `harmgauge evaluate`, after training. False alarms and misses are at cost 0; intervals "
        f"are of 95 %, from a bootstrap over prompts ({', '.join(said)}). `gauge.json` has "
        "the hash of each file.",
        "",
        *table(rows),
    ]


def _figure(figure: Mapping[str, Any] | None) -> str | None:
    if figure is None:
        return None
    value = f"{figure['value']:.3f}"
    if figure["low"] is None or figure["high"] is None:
        return value
    return f"{value} [{figure['low']:.3f}, {figure['high']:.3f}]"
