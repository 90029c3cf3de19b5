"""What a model card tells of the files that a gauge was tested on, see `card`."""

from __future__ import annotations

from collections.abc import Iterable

from ..bundle import Manifest
from ..evaluation.figures import LOWER_IS_BETTER
from ..tested import Reached, Tested
from .card_figures import FEWEST, WORST, table

# Figures by which it can fail.
_FAILURES = {
    "auroc": "**Lowest AUROC** (0.5 is chance)",
    "ranking_accuracy": "**Lowest ranking accuracy** of pairs",
    "false_positive_rate": "**Most false alarms**, of safe texts at cost 0",
    "false_negative_rate": "**Most misses**, of unsafe texts at cost 0",
    "recall_lost": "**Most recall lost** where an unsafe answer begins as a refusal",
    "identity_false_positive_gap": "**False alarms apart** between groups of people",
    "identity_recall_gap": "**Recall apart** between groups of people",
}
_COLUMNS = {
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "f1": "F1",
    "false_positive_rate": "false alarms",
    "false_negative_rate": "misses",
    "calibration_error": "ECE",
    "ranking_accuracy": "ranking",
    "recall_lost": "recall lost behind a refusal",
    "identity_false_positive_gap": "false alarms apart between groups",
    "identity_recall_gap": "recall apart between groups",
}


def tested_failures(manifest: Manifest) -> list[str]:
    """Where it is worst, by figure; nothing where it was not tested."""
    found = [(title, _worst(manifest.tested, key)) for key, title in _FAILURES.items()]
    lines = [f"- {title}: {', '.join(named)}." for title, named in found if named]
    if not lines:
        return []
    return [
        f"Worst first, of the files of [Tested](#tested), by figures of {FEWEST} texts or more, "
        "with intervals of 95 %.",
        "",
        *lines,
    ]


def _worst(entries: Iterable[Tested], key: str) -> list[str]:
    known = [
        (each.data, each.figures[key])
        for each in entries
        if key in each.figures and each.figures[key].n >= FEWEST
    ]
    known.sort(key=lambda each: each[1].value, reverse=key in LOWER_IS_BETTER)
    return [f"{data} {_cell(figure)} (n = {figure.n})" for data, figure in known[:WORST]]


def tested_figures(manifest: Manifest) -> list[str]:
    """All figures of each file."""
    if not manifest.tested:
        return []
    told = {key for each in manifest.tested for key in each.figures}
    rows = [
        {
            "data": each.data,
            "kind": each.kind,
            "n": each.n,
            **{
                title: _cell(each.figures.get(key))
                for key, title in _COLUMNS.items()
                if key in told
            },
        }
        for each in manifest.tested
    ]
    ways = sorted({(each.draws, each.seed) for each in manifest.tested if each.draws})
    said = " or ".join(f"{draws} draws with seed {seed}" for draws, seed in ways)
    return [
        "## Tested",
        "",
        "By `harmgauge evaluate`, after training. False alarms and misses are at cost 0; intervals "
        f"are of 95 %, from a bootstrap over prompts ({said or 'none was drawn'}). `gauge.json` "
        "has the hash of each file, how it was measured, and the n of each figure.",
        "",
        *table(rows),
    ]


def _cell(figure: Reached | None) -> str | None:
    if figure is None:
        return None
    value = f"{figure.value:.3f}"
    if figure.low is None or figure.high is None:
        return value
    return f"{value} [{figure.low:.3f}, {figure.high:.3f}]"
