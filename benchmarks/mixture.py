"""How much of what should a mixture have? Many short runs with drawn weights and shares.

    python benchmarks/mixture.py RECIPE --base FOLDER --data-root FOLDER --out FOLDER
        [--groups FILE] [--draws N] [--seeds N] [--steps N] [--jobs N] [KEY=VALUE …]

Every group of sources in FILE gets a weight between a quarter and four times the recipe's, and a
share of its rows between a quarter and all, drawn from a Sobol sequence; all runs see as many
tokens. A ridge regression on their logarithms says what each does to the mean AUROC over the
validation sources; of many drawn mixtures those one in a hundred that it likes best are averaged
(Liu et al., RegMix, arXiv 2407.01492), and that mixture is set against the recipe's own, in runs
with fresh seeds: a regression that saw nothing but noise shows there. Rows are prepared once and
kept in OUT/rows.pickle; runs that are in OUT/runs.jsonl are not run again. Results go to
OUT/mixture.json.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from scipy.stats import qmc
from short_runs import Factors, Trial, differences, make_rows, mean_by_kind, read_rows, run_trials
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import cross_val_predict

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


def factors(logs: NDArray[np.float64], groups: Sequence[str]) -> Factors:
    weight, share = np.split(2.0**logs, 2)
    return Factors(
        share=dict(zip(groups, share.tolist(), strict=True)),
        weight=dict(zip(groups, weight.tolist(), strict=True)),
    )


def best_mixture(
    logs: NDArray[np.float64], scores: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """The mean of the candidates that a ridge regression likes best, and its out-of-fold r²."""
    candidates = draw(CANDIDATES, logs.shape[1] // 2, seed=1)
    model = RidgeCV(alphas=ALPHAS)
    guessed = cross_val_predict(model, logs, scores, cv=min(8, len(scores)))
    r2 = 1 - float(((scores - guessed) ** 2).sum() / ((scores - scores.mean()) ** 2).sum())
    liked = model.fit(logs, scores).predict(candidates)
    return candidates[np.argsort(liked)[-TAKEN:]].mean(0), r2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--base", required=True, help="the pretrained model that all start from")
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--groups", type=Path, default=GROUPS)
    parser.add_argument("--draws", type=int, default=64)
    parser.add_argument("--seeds", type=int, default=4, help="runs of each mixture at the end")
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
    rows = make_rows(recipe, options.recipe.parent, options.out / "rows.pickle")
    kinds = read_rows(rows).kinds
    of = group_of({example.source for example in read_rows(rows).train}, groups)
    names = list(groups)
    logs = draw(options.draws, len(names), seed=0)
    drawn = [Trial(f"draw {i}", rows, i, of, factors(own, names)) for i, own in enumerate(logs)]
    runs = options.out / "runs.jsonl"
    found = run_trials(drawn, runs, options.jobs)
    scores = np.array([mean_by_kind(each, kinds)["all"] for each in found])
    best, r2 = best_mixture(logs, scores)
    chosen = factors(best, names)
    seeds = range(options.draws, options.draws + options.seeds)
    own = [Trial("own", rows, seed) for seed in seeds]
    new = [Trial("chosen", rows, seed, of, chosen) for seed in seeds]
    end = run_trials([*own, *new], runs, options.jobs)
    theirs, ours = end[: len(own)], end[len(own) :]
    against = differences(ours, theirs, lambda each: mean_by_kind(each, kinds))
    by_source = differences(ours, theirs, lambda each: each.auroc)

    print(f"{len(found)} drawn mixtures: mean AUROC {scores.min():.3f} to {scores.max():.3f}, ")
    print(f"of which a regression foretells r² {r2:.2f}; the chosen one")
    table = [["group", "weight", "share"]]
    table += [[name, f"{chosen.weight[name]:.2f}", f"{chosen.share[name]:.2f}"] for name in names]
    print("\n".join(aligned(table)))
    print(f"against the recipe's own, {options.seeds} seeds each:")
    rows_of = [["", "difference"], *([name, str(each)] for name, each in against.items())]
    rows_of += [[name, str(each)] for name, each in by_source.items()]
    print("\n".join(aligned(rows_of)))
    text = json.dumps(
        {
            "steps": options.steps,
            "r2": r2,
            "chosen": asdict(chosen),
            "against": {name: asdict(each) for name, each in against.items()},
            "by_source": {name: asdict(each) for name, each in by_source.items()},
            "own": [mean_by_kind(each, kinds) for each in theirs],
        },
        indent=1,
    )
    (options.out / "mixture.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
