"""What each part of a recipe brings: runs that differ from it in one thing.

    python benchmarks/ablation.py RECIPE --base FOLDER --data-root FOLDER --out FOLDER
        [--steps N] [--noise FILE] [--only NAME …] [--rows N | --seeds N --jobs N] [KEY=VALUE …]

All start from the same pretrained base, see as many tokens and use the same seed. `--noise` is
a file of `harmgauge data noise` for the recipe. A run that is finished is not run again, one that
was stopped goes on. Each run's bundle is set against that of the whole recipe on the sets of
validation.yaml: differences of AUROC with 95 % intervals from draws of the same prompts, averaged
over the real sets of each kind of input (of pairs, of ranking accuracy) and over those made from
templates; beside them the recall that each run loses behind a refusal.
With `--seeds` nothing is exported: each runs with N seeds, `--jobs` at a time, and is measured on
the recipe's own validation rows, at most `evaluate.cap` of a source, not behind a refusal;
intervals are of the mean over seeds. Results go to OUT/ablation.json.
A short run from a bare base says what a part brings at first, not what is left of it at the end.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from short_runs import (
    Difference,
    Trial,
    differences,
    is_made,
    make_rows,
    mean_by_kind,
    read_rows,
    recipe_options,
    run_trials,
    short_recipe,
    two_or_more,
)
from sizes import capped

from harmgauge import load
from harmgauge.evaluation.bootstrap import Bootstrap
from harmgauge.evaluation.cache import Cache, default_folder
from harmgauge.evaluation.compare import compare
from harmgauge.evaluation.compare_results import averages
from harmgauge.evaluation.evaluate import Evaluation
from harmgauge.evaluation.figures import Figure, mean_figure
from harmgauge.evaluation.scorers import GaugeScorer
from harmgauge.evaluation.suite import read_suite
from harmgauge.evaluation.text import aligned
from harmgauge.training.examples import load_sources
from harmgauge.training.pipeline import run
from harmgauge.training.recipe import Recipe, Source

SUITE = Path(__file__).parent / "validation.yaml"
WHOLE = "the whole recipe"
LOST = "recall_lost"
Change = Callable[[Recipe], Recipe]


def changes(noise: Path | None, folder: Path) -> dict[str, Change]:
    """What each run does otherwise than the whole recipe."""
    known: dict[str, Change] = {
        WHOLE: lambda recipe: recipe,
        "without cleaning": lambda recipe: with_section(recipe, "data", clean=False),
        "without templates": lambda recipe: only(recipe, lambda own: not is_made(own.path)),
        "a third of the templates": a_third_made,
        "without refusals": lambda recipe: each(
            only(recipe, lambda own: own.refused is None), refusal_first=0.0
        ),
        "without a teacher": without_teacher,
        "smoothed labels": lambda recipe: with_section(recipe, "loss", label_smoothing=0.05),
        "without averaged weights": lambda recipe: with_section(recipe, "optim", ema=None),
        "prompts alone": lambda recipe: only(recipe, lambda own: asks(own, recipe, folder)),
        "responses and exchanges alone": lambda recipe: only(
            recipe, lambda own: not asks(own, recipe, folder)
        ),
    }
    if noise is not None:
        known["doubted labels weighed down"] = lambda recipe: with_section(
            recipe, "data", weights=str(noise)
        )
    return known


def with_section(recipe: Recipe, section: str, **values: object) -> Recipe:
    changed = getattr(recipe, section).model_copy(update=values)
    return recipe.model_copy(update={section: changed})


def only(recipe: Recipe, keep: Callable[[Source], bool]) -> Recipe:
    kept = [own for own in recipe.data.train if keep(own)]
    if not kept:
        raise SystemExit(f"{recipe.name} has none of its sources left; choose runs with --only")
    return with_section(recipe, "data", train=kept)


def each(recipe: Recipe, **values: object) -> Recipe:
    sources = [own.model_copy(update=values) for own in recipe.data.train]
    return with_section(recipe, "data", train=sources)


def without_teacher(recipe: Recipe) -> Recipe:
    """Labels alone, at their full weight; rows that only a teacher can judge are left out."""
    recipe = only(recipe, lambda own: not own.unlabelled)
    recipe = with_section(recipe, "loss", sign=1.0)
    return recipe.model_copy(update={"distil": None})


def a_third_made(recipe: Recipe) -> Recipe:
    """Caps of made sources a third of what they are; of what has none, all stays."""
    sources = [
        own.model_copy(update={"cap": max(1, own.cap // 3)})
        if own.cap and is_made(own.path)
        else own
        for own in recipe.data.train
    ]
    return with_section(recipe, "data", train=sources)


def asks(source: Source, recipe: Recipe, folder: Path) -> bool:
    """Whether a source's rows are prompts without a response."""
    (loaded,) = load_sources([source], recipe.data, folder)
    return all(item.exchange.response is None for row in loaded.rows for item in row.items)


