"""How well do gauges tell categories apart on rows of a recipe? AUROC of each category.

    python benchmarks/categories.py recipes/mini-research.yaml OLD NEW data.root=FOLDER --cap 150
    python benchmarks/categories.py recipes/mini-research.yaml OLD NEW data.root=FOLDER \\
        --part train --only beavertails

For choosing, so never on test data: by default on the validation rows that do not calibrate. With
`--part train` on rows that the gauges must not have learnt from, read with the flags that the
recipe gives them.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import harmgauge
from harmgauge.data.draw import draw_rows
from harmgauge.training.category_calibration import category_figures
from harmgauge.training.examples import LoadedSource, load_sources
from harmgauge.training.measured import measure
from harmgauge.training.recipe import read_recipe
from harmgauge.training.validation import held_out

FIGURES = ("auroc", "auroc_of_unsafe")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("gauges", nargs="+", metavar="GAUGE | KEY=VALUE")
    parser.add_argument("--part", choices=("valid", "train"), default="valid")
    parser.add_argument("--only", nargs="*", help="names of sources; by default all")
    parser.add_argument("--cap", type=int, help="rows a source")
    options = parser.parse_args()
    changes = [each for each in options.gauges if "=" in each]
    recipe = read_recipe(options.recipe, changes)
    named = recipe.data.train if options.part == "train" else recipe.data.valid
    loaded_sources = load_sources(named, recipe.data, options.recipe.parent)
    only = options.only or [loaded.report.source for loaded in loaded_sources]
    sources = [loaded for loaded in loaded_sources if loaded.report.source in only]
    if missing := set(only) - {loaded.report.source for loaded in sources}:
        parser.error(f"no source of {options.recipe} is called {min(missing)}")
    for loaded in sources:
        rows = [row for row in loaded.rows if options.part == "train" or held_out(row)]
        loaded.rows[:] = draw_rows(rows, options.cap, recipe.data.seed)
    print(f"{sum(len(loaded.rows) for loaded in sources)} rows of {len(sources)} sources")
    found: dict[str, dict[str, dict[str, Any]]] = {}  # by category and gauge
    names = [each for each in options.gauges if "=" not in each]
    for name in names:
        for category, entry in _figures(name, sources).items():
            found.setdefault(category, {})[name] = entry
    print("against all others, and against the unsafe ones among them:")
    print("| category | flagged |", *(f"{name} |" for name in names))
    print("|---|---|" + "---|" * len(names))
    for category, by_gauge in sorted(found.items()):
        flagged = next(iter(by_gauge.values()))["flagged"]
        cells = (_cell(by_gauge.get(name)) for name in names)
        print(f"| {category} | {flagged} |", *(f"{cell} |" for cell in cells))


def _figures(name: str, sources: list[LoadedSource]) -> dict[str, dict[str, Any]]:
    gauge = harmgauge.load(name)
    manifest = gauge.manifest
    measured, _ = measure(gauge, sources)
    cost = manifest.scales.cost(measured.raw, measured.kind)
    entries = category_figures(
        manifest.categories, measured.category_raw, measured.flags, cost, measured.unsafe
    )
    return dict(zip(manifest.category_names, entries, strict=True))


def _cell(entry: dict[str, Any] | None) -> str:
    if entry is None:
        return "–"
    return " ".join("–" if entry[key] is None else f"{entry[key]:.3f}" for key in FIGURES)


if __name__ == "__main__":
    main()
