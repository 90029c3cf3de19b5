"""How far from a gauge to what further training made of it? AUROC by source, at several shares.

    python benchmarks/interpolation.py recipes/midi-third.yaml runs/midi-third data.root=FOLDER \\
        [--shares 0 0.5 0.75 1] [--cap 300] [--cap-of identity=1000]

Raw costs of unrounded weights on validation rows: says which `optim.interpolate` to take for a
finished run, before it is exported and calibrated.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from safetensors.torch import load_file

from harmgauge.training.checkpoints import BEST, trainable_state
from harmgauge.training.interpolation import interpolate, weights_now
from harmgauge.training.monitor import capped, score_examples, validation_metrics
from harmgauge.training.pipeline import prepare
from harmgauge.training.recipe import read_recipe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("run", type=Path, help="folder of the finished run")
    parser.add_argument("changes", nargs="*", help="KEY=VALUE, as for harmgauge train")
    parser.add_argument("--shares", type=float, nargs="+", default=[0, 0.5, 0.75, 1])
    parser.add_argument("--cap", type=int, default=300, help="rows a source")
    parser.add_argument("--cap-of", nargs="*", default=[], help="SOURCE=ROWS of some sources")
    options = parser.parse_args()
    caps = {name: int(rows) for name, rows in (each.split("=") for each in options.cap_of)}
    changes = [*options.changes, "optim.interpolate=0.5"]  # refused where there is no way back
    job = prepare(read_recipe(options.recipe, changes), options.recipe.parent)
    rows = capped(job.valid, options.cap, 0, caps)
    begun, ended = weights_now(job.model), load_file(options.run / BEST)
    job.model.eval()
    print(f"{len(rows)} rows")
    for share in options.shares:
        trainable_state(job.model, ended)
        interpolate(job.model, begun, share, job.drawn)
        found = validation_metrics(rows, score_examples(job.model, rows))
        by_source = " ".join(f"{name} {value:.3f}" for name, value in found["auroc"].items())
        print(f"{share:g}: mean {found['auroc_mean']:.3f} {by_source}", flush=True)


if __name__ == "__main__":
    main()
