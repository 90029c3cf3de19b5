"""What is the mean of the weights of two gauges worth? AUROC by source, at several shares.

    python benchmarks/merging.py recipes/mini-research-third.yaml data.root=FOLDER \\
        base=gauge:mini-research 'model.merge={midi: 0.5}' \\
        [--shares 0 0.5 1] [--cap 150] [--cap-of identity=1000] [--only beavertails …]

Of a recipe with `model.merge` of one gauge, before anything is trained: raw costs on validation
rows at each share of that gauge, 0 its base alone and 1 that one alone (but for tokens that it has
not), and the mean of what both say, which costs twice as much.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harmgauge.training.bases import load_base
from harmgauge.training.examples import Example, load_sources, tokenise
from harmgauge.training.merging import merged
from harmgauge.training.monitor import capped, score_examples, validation_metrics
from harmgauge.training.recipe import read_recipe
from harmgauge.windows import Windower


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("changes", nargs="*", help="KEY=VALUE, as for harmgauge train")
    parser.add_argument("--shares", type=float, nargs="+", default=[0, 0.5, 1])
    parser.add_argument("--cap", type=int, default=150, help="rows a source")
    parser.add_argument("--cap-of", nargs="*", default=[], help="SOURCE=ROWS of some sources")
    parser.add_argument("--only", nargs="+", help="validation sources")
    options = parser.parse_intermixed_args()
    recipe = read_recipe(options.recipe, options.changes)
    if len(recipe.model.merge) != 1:
        parser.error(f"{options.recipe} has to name one gauge in model.merge")
    (name,) = recipe.model.merge
    sources = load_sources(recipe.data.valid, recipe.data, options.recipe.parent)
    base = load_base(recipe.base, recipe.model)
    rows = tokenise(sources, Windower(base.tokenizer, base.model.spec.layout))
    caps = {source: int(most) for source, most in (each.split("=") for each in options.cap_of)}
    chosen = [row for row in rows if row.source in (options.only or [row.source])]
    rows = capped(chosen, options.cap, recipe.data.seed, caps)
    print(f"{len(rows)} rows")
    found = {}
    for share in options.shares:
        model = merged(load_base(recipe.base, recipe.model), {name: share}).model.eval()
        found[share] = score_examples(model, rows)
        tell(f"{share:g}", rows, found[share])
    if {0, 1} <= found.keys():
        both = [(one + other) / 2 for one, other in zip(found[0], found[1], strict=True)]
        tell("mean of what both say", rows, both)


def tell(name: str, rows: Sequence[Example], scores: Sequence[np.ndarray]) -> None:
    metrics = validation_metrics(rows, scores)
    by_source = " ".join(f"{source} {value:.3f}" for source, value in metrics["auroc"].items())
    pairs = " ".join(f"{source} {value:.3f}" for source, value in metrics["ranking"].items())
    print(f"{name}: mean {metrics['auroc_mean']:.3f} {by_source}; pairs {pairs}", flush=True)


if __name__ == "__main__":
    main()
