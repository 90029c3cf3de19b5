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

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from scipy.stats import qmc
from short_runs import (
    Difference,
    Factors,
    Outcome,
    Trial,
    differences,
    make_rows,
    mean_by_kind,
    read_rows,
    recipe_options,
    run_trials,
    short_recipe,
    two_or_more,
)
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold, cross_val_predict

from harmgauge.evaluation.text import aligned

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


@dataclass(frozen=True, slots=True)
class Search:
    """What came of a search."""

    scores: list[float]
    """mean AUROC of each drawn mixture"""
    fits: dict[str, Fit]
    """over all validation sources, and over those of each kind"""
    chosen: Factors
    against: dict[str, Difference]
    """by kind, how much better the chosen mixture is than the recipe's own"""
    by_source: dict[str, Difference]
    own: list[dict[str, float]]
    """scores of the recipe's own mixture by kind, of each seed"""


def search(
    rows: Path, groups: Mapping[str, Sequence[str]], out: Path, draws: int, seeds: int, jobs: int
) -> Search:
    """Run what `out` does not have, and fit what it found.

    Args:
        rows: a file of `make_rows`.
        groups: sources of each group.
        out: folder of the outcomes.
        draws: mixtures to draw.
        seeds: runs of the chosen mixture and of the recipe's own.
        jobs: runs at a time.
    """
    read = read_rows(rows)
    of = group_of({example.source for example in read.train}, groups)
    names, runs = list(groups), out / "runs.jsonl"

    def score(outcome: Outcome) -> dict[str, float]:
        return mean_by_kind(outcome, read.kinds)

    logs = draw(draws, len(names), seed=0)
    drawn = [Trial(f"draw {i}", rows, i, factors(own, names, of)) for i, own in enumerate(logs)]
    scores = [score(each) for each in run_trials(drawn, runs, jobs)]
    fits = {kind: fit(logs, np.array([each[kind] for each in scores])) for kind in scores[0]}
    chosen = factors(np.concatenate([fits["all"].best, np.zeros(len(names))]), names, of)
    fresh = range(draws, draws + seeds)
    own = [Trial("own", rows, seed) for seed in fresh]
    new = [Trial(f"chosen of {draws}", rows, seed, chosen) for seed in fresh]
    end = run_trials([*own, *new], runs, jobs)
    theirs, ours = end[:seeds], end[seeds:]
    return Search(
        [each["all"] for each in scores],
        fits,
        chosen,
        differences(ours, theirs, score),
        differences(ours, theirs, lambda each: each.auroc),
        [score(each) for each in theirs],
    )


def tell(found: Search) -> None:
    low, high = min(found.scores), max(found.scores)
    print(f"{len(found.scores)} drawn mixtures: mean AUROC {low:.3f} to {high:.3f}")
    fits = found.fits.values()
    table = [["what doubling adds", *found.fits], ["r2", *(f"{each.r2:.2f}" for each in fits)]]
    for place, name in enumerate(found.chosen.weight):
        table.append([name, *(f"{each.effects[place]:+.4f}" for each in fits)])
    print("\n".join(aligned(table)))
    weights = ", ".join(f"{name} {value:.2f}" for name, value in found.chosen.weight.items())
    print(f"the chosen one has weights of {weights} times the recipe's")
    print(f"against the recipe's own, {len(found.own)} seeds each:")
    both = [*found.against.items(), *found.by_source.items()]
    print("\n".join(aligned([["", "difference"], *([name, str(each)] for name, each in both)])))


def to_json(found: Search, steps: int) -> str:
    names = list(found.chosen.weight)
    plain = {
        "steps": steps,
        "fits": {
            kind: {"r2": each.r2, "effects": dict(zip(names, each.effects, strict=True))}
            for kind, each in found.fits.items()
        },
        "chosen": found.chosen.weight,
        "against": {name: asdict(each) for name, each in found.against.items()},
        "by_source": {name: asdict(each) for name, each in found.by_source.items()},
        "own": found.own,
    }
    return json.dumps(plain, indent=1) + "\n"


def main() -> None:
    parser = recipe_options(__doc__.splitlines()[0], steps=300)
    parser.add_argument("--groups", type=Path, default=GROUPS)
    parser.add_argument("--draws", type=int, default=64)
    parser.add_argument(
        "--seeds", type=two_or_more, default=4, help="runs of each mixture at the end"
    )
    options = parser.parse_intermixed_args()

    groups = yaml.safe_load(options.groups.read_text(encoding="utf-8"))
    kept = options.out / "groups.json"
    if kept.exists() and json.loads(kept.read_text(encoding="utf-8")) != groups:
        parser.error(f"{options.out} holds runs of other groups; choose another --out")
    recipe, folder = short_recipe(options), options.recipe.parent
    rows = make_rows(recipe, folder, options.out / "rows.pickle")
    group_of({example.source for example in read_rows(rows).train}, groups)  # or stops here
    kept.write_text(json.dumps(groups), encoding="utf-8")
    found = search(rows, groups, options.out, options.draws, options.seeds, options.jobs)
    tell(found)
    (options.out / "mixture.json").write_text(to_json(found, options.steps), encoding="utf-8")


if __name__ == "__main__":
    main()
