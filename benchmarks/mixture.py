"""How much of what should a mixture have? Many short runs with drawn weights and shares.

    python benchmarks/mixture.py RECIPE --base FOLDER --data-root FOLDER --out FOLDER
        [--groups FILE] [--draws N] [--seeds N] [--steps N] [--jobs N] [KEY=VALUE …]

Every group of sources in FILE gets a weight between a quarter and four times the recipe's, and a
share of its rows between a quarter and all, drawn from a Sobol sequence; all runs see as many
tokens. What a group does to the others hangs on how much of what is learnt it makes up, so that a
ridge regression is told of each its exposure: the logarithm of weight times share, less the mean
over groups. It says how much of the mean AUROC over validation sources (and over those of each
kind) comes of it; of many drawn mixtures those one in a hundred that it likes best are averaged
(Liu et al., RegMix, arXiv 2407.01492), and that mixture is set against the recipe's own, in runs
with fresh seeds: a regression that saw nothing but noise shows there. Rows are prepared once and
kept in OUT/rows.pickle; runs that are in OUT/runs.jsonl are not run again. Results go to
OUT/mixture.json.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from scipy.stats import qmc
from short_runs import (
    Factors,
    Trial,
    differences,
    make_rows,
    mean_by_kind,
    read_rows,
    run_trials,
    two_or_more,
)
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold, cross_val_predict

from harmgauge.evaluation.text import aligned
from harmgauge.training.recipe import read_recipe

GROUPS = Path(__file__).parent / "mixture-groups.yaml"
CANDIDATES = 4096
TAKEN = CANDIDATES // 100
ALPHAS = np.logspace(-2, 4, 25)
# Base-2 logarithms: a weight from a quarter to four times, a share from a quarter to all.
WEIGHT, SHARE = (-2.0, 2.0), (-2.0, 0.0)


def group_of(sources: Iterable[str], groups: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Of each training source that a group names its group.

    Raises:
        SystemExit: a group names a source that is not there.
    """
    found = {source: group for group, named in groups.items() for source in named}
    if unknown := sorted(set(found) - set(sources)):
        raise SystemExit(f"{unknown[0]} of the group {found[unknown[0]]} is no training source")
    return found


def draw(n: int, groups: int, seed: int) -> NDArray[np.float64]:
    """Logarithms of weights and then of shares, `[n, 2 * groups]`."""
    unit = qmc.Sobol(2 * groups, seed=seed).random(n)
    low, high = (np.repeat([w, s], groups) for w, s in zip(WEIGHT, SHARE, strict=True))
    return np.asarray(qmc.scale(unit, low, high))


def factors(logs: NDArray[np.float64], names: Sequence[str], groups: Mapping[str, str]) -> Factors:
    """What `logs` of weights and then of shares give the groups called `names`."""
    weight, share = np.split(2.0**logs, 2)
    return Factors(
        groups=dict(groups),
        share=dict(zip(names, share.tolist(), strict=True)),
        weight=dict(zip(names, weight.tolist(), strict=True)),
    )


