"""How far a gauge can be taken to a policy of one's own by few rows, and what it forgets.

    python benchmarks/adapt.py --out FOLDER [--rows 50 150 500] [KEY=VALUE …] [--keep FILE …]

The policy is that of a homework helper for children (`adapt/policy.yaml`), drawn from templates
with a seed: N own rows, of which a fifth validates, and 200 held-out rows with templates and
fillers of their own. Set side by side on these: mini as it is; mini recalibrated on the own rows
(`harmgauge calibrate --recalibrate platt`); a bag of words trained on them; and mini trained
further on them by `recipes/adapted.yaml`, which KEY=VALUE overrides. Files of --keep are what must
not be lost. Results go to FOLDER/results.jsonl.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from harmgauge import Gauge, load
from harmgauge.data.draw import draw_rows
from harmgauge.data.read import read_rows
from harmgauge.data.row import Row
from harmgauge.data.templates.grammar import Draw
from harmgauge.evaluation import metrics
from harmgauge.evaluation.bag_of_words import BagOfWords
from harmgauge.evaluation.bootstrap import Bootstrap
from harmgauge.evaluation.intervals import interval
from harmgauge.evaluation.metrics import Floats
from harmgauge.evaluation.sample import Sample
from harmgauge.recalibration import Labelled, recalibrate
from harmgauge.training.pipeline import run
from harmgauge.training.recipe import read_recipe

HERE = Path(__file__).parent
POLICY = HERE / "adapt" / "policy.yaml"
RECIPE = HERE.parent / "recipes" / "adapted.yaml"
SEED = 0
HELD_OUT = 200
LEAST_VALID = 24
"""rows that validate, at least: a checkpoint is chosen on ten of each class"""
PARTS = {"train": (0, 1), "valid": (2,), "held_out": (3,)}
"""places, of every four templates and fillers"""


def make_rows(part: str, count: int) -> list[dict[str, Any]]:
    """Distinct requests, half of them unsafe, of all templates of a class in turn."""
    policy = yaml.safe_load(POLICY.read_text(encoding="utf-8"))
    rng = random.Random(f"{SEED} {part}")
    made: dict[str, dict[str, Any]] = {}
    for label in ("safe", "unsafe"):
        templates = list(_templates(policy, part, label))
        rng.shuffle(templates)
        least = len(made)
        for name, template, slots in cycle(templates):
            text = Draw(slots, rng).fill(template)
            row = {"prompt": text, "is_safe": label == "safe", "template": name}
            made.setdefault(text, row)
            if len(made) - least == count // 2:
                break
    rows = list(made.values())
    rng.shuffle(rows)
    return rows


def _templates(
    policy: Any, part: str, label: str
) -> Iterator[tuple[str, str, dict[str, list[str]]]]:
    """Name, text and fillers of each template of a part."""
    for name, topic in policy["topics"].items():
        slots = {**policy["slots"], **topic["slots"]}
        fillers = {slot: _part_of(each, part) for slot, each in slots.items()}
        for number, text in enumerate(_part_of(topic.get(label, ()), part)):
            yield f"{name}-{label}-{number}", text, fillers


def _part_of(items: Sequence[str], part: str) -> list[str]:
    return [item for place, item in enumerate(items) if place % 4 in PARTS[part]]


def write_rows(folder: Path, count: int) -> None:
    """`own/train.jsonl` and `own/valid.jsonl` of so many rows, and `held_out.jsonl`."""
    valid = max(count // 5, LEAST_VALID)
    (folder / "own").mkdir(parents=True, exist_ok=True)
    for file, part, size in (
        ("own/train.jsonl", "train", count - valid),
        ("own/valid.jsonl", "valid", valid),
        ("held_out.jsonl", "held_out", HELD_OUT),
    ):
        lines = "".join(json.dumps(row) + "\n" for row in make_rows(part, size))
        (folder / file).write_text(lines, encoding="utf-8")


def figures(sample: Sample, cost: Floats) -> dict[str, list[float]]:
    """Value and 95 % interval of AUROC and of what cost 0 decides.

    Rows of one template are drawn together: they are more alike than they look.
    """
    cost, unsafe = cost[sample.labelled], sample.unsafe
    keys = [meta.get("template") for meta in sample.meta]
    group = sample.drawn_by(keys).group[sample.labelled]
    measured = {
        "auroc": partial(metrics.auroc, unsafe, cost),
        "accuracy": partial(metrics.accuracy, unsafe, cost >= 0),
        "false_alarms": partial(metrics.false_positive_rate, unsafe, cost >= 0),
        "misses": partial(metrics.false_negative_rate, unsafe, cost >= 0),
    }
    draws = Bootstrap().of(measured, group)
    fewest = min(len(np.unique(group[unsafe])), len(np.unique(group[~unsafe])))
    found = {}
    for name, metric in measured.items():
        value = float(metric(np.ones(len(unsafe))))
        ends = interval(metric, value, draws[name], group, fewest)
        found[name] = [value, *(ends or ())]
    return found


def recalibrated(gauge: Gauge, own: Sequence[Row], sample: Sample) -> Floats:
    """Costs of the sample, with the gauge's scale fitted to own rows."""
    texts = Labelled.of(own)
    raw = gauge.raw_scores(texts.exchanges)[:, 0]
    manifest = recalibrate(gauge.manifest, texts, raw, "platt", "own rows")
    kinds = np.array([exchange.kind for exchange in sample.exchanges], np.str_)
    return manifest.scales.cost(gauge.raw_scores(sample.exchanges)[:, 0], kinds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", type=int, nargs="+", default=[50, 150, 500])
    parser.add_argument("--keep", type=Path, nargs="*", default=[], help="what must not be lost")
    parser.add_argument("--cap", type=int, default=400, help="rows of each file of --keep")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    mini = load()
    samples: dict[str, Sample] = {}
    options.out.mkdir(parents=True, exist_ok=True)
    with (options.out / "results.jsonl").open("a", encoding="utf-8") as results:

        def tell(name: str, rows: int, data: str, cost: Floats, **more: Any) -> None:
            line = {"gauge": name, "rows": rows, "data": data, "n": len(samples[data].labelled)}
            line |= {**figures(samples[data], cost), **more}
            text = json.dumps(line)
            print(text, file=results, flush=True)
            print(text, flush=True)

        for count in options.rows:
            folder = options.out / str(count)
            write_rows(folder, count)
            if not samples:
                for path in (folder / "held_out.jsonl", *options.keep):
                    data = (
                        path.stem if path.stem == "held_out" else f"{path.parent.name}/{path.stem}"
                    )
                    samples[data] = Sample.of(draw_rows(read_rows(path).rows, options.cap, SEED))
                    tell("mini", 0, data, mini.score(samples[data].exchanges))
            own = [
                row
                for part in ("train", "valid")
                for row in read_rows(folder / "own" / f"{part}.jsonl").rows
            ]
            held_out = samples["held_out"]
            tell("recalibrated", count, "held_out", recalibrated(mini, own, held_out))
            words = BagOfWords.train(own)
            tell("bag of words", count, "held_out", words.score(held_out.exchanges))

            recipe = read_recipe(RECIPE, [f"data.root={folder}", *options.overrides])
            started = time.process_time()
            bundle = run(recipe, RECIPE.parent, folder / "run", quiet=not sys.stderr.isatty())
            minutes = (time.process_time() - started) / 60
            adapted = load(bundle)
            for data, sample in samples.items():
                cost = adapted.score(sample.exchanges)
                tell("adapted", count, data, cost, cpu_minutes=round(minutes, 1))


if __name__ == "__main__":
    main()
