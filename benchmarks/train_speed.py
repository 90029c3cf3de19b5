"""Pairs a second and peak memory: harmgauge's training loop against TRL's RewardTrainer.

    python benchmarks/train_speed.py --base FOLDER --data pku/train.jsonl hh/train.jsonl

Same weights at the start, same token ids, the Bradley-Terry loss alone, dropout off, fp32, AdamW at
a constant rate, no gradient checkpointing, and the same pairs in each step and in the same order:
shuffled, or in addition in the order of TRL's length grouping (`transformers` makes it, from the
same function that its sampler uses). Each training runs in a process of its own, whose peak
memory is told; the sides take turns. The first step, which warms up, is not timed.

That both sides train the same is asserted: the losses of no step may differ by more than 1e-3.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

MAX_GAP = 1e-3
ORDERS = ("shuffled", "grouped")
BETAS = (0.9, 0.98)
CLIP = 1.0


def prepare(options: argparse.Namespace, folder: Path) -> None:
    """Write the model and, for each order, pairs of token ids, the safer one first."""
    import torch
    from transformers.trainer_pt_utils import get_length_grouped_indices

    from harmgauge.data.read import read_rows
    from harmgauge.training.model import new_cost_model
    from harmgauge.windows import Windower

    torch.manual_seed(options.seed)
    model, tokenizer = new_cost_model(str(options.base), max_tokens=options.max_tokens, dropout=0.0)
    model.save(folder / "model", tokenizer)
    windower = Windower(tokenizer, model.spec.layout)
    pairs: list[list[list[int]]] = []
    for path in options.data:
        rows = (row for row in read_rows(path).rows if row.safer is not None)
        for row in itertools.islice(rows, options.rows):
            safer, other = row.items[row.safer], row.items[1 - row.safer]
            pairs.append([windower.windows(item.exchange)[0] for item in (safer, other)])
    generator = torch.Generator().manual_seed(options.seed)
    lengths = [max(map(len, pair)) for pair in pairs]
    orders = {
        "shuffled": torch.randperm(len(pairs), generator=generator).tolist(),
        "grouped": get_length_grouped_indices(lengths, options.pairs, generator=generator),
    }
    for name, order in orders.items():
        whole = len(order) // options.pairs
        steps = [order[i * options.pairs : (i + 1) * options.pairs] for i in range(whole)]
        # Evenly spread, since grouping goes from long to short; all rows take part in grouping.
        spread = [steps[i * (whole - 1) // (options.steps - 1)] for i in range(options.steps)]
        (folder / f"{name}.json").write_text(
            json.dumps([pairs[i] for step in spread for i in step])
        )


def train_here(pairs: list[list[list[int]]], options: argparse.Namespace) -> dict[str, Any]:
    """Losses and times of steps of harmgauge."""
    import harmgauge.training.cost as cost
    from harmgauge.training.examples import Example
    from harmgauge.training.model import CostModel
    from harmgauge.training.packing import choose_packing
    from harmgauge.training.recipe import Recipe
    from harmgauge.training.schedule import Schedule

    model, _ = CostModel.load(options.folder / "model", dropout=0.0)
    packing = choose_packing(model)
    unknown = (math.nan, math.nan)
    examples = [
        Example(str(i), "pairs", str(i), tuple(pair), unknown, safer=0, weight=1.0)
        for i, pair in enumerate(pairs)
    ]
    # Evaluation is not timed, but wants rows of both classes.
    watched = [
        Example(str(i), "watched", str(i), (pairs[0][0][:2],), (i % 2,), safer=None, weight=1.0)
        for i in range(20)
    ]
    steps = [list(range(i, i + options.pairs)) for i in range(0, len(pairs), options.pairs)]
    # The recipe's own order would be by token budget.
    cost.make_schedule = lambda *_: Schedule(
        [[step] for step in steps], padding=0.0, tokens=0, norms={"rank": float(options.pairs)}
    )
    source = {"path": "unused", "licence": "CC0-1.0"}
    recipe = Recipe.model_validate(
        {
            "name": "speed",
            "licence": "CC0-1.0",
            "base": "unused",
            "data": {"train": [source], "valid": [source]},
            "loss": {"sign": 0, "l2": 0},
            "optim": {
                "learning_rate": options.learning_rate,
                "head_learning_rate": options.learning_rate,
                "weight_decay": 0.0,
                "betas": BETAS,
                "schedule": "constant",
                "warmup": 0.0,
                "clip": CLIP,
            },
            "evaluate": {"every": 10**9, "checkpoint_every": 10**9},
        }
    )
    with tempfile.TemporaryDirectory() as run:
        cost.train(model, examples, watched, recipe, Path(run), quiet=True)
        lines = map(json.loads, (Path(run) / "log.jsonl").read_text().splitlines())
        records = [line for line in lines if "step" in line]
    return {
        "losses": [record["loss"] for record in records],
        "seconds": [record["seconds"] for record in records],
        "packing": packing,
    }


def train_trl(pairs: list[list[list[int]]], options: argparse.Namespace) -> dict[str, Any]:
    """Losses and times of steps of TRL."""
    import torch
    from datasets import Dataset
    from safetensors.torch import load_file
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        TrainerCallback,
    )
    from trl import RewardConfig, RewardTrainer

    from harmgauge.training.model import quiet_transformers

    with quiet_transformers():  # it would tell of the head, which comes next
        model = AutoModelForSequenceClassification.from_pretrained(
            options.folder / "model", num_labels=1, dtype=torch.float32
        )
    model.score.weight.data.copy_(load_file(options.folder / "model/head.safetensors")["weight"])
    tokenizer = AutoTokenizer.from_pretrained(options.base)
    # TRL scores the last token that is not padding by its id, so padding must be another one.
    used = {token for pair in pairs for ids in pair for token in ids}
    tokenizer.pad_token = next(
        token for token, i in sorted(tokenizer.get_vocab().items()) if i not in used
    )
    losses: list[float] = []
    seconds: list[float] = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            seconds.append(time.monotonic())

    class Trainer(RewardTrainer):  # type: ignore[misc]
        """Keeps losses in full: the log rounds them."""

        def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
            loss = super().compute_loss(*args, **kwargs)
            losses.append(loss.item())
            return loss

    with tempfile.TemporaryDirectory() as run:
        trainer = Trainer(
            model,
            RewardConfig(
                run,
                per_device_train_batch_size=options.pairs,
                num_train_epochs=1,
                train_sampling_strategy="sequential",
                learning_rate=options.learning_rate,
                lr_scheduler_type="constant",
                weight_decay=0.0,
                adam_beta1=BETAS[0],
                adam_beta2=BETAS[1],
                max_grad_norm=CLIP,
                max_length=None,
                gradient_checkpointing=False,
                bf16=False,
                use_cpu=True,
                report_to="none",
                save_strategy="no",
                logging_strategy="no",
                disable_tqdm=True,
                seed=options.seed,
            ),
            # A cost is the higher the riskier: what TRL calls chosen.
            train_dataset=Dataset.from_list(
                [{"chosen_ids": other, "rejected_ids": safer} for safer, other in pairs]
            ),
            processing_class=tokenizer,
            callbacks=[Clock()],
        )
        trainer.train()
    return {"losses": losses, "seconds": seconds}


SIDES = {"harmgauge": train_here, "trl": train_trl}


def run_side(side: str, order: str, threads: int, options: argparse.Namespace) -> dict[str, Any]:
    """One training, in a process of its own."""
    import torch

    torch.set_num_threads(threads)
    pairs = json.loads((options.folder / f"{order}.json").read_text())
    found = SIDES[side](pairs, options)
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in kB on Linux
    return found | {"memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit}


def apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call in a new process; this one stays small, since a child's peak starts at its parent's."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def rates(found: dict[str, Any], pairs: int) -> list[float]:
    """Pairs a second in each step but the first."""
    return [pairs / (after - before) for before, after in itertools.pairwise(found["seconds"])]


def report(
    order: str, threads: int, found: dict[str, dict[str, Any]], pairs: int
) -> dict[str, Any]:
    here, trl = found["harmgauge"], found["trl"]
    gaps = [abs(a - b) for a, b in zip(here["losses"], trl["losses"], strict=True)]
    print(f"\n{order}, {threads} threads, packing {here['packing']}")
    print("  loss differences by step: " + " ".join(f"{gap:.1e}" for gap in gaps))
    overall = {
        side: pairs * (len(each["seconds"]) - 1) / (each["seconds"][-1] - each["seconds"][0])
        for side, each in found.items()
    }
    for side, each in found.items():
        steps = rates(each, pairs)
        print(
            f"  {side:10} {overall[side]:7.3f} pairs/s, steps [{min(steps):.3f}, {max(steps):.3f}]"
            f", median {statistics.median(steps):.3f}; peak {each['memory'] / 1e9:.2f} GB"
        )
    ratio = overall["harmgauge"] / overall["trl"]
    print(f"  ratio {ratio:.2f}, of memory {here['memory'] / trl['memory']:.2f}", flush=True)
    assert max(gaps) < MAX_GAP, f"losses differ by {max(gaps):.2g}: not the same training"
    return {"order": order, "threads": threads, "ratio": ratio, "gap": max(gaps), **found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", required=True, type=Path, help="folder of a causal model")
    parser.add_argument("--data", required=True, type=Path, nargs="+", help="files with pairs")
    parser.add_argument("--pairs", type=int, default=8, help="pairs a step")
    parser.add_argument("--steps", type=int, default=10, help="steps that are trained")
    parser.add_argument("--rows", type=int, default=400, help="pairs a file to draw steps from")
    parser.add_argument("--max-tokens", type=int, default=512, help="longest sequence")
    parser.add_argument("--learning-rate", type=float, default=1e-5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--orders", nargs="+", default=ORDERS, choices=ORDERS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write all that was measured")
    options = parser.parse_args()

    versions = ", ".join(f"{each} {version(each)}" for each in ("torch", "transformers", "trl"))
    print(f"{options.base.name}, {options.pairs} pairs a step, {options.steps} steps, {versions}")
    results = []
    with tempfile.TemporaryDirectory() as place:
        options.folder = Path(place)
        apart(prepare, options, options.folder)
        for threads, order in itertools.product(options.threads, options.orders):
            found = {side: apart(run_side, side, order, threads, options) for side in SIDES}
            results.append(report(order, threads, found, options.pairs))
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