def measured(
    bundles: Mapping[str, Path], root: Path, draws: int, rows: int | None = None
) -> dict[str, dict[str, Figure]]:
    """Of each run, over the sets of the suite: its difference of mean AUROC (of pairs, of ranking)
    from the whole recipe by kind of input, and on made texts; and the mean recall that it loses
    where a refusal stands before unsafe answers, which is no difference. Of each file at most
    `rows` rows are drawn."""
    gauges = {name: GaugeScorer(load(bundle)) for name, bundle in bundles.items()}
    evaluation = Evaluation(
        gauges, bootstrap=Bootstrap(draws, 0), cache=Cache(default_folder()), progress=True
    )
    sets = [capped(data, rows) for data in read_suite(str(SUITE), root).sets]
    real_sets = [data for data in sets if not is_made(data.path)]
    made_sets = [data for data in sets if is_made(data.path)]
    probed = [evaluation.measure(data).gauges for data in real_sets]
    found: dict[str, dict[str, Figure]] = {}
    for name in gauges:
        found[name] = {}
        if name != WHOLE:
            found[name] = averages(
                [compare(evaluation, data, WHOLE, name, 0) for data in real_sets], "auroc"
            )
            templates = [compare(evaluation, data, WHOLE, name, 0) for data in made_sets]
            if "all" in (means := averages(templates, "auroc")):
                found[name]["templates"] = means["all"]
        figures = [scores[name].figures for scores in probed]
        found[name][LOST] = mean_figure([each[LOST] for each in figures if LOST in each])
    return found


def over_seeds(
    recipes: Mapping[str, Recipe], folder: Path, out: Path, seeds: int, jobs: int
) -> dict[str, dict[str, Difference]]:
    """Of each run, how much higher than the whole recipe's its mean AUROC is over all validation
    sources and over those of each kind, and its mean ranking of pairs."""
    rows = {
        name: make_rows(recipe, folder, out / f"{slug(name)}.pickle")
        for name, recipe in recipes.items()
    }
    kinds = read_rows(rows[WHOLE]).kinds
    trials = [Trial(name, rows[name], seed) for name in recipes for seed in range(seeds)]
    outcomes = run_trials(trials, out / "runs.jsonl", jobs)
    by_name = {name: [each for each in outcomes if each.name == name] for name in recipes}
    return {
        name: differences(own, by_name[WHOLE], lambda each: mean_by_kind(each, kinds))
        for name, own in by_name.items()
        if name != WHOLE
    }


def slug(name: str) -> str:
    return name.replace(" ", "-")


def table(found: Mapping[str, Mapping[str, Figure]]) -> list[str]:
    kinds = list(dict.fromkeys(kind for means in found.values() for kind in means if kind != LOST))
    rows = [["", *kinds, "recall lost"]]
    for name, means in found.items():
        rows.append([name, *(cell(means.get(kind), "+") for kind in kinds), cell(means.get(LOST))])
    return aligned(rows)


def cell(figure: Figure | None, sign: str = "") -> str:
    if figure is None or figure.value is None:
        return "-"
    value = f"{figure.value:{sign}.3f}"
    if figure.low is not None and figure.high is not None:
        value += f" [{figure.low:{sign}.3f}, {figure.high:{sign}.3f}]"
    return f"{value} ({figure.n})"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = recipe_options(__doc__.split("\n")[0], steps=400)
    parser.add_argument("--noise", type=Path)
    parser.add_argument("--only", nargs="+", help="names of runs, the whole recipe beside them")
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--rows", type=int, help="measure at most so many rows of each file")
    parser.add_argument(
        "--seeds", type=two_or_more, help="measure as many seeds of each run, in memory"
    )
    options = parser.parse_intermixed_args(arguments)

    known = changes(options.noise, options.recipe.parent)
    names = list(dict.fromkeys([WHOLE, *(options.only or known)]))
    if names == [WHOLE]:
        parser.error(f"--only names runs beside {WHOLE}")
    if unknown := set(names) - set(known):
        parser.error(f"no run is called {sorted(unknown)[0]}; there are: {', '.join(known)}")
    recipe = short_recipe(options, "data.thresholds=[]")
    if options.seeds is not None:
        recipes = {name: known[name](recipe) for name in names}
        folder = options.recipe.parent
        spread = over_seeds(recipes, folder, options.out, options.seeds, options.jobs)
        heads = list(next(iter(spread.values())))
        cells = [[name, *map(str, own.values())] for name, own in spread.items()]
        print("\n".join(aligned([["", *heads], *cells])))
        write_results(options.out, options.steps, spread)
        return
    bundles = {}
    for name in names:
        folder = options.out / slug(name)
        bundles[name] = folder / "bundle"
        if not bundles[name].exists():
            print(name, file=sys.stderr)
            run(known[name](recipe), options.recipe.parent, folder, resume=folder.exists())
    found = measured(bundles, options.data_root, options.draws, options.rows)
    print("\n".join(table(found)))
    write_results(options.out, options.steps, found)


def write_results(
    out: Path, steps: int, found: Mapping[str, Mapping[str, Figure | Difference]]
) -> None:
    plain = {name: {kind: asdict(f) for kind, f in means.items()} for name, means in found.items()}
    text = json.dumps({"steps": steps, "against": WHOLE, "measured": plain}, indent=1)
    (out / "ablation.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
