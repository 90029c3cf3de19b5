"""Markdown tables for the README from the JSON of `harmgauge evaluate --json`.

    python scripts/results_table.py MEASURED.json…

Gauges of one file or of several are set side by side. The floor `bag of words: NAME` is trained on
the rows of that gauge; a plain one in a file of one gauge is taken as its own.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

FIGURES = {
    "auroc": "AUROC",
    "false_positive_rate": "False positives at cost 0",
}
# Floors that say nothing under a figure, such as an AUROC of flagging all.
HIDDEN = {
    "auroc": ("all unsafe", "majority", "refusal phrases"),
    "false_positive_rate": ("all unsafe", "majority", "length", "refusal phrases"),
    "ranking": ("all unsafe", "majority", "refusal phrases"),
}


def main() -> None:
    if len(sys.argv) < 2:
        raise SystemExit("usage: results_table.py MEASURED.json…")
    reports = [json.loads(Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:]]
    by_data: dict[str, dict[str, dict[str, Any]]] = {}
    for report in reports:
        gauges = list(report["gauges"])
        for each in report["measurements"]:
            data = each["contents"]["data"].removesuffix(".jsonl").removesuffix("/test")
            scorers = by_data.setdefault(data, {})
            for gauge in gauges:
                scorers[gauge] = each["gauges"][gauge]
                for floor, scores in each["floors"].items():
                    own = f"bag of words: {gauge}"
                    if floor == "bag of words" and len(gauges) == 1:
                        floor = own
                    if floor == own or not floor.startswith("bag of words: "):
                        scorers[floor] = scores
    for figure, title in FIGURES.items():
        print(f"**{title}**\n\n{figure_table(by_data, figure)}\n")
    print(f"**Ranking accuracy**\n\n{ranking_table(by_data)}")


def figure_table(by_data: dict[str, dict[str, dict[str, Any]]], figure: str) -> str:
    """A line a data set that has the figure, a column a gauge or floor."""
    rows, shown = [], {}
    for data, scorers in by_data.items():
        found = {
            name: scores["figures"][figure]
            for name, scores in scorers.items()
            if figure in scores["figures"] and name not in HIDDEN[figure]
        }
        if any(cell["value"] is not None for cell in found.values()):
            shown |= dict.fromkeys(found)
            rows.append((f"{data} ({next(iter(found.values()))['n']})", found))
    return _table(["data (n)", *shown], [[data, *map(found.get, shown)] for data, found in rows])


def ranking_table(by_data: dict[str, dict[str, dict[str, Any]]]) -> str:
    """A line a data set and stratum, empty strata among them."""
    rows, shown = [], {}
    for data, scorers in by_data.items():
        ranked = {
            name: scores["ranking"]
            for name, scores in scorers.items()
            if scores["ranking"] and name not in HIDDEN["ranking"]
        }
        shown |= dict.fromkeys(ranked)
        for stratum, first in next(iter(ranked.values()), {}).items():
            title = f"{data}, {stratum.replace('_', ' ')} ({first['n']})"
            rows.append((title, {name: ranking[stratum] for name, ranking in ranked.items()}))
    return _table(["pairs (n)", *shown], [[data, *map(found.get, shown)] for data, found in rows])


def _table(header: list[str], rows: list[list[Any]]) -> str:
    lines = [header, ["---"] * len(header)]
    lines += [[row[0], *(_cell(cell) for cell in row[1:])] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(figure: dict[str, Any] | None) -> str:
    if not figure or figure["value"] is None:
        return "–"
    value = f"{figure['value']:.3f}"
    if figure["low"] is None:
        return value
    return f"{value} ({figure['low']:.3f}–{figure['high']:.3f})"


if __name__ == "__main__":
    main()
