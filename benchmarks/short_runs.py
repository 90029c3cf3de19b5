"""Short runs of a recipe, side by side, measured on its validation rows: for choosing what goes
into a recipe, not for gauges. Nothing is exported or calibrated, and every run has a seed of its
own for order, dropout and head, so that a difference can be set against the spread of seeds.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import os
import pickle
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats
from tqdm import tqdm

from harmgauge.files import whole_file
from harmgauge.training.cost import train
from harmgauge.training.examples import Example
from harmgauge.training.model import CostModel
from harmgauge.training.monitor import score_examples, validation_metrics
from harmgauge.training.packing import choose_packing, stop_packing
from harmgauge.training.pipeline import prepare
from harmgauge.training.recipe import GAUGE, Recipe, read_recipe
from harmgauge.training.teachers import taught

MADE = "templates"
CONVERSATIONS = "conversations"
PAIRS = "pairs"


def recipe_options(description: str, steps: int) -> argparse.ArgumentParser:
    """A parser of what all short runs are told: a recipe, its base and data, and how long."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--base", required=True, help="the pretrained model that all start from")
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, of those in memory")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    return parser


def short_recipe(options: argparse.Namespace, *overrides: str) -> Recipe:
    """The recipe that `recipe_options` names, looked at when its steps end."""
    return read_recipe(
        options.recipe,
        [
            *(f"data.root={options.data_root}", f"base={options.base}"),
            *(f"optim.max_steps={options.steps}", f"evaluate.every={options.steps}"),
            *overrides,
            *options.overrides,
        ],
    )


@dataclass(frozen=True, slots=True)
class Rows:
    """All that a short run needs of a recipe, ready to be trained on."""

    recipe: Recipe
    model: CostModel
    train: list[Example]
    watched: list[Example]
    kinds: dict[str, str]
    """of each validation source its kind of input, or that it is made from templates, and then
    whether of conversations"""


@dataclass(frozen=True, slots=True)
class Factors:
    """What each group of sources gets: `share` of its rows, at `weight` times their weight."""

    groups: dict[str, str]
    """of each training source its group"""
    share: dict[str, float]
    weight: dict[str, float]


@dataclass(frozen=True, slots=True)
class Trial:
    name: str
    rows: Path
    """a file of `make_rows`"""
    seed: int
    factors: Factors | None = None
    """None leaves the mixture as the recipe has it"""


@dataclass(frozen=True, slots=True)
class Outcome:
    name: str
    seed: int
    steps: int
    auroc: dict[str, float]
    """of each validation source with both classes"""
    ranking: dict[str, float]
    """of each source of pairs"""


def make_rows(recipe: Recipe, folder: Path, path: Path) -> Path:
    """Read what `recipe` names, ask its teachers, and keep both for `run_trials` in `path`, which
    is used again where it is there.

    Raises:
        SystemExit: it is there, of another recipe or other settings.
    """
    if path.exists():
        if read_rows(path).recipe != recipe:
            raise SystemExit(f"{path} was made with other settings; choose another --out")
        return path
    job = prepare(recipe, folder)
    examples = job.train
    if recipe.distil is not None:
        examples = taught(examples, job.train_sources, recipe.distil.teachers)
    kinds = {}
    for loaded in job.valid_sources:
        made = is_made(loaded.source.path)
        for row in loaded.rows:
            exchange = row.items[0].exchange
            talk = CONVERSATIONS if len(exchange.turns) > 2 else MADE
            kinds[row.source] = talk if made else exchange.kind
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as new:
        new.write_bytes(pickle.dumps(Rows(recipe, job.model, examples, job.watched, kinds)))
    return path


def is_made(path: str) -> bool:
    return path.startswith("templates:")


@lru_cache(maxsize=1)  # a recipe has hundreds of megabytes
def read_rows(path: Path) -> Rows:
    rows: Rows = pickle.loads(path.read_bytes())  # written by this script
    return rows


def run_trials(trials: Sequence[Trial], results: Path, jobs: int) -> list[Outcome]:
    """The outcome of each trial, in order; those that `results` has are not run again."""
    known = {(each.name, each.seed): each for each in read_outcomes(results)}
    waiting = [trial for trial in trials if (trial.name, trial.seed) not in known]
    results.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(results) as new:  # without what a kill left of a line
        new.write_text("".join(map(to_line, known.values())), encoding="utf-8")
    with results.open("a", encoding="utf-8", buffering=1) as log:
        for outcome in tqdm(finished(waiting, jobs), total=len(waiting), unit="run"):
            log.write(to_line(outcome))
            known[outcome.name, outcome.seed] = outcome
    return [known[trial.name, trial.seed] for trial in trials]


def finished(trials: Sequence[Trial], jobs: int) -> Iterator[Outcome]:
    """Outcomes as they come, of as many processes."""
    if jobs == 1:
        yield from map(run_trial, trials)
        return
    threads = max(1, (os.cpu_count() or 1) // jobs)
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), torch.set_num_threads, (threads,))
    try:
        for done in as_completed([pool.submit(run_trial, trial) for trial in trials]):
            yield done.result()
    finally:  # where one has failed the others need not be waited for
        pool.shutdown(cancel_futures=True)