def exposure(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithm of weight times share, less its mean over groups, `[n, groups]`."""
    weight, share = np.split(logs, 2, axis=1)
    both = weight + share
    return np.asarray(both - both.mean(1, keepdims=True))


@dataclass(frozen=True, slots=True)
class Fit:
    """What a regression makes of the drawn mixtures."""

    r2: float
    """of scores that it has not seen; 0 is as good as their mean"""
    effects: list[float]
    """of each group: what doubling its exposure adds to the score"""
    best: NDArray[np.float64]
    """exposures of the mixture that it likes best"""


def fit(logs: NDArray[np.float64], scores: NDArray[np.float64]) -> Fit:
    x, model = exposure(logs), RidgeCV(alphas=ALPHAS)
    folds = KFold(min(8, len(scores)), shuffle=True, random_state=0)
    guessed = cross_val_predict(model, x, scores, cv=folds)
    r2 = 1 - float(((scores - guessed) ** 2).sum() / ((scores - scores.mean()) ** 2).sum())
    candidates = exposure(draw(CANDIDATES, logs.shape[1] // 2, seed=1))
    liked = model.fit(x, scores).predict(candidates)
    return Fit(r2, model.coef_.tolist(), candidates[np.argsort(liked)[-TAKEN:]].mean(0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--base", required=True, help="the pretrained model that all start from")
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--groups", type=Path, default=GROUPS)
    parser.add_argument("--draws", type=int, default=64)
    parser.add_argument(
        "--seeds", type=two_or_more, default=4, help="runs of each mixture at the end"
    )
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    options = parser.parse_intermixed_args()

    groups = yaml.safe_load(options.groups.read_text(encoding="utf-8"))
    recipe = read_recipe(
        options.recipe,
        [
            *(f"data.root={options.data_root}", f"base={options.base}"),
            *(f"optim.max_steps={options.steps}", f"evaluate.every={options.steps}"),
            *options.overrides,
        ],
    )
    kept = options.out / "groups.json"
    if kept.exists() and json.loads(kept.read_text(encoding="utf-8")) != groups:
        parser.error(f"{options.out} holds runs of other groups; choose another --out")
    rows = make_rows(recipe, options.recipe.parent, options.out / "rows.pickle")
    kinds = read_rows(rows).kinds
    of = group_of({example.source for example in read_rows(rows).train}, groups)
    kept.write_text(json.dumps(groups), encoding="utf-8")
    names = list(groups)
    logs = draw(options.draws, len(names), seed=0)
    drawn = [Trial(f"draw {i}", rows, i, factors(own, names, of)) for i, own in enumerate(logs)]
    runs = options.out / "runs.jsonl"
    found = run_trials(drawn, runs, options.jobs)
    scores = [mean_by_kind(each, kinds) for each in found]
    fits = {kind: fit(logs, np.array([each[kind] for each in scores])) for kind in scores[0]}
    chosen = factors(np.concatenate([fits["all"].best, np.zeros(len(names))]), names, of)
    seeds = range(options.draws, options.draws + options.seeds)
    own = [Trial("own", rows, seed) for seed in seeds]
    new = [Trial(f"chosen of {options.draws}", rows, seed, chosen) for seed in seeds]
    end = run_trials([*own, *new], runs, options.jobs)
    theirs, ours = end[: len(own)], end[len(own) :]
    against = differences(ours, theirs, lambda each: mean_by_kind(each, kinds))
    by_source = differences(ours, theirs, lambda each: each.auroc)

    whole = [each["all"] for each in scores]
    print(f"{len(found)} drawn mixtures: mean AUROC {min(whole):.3f} to {max(whole):.3f}")
    table = [["what doubling adds", *fits], ["r2", *(f"{each.r2:.2f}" for each in fits.values())]]
    for place, name in enumerate(names):
        table.append([name, *(f"{each.effects[place]:+.4f}" for each in fits.values())])
    print("\n".join(aligned(table)))
    weights = ", ".join(f"{name} {value:.2f}" for name, value in chosen.weight.items())
    print(f"the chosen one has weights of {weights} times the recipe's")
    print(f"against the recipe's own, {options.seeds} seeds each:")
    rows_of = [["", "difference"], *([name, str(each)] for name, each in against.items())]
    rows_of += [[name, str(each)] for name, each in by_source.items()]
    print("\n".join(aligned(rows_of)))
    text = json.dumps(
        {
            "steps": options.steps,
            "fits": {
                kind: {"r2": each.r2, "effects": dict(zip(names, each.effects, strict=True))}
                for kind, each in fits.items()
            },
            "chosen": chosen.weight,
            "against": {name: asdict(each) for name, each in against.items()},
            "by_source": {name: asdict(each) for name, each in by_source.items()},
            "own": [mean_by_kind(each, kinds) for each in theirs],
        },
        indent=1,
    )
    (options.out / "mixture.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
