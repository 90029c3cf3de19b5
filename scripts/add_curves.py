"""Give a bundle that was trained before there were curves those of its recipe's validation data.

    python scripts/add_curves.py recipes/mini.yaml src/harmgauge/gauges/mini data.root=DATA

Scores the validation rows that the calibration has not seen with the bundle as it is, and writes
`gauge.json` anew with `curves`; costs, verdicts and the gauge's id stay.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from harmgauge.bundle import MANIFEST
from harmgauge.files import whole_file
from harmgauge.gauge import load
from harmgauge.training.examples import load_sources
from harmgauge.training.measured import measure, measured_curves
from harmgauge.training.recipe import read_recipe
from harmgauge.training.validation import held_out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as data.root=DATA")
    options = parser.parse_args()
    recipe = read_recipe(options.recipe, options.overrides)
    gauge = load(options.bundle)
    sources = load_sources(recipe.data.valid, recipe.data, options.recipe.parent)
    for loaded in sources:
        loaded.rows[:] = filter(held_out, loaded.rows)
    measured, _ = measure(gauge, sources)
    curves = measured_curves(measured, gauge.manifest.scales, recipe.name)
    manifest = replace(gauge.manifest, curves=curves)
    with whole_file(options.bundle / MANIFEST) as new:
        new.write_text(manifest.to_json(), encoding="utf-8")
    for kind, curve in curves.items():
        print(f"{gauge.id}, {kind}: {curve.safe} safe and {curve.unsafe} unsafe texts")


if __name__ == "__main__":
    main()