def to_line(outcome: Outcome) -> str:
    return json.dumps(asdict(outcome)) + "\n"


def read_outcomes(path: Path) -> list[Outcome]:
    if not path.exists():
        return []
    whole, _, _ = path.read_text(encoding="utf-8").rpartition("\n")
    return [Outcome(**json.loads(line)) for line in whole.splitlines()]


def run_trial(trial: Trial) -> Outcome:
    """Train a copy of the model for all steps, and measure what comes of it."""
    rows = read_rows(trial.rows)
    examples = mixed(rows.train, trial)
    last = {"choose": "last", "patience": None, "checkpoint_every": rows.recipe.optim.max_steps}
    evaluate = rows.recipe.evaluate.model_copy(update=last)
    recipe = rows.recipe.model_copy(update={"seed": trial.seed, "evaluate": evaluate})
    recipe = with_passes_enough(recipe, examples)
    model = copy.deepcopy(rows.model)
    torch.manual_seed(trial.seed)
    if not recipe.base.startswith(GAUGE):  # which has a head
        outputs = model.spec.outputs
        model.set_outputs(("untrained",))
        model.set_outputs(outputs)
    if torch.cuda.is_available():
        model.cuda()
    stop_packing(model)  # the rows may have been made on another machine
    choose_packing(model)
    # Averaged weights are taken where they are better on the rows that are measured, which favours
    # them a little; else there is nothing to choose, and measuring all at first only takes time.
    watched = rows.watched if recipe.optim.ema else of_one_source(rows.watched)
    with tempfile.TemporaryDirectory() as scratch:
        progress = train(model, examples, watched, recipe, Path(scratch), quiet=True)
    found = validation_metrics(rows.watched, score_examples(model, rows.watched))
    return Outcome(trial.name, trial.seed, progress.step, found["auroc"], found["ranking"])


def of_one_source(examples: Sequence[Example]) -> list[Example]:
    """The examples of a source that holds both classes."""
    blind = [np.zeros(len(example.ids)) for example in examples]
    first = min(validation_metrics(examples, blind)["auroc"])
    return [example for example in examples if example.source == first]


def mixed(examples: Sequence[Example], trial: Trial) -> list[Example]:
    """The examples, of each group as many and as heavy as the trial says."""
    factors = trial.factors
    if factors is None:
        return list(examples)
    draw = np.random.default_rng(trial.seed).random(len(examples))
    kept = []
    for example, chance in zip(examples, draw, strict=True):
        group = factors.groups.get(example.source)
        if group is None:
            kept.append(example)
        elif chance < factors.share[group]:
            kept.append(replace(example, weight=example.weight * factors.weight[group]))
    return kept


def with_passes_enough(recipe: Recipe, examples: Iterable[Example]) -> Recipe:
    """As many passes as `optim.max_steps` takes, so that all trials have as many steps."""
    optim = recipe.optim
    assert optim.max_steps is not None
    tokens = sum(len(ids) for example in examples for ids in example.ids)
    needed = optim.max_steps * optim.batch_tokens * optim.accumulate / tokens
    more = optim.model_copy(update={"epochs": float(math.ceil(1.2 * needed))})
    return recipe.model_copy(update={"optim": more})


def mean_by_kind(outcome: Outcome, kinds: dict[str, str]) -> dict[str, float]:
    """Mean AUROC over all sources (`all`), over those of each kind, and mean ranking of pairs."""
    found: dict[str, list[float]] = {"all": list(outcome.auroc.values())}
    for source, value in outcome.auroc.items():
        found.setdefault(kinds[source], []).append(value)
    found[PAIRS] = list(outcome.ranking.values())
    return {kind: float(np.mean(values)) for kind, values in found.items() if values}


@dataclass(frozen=True, slots=True)
class Difference:
    """Mean over seeds of a difference, with its 95 % interval (Student's t)."""

    value: float
    low: float
    high: float
    seeds: int

    def __str__(self) -> str:
        return f"{self.value:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


def differences(
    ours: Sequence[Outcome], theirs: Sequence[Outcome], figures: Callable[[Outcome], dict[str, Any]]
) -> dict[str, Difference]:
    """Of each figure how much higher it is in `ours`, seed by seed.

    Raises:
        ValueError: they have other seeds, or fewer than two.
    """
    if [each.seed for each in ours] != [each.seed for each in theirs] or len(ours) < 2:
        raise ValueError("differences are between runs of the same seeds, two or more")
    pairs = [(figures(a), figures(b)) for a, b in zip(ours, theirs, strict=True)]
    found = {}
    for name in pairs[0][0]:
        values = np.array([a[name] - b[name] for a, b in pairs if name in a and name in b])
        reach = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
        mean = float(values.mean())
        found[name] = Difference(mean, mean - float(reach), mean + float(reach), len(values))
    return found


def two_or_more(text: str) -> int:
    """As an argument: a number of seeds whose spread can be told."""
    if (number := int(text)) < 2:
        raise ValueError
    return number
