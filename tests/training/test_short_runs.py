"""Short runs side by side (`benchmarks/short_runs.py`), and the search of a mixture by them."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("accelerate")

from harmgauge.training.recipe import read_recipe


@pytest.fixture
def short_runs(monkeypatch):
    monkeypatch.syspath_prepend("benchmarks")
    import short_runs

    return short_runs


@pytest.fixture
def mixture(short_runs):
    import mixture

    return mixture


@pytest.fixture
def recipe(make_recipe, encoder_base):
    optim = {"learning_rate": 3e-3, "batch_tokens": 256, "max_steps": 4}
    return make_recipe(encoder_base, optim=optim, evaluate={"every": 4, "choose": "last"})


def test_runs_of_a_seed_are_the_same_and_are_not_run_twice(
    short_runs, recipe, tmp_path, monkeypatch
):
    rows = short_runs.make_rows(recipe, tmp_path, tmp_path / "rows.pickle")
    trials = [short_runs.Trial(name, rows, seed) for name in ("one", "two") for seed in (0, 1)]
    results = tmp_path / "runs.jsonl"
    outcomes = short_runs.run_trials(trials, results, 1)

    one, two = outcomes[:2], outcomes[2:]
    assert [(each.name, each.seed, each.steps) for each in one] == [("one", 0, 4), ("one", 1, 4)]
    assert [each.auroc for each in one] == [each.auroc for each in two]
    assert one[0].auroc != one[1].auroc
    kinds = short_runs.read_rows(rows).kinds
    same = short_runs.differences(one, two, lambda each: short_runs.mean_by_kind(each, kinds))
    assert set(same) == {"all", "exchange", "pairs"}
    assert str(same["all"]) == "+0.000 [+0.000, +0.000]"

    with results.open("a") as log:
        log.write('{"name": "cut sh')  # by a kill
    for made in ("run_trial", "prepare"):
        monkeypatch.setattr(short_runs, made, None)
    assert short_runs.run_trials(trials, results, 1) == outcomes
    assert short_runs.read_outcomes(results) == outcomes
    assert short_runs.make_rows(recipe, tmp_path, rows) == rows
    other = recipe.model_copy(update={"seed": 7})
    with pytest.raises(SystemExit, match="made with other settings"):
        short_runs.make_rows(other, tmp_path, rows)


@pytest.mark.slow  # each process loads torch
def test_runs_in_processes_of_their_own_are_the_same(short_runs, recipe, tmp_path):
    rows = short_runs.make_rows(recipe, tmp_path, tmp_path / "rows.pickle")
    trials = [short_runs.Trial("one", rows, seed) for seed in (0, 1)]
    alone = short_runs.run_trials(trials, tmp_path / "alone.jsonl", 1)
    found = short_runs.run_trials(trials, tmp_path / "two.jsonl", 2)
    assert [(each.seed, each.steps) for each in found] == [(0, 4), (1, 4)]
    for one, other in zip(alone, found, strict=True):  # up to the order of sums
        assert other.auroc == pytest.approx(one.auroc, abs=0.02)


def test_a_run_has_a_head_of_its_own_and_reads_batches_as_the_machine_can(
    short_runs, recipe, tmp_path, monkeypatch
):
    seen = []

    def stopped(model, *_, **__):
        seen.append((model.packing, model.head.weight.sum().item()))
        raise KeyboardInterrupt

    monkeypatch.setattr(short_runs, "train", stopped)
    rows = short_runs.make_rows(recipe, tmp_path, tmp_path / "rows.pickle")
    prepared = short_runs.read_rows(rows).model
    for seed in (0, 1):
        with pytest.raises(KeyboardInterrupt):
            short_runs.run_trial(short_runs.Trial("run", rows, seed))
    packings, heads = zip(*seen, strict=True)
    assert set(packings) == {prepared.packing}
    assert len({*heads, prepared.head.weight.sum().item()}) == 3


def test_a_group_gets_its_share_and_weight_and_what_no_group_names_stays(
    short_runs, recipe, tmp_path
):
    rows = short_runs.make_rows(recipe, tmp_path, tmp_path / "rows.pickle")
    examples = short_runs.read_rows(rows).train
    factors = short_runs.Factors({"singles": "some"}, share={"some": 0.5}, weight={"some": 4.0})
    trial = short_runs.Trial("drawn", rows, 0, factors)
    mixed = short_runs.mixed(examples, trial)

    pairs = [each for each in examples if each.source == "pairs"]
    assert [each for each in mixed if each.source == "pairs"] == pairs
    singles = [each for each in mixed if each.source == "singles"]
    assert 0.35 < len(singles) / (len(examples) - len(pairs)) < 0.65
    assert {each.weight for each in singles} == {4.0}
    assert short_runs.mixed(examples, replace(trial, factors=None)) == examples
    few = short_runs.with_passes_enough(recipe, examples[:4])
    assert few.optim.epochs > short_runs.with_passes_enough(recipe, examples).optim.epochs


def test_differences_are_between_runs_of_the_same_seeds(short_runs):
    def outcome(seed, value):
        return short_runs.Outcome("run", seed, 1, {"chats": value}, {})

    ours = [outcome(0, 0.7), outcome(1, 0.9)]
    theirs = [outcome(0, 0.6), outcome(1, 0.6)]
    found = short_runs.differences(ours, theirs, lambda each: each.auroc)["chats"]
    # Two differences, .1 and .3: t with one degree of freedom, times a standard error of .1.
    assert found.value == pytest.approx(0.2)
    assert found.high - found.value == pytest.approx(12.706 * 0.1, rel=1e-3)
    for others in (theirs[::-1], theirs[:1]):
        with pytest.raises(ValueError, match="same seeds"):
            short_runs.differences(ours, others, lambda each: each.auroc)


def test_the_search_finds_what_raises_the_score_and_knows_noise(mixture):
    logs = mixture.draw(64, 2, seed=0)
    assert (logs >= -2).all()
    assert (logs <= [2, 2, 0, 0]).all()
    noise = np.random.default_rng(0).normal(size=64)
    exposures = mixture.exposure(logs)
    assert exposures == pytest.approx(-exposures[:, ::-1])  # of two groups
    found = mixture.fit(logs, 0.8 + 0.01 * exposures[:, 0] + 0.001 * noise)
    assert found.best[0] > 1
    assert found.r2 > 0.9
    assert found.effects[0] - found.effects[1] == pytest.approx(0.01, rel=0.1)
    assert mixture.fit(logs, noise).r2 < 0.2
    factors = mixture.factors(np.array([1.0, -1.0, 0.0, -2.0]), ["talk", "posts"], {})
    assert factors.weight == {"talk": 2.0, "posts": 0.5}
    assert factors.share == {"talk": 1.0, "posts": 0.25}


def test_a_group_of_an_unknown_source_is_refused(mixture):
    assert mixture.group_of(["chats"], {"talk": ["chats"]}) == {"chats": "talk"}
    with pytest.raises(SystemExit, match="posts of the group talk"):
        mixture.group_of(["chats"], {"talk": ["chats", "posts"]})


def test_the_groups_of_the_search_name_sources_of_its_recipe(mixture):
    recipe = read_recipe(mixture.GROUPS.parent / "mixture.yaml", [])
    names = {
        source.name or source.path.removeprefix("templates:").split(":")[0].split("/")[0]
        for source in recipe.data.train
    }
    groups = mixture.yaml.safe_load(mixture.GROUPS.read_text(encoding="utf-8"))
    found = mixture.group_of(names, groups)
    assert len(found) == sum(map(len, groups.values()))  # none stands in two groups
    refused = {source.name for source in recipe.data.train if source.refused}
    assert names - set(found) == refused


@pytest.mark.slow
def test_a_search_says_what_it_chose_and_how_that_does(
    mixture, recipe, data_folder, encoder_base, tmp_path, monkeypatch, capsys
):
    made = recipe.model_dump_json(by_alias=True, exclude_unset=True)
    (tmp_path / "search.yaml").write_text(made)  # JSON is YAML
    (tmp_path / "groups.yaml").write_text("talk: [singles]\nchoices: [pairs]\n")
    arguments = (
        f"mixture.py {tmp_path / 'search.yaml'} --base {encoder_base} --data-root {data_folder} "
        f"--out {tmp_path / 'out'} --groups {tmp_path / 'groups.yaml'} --draws 4 --seeds 2 "
        "--steps 2 optim.learning_rate=1e-3"
    )
    monkeypatch.setattr("sys.argv", arguments.split())
    mixture.main()
    said = capsys.readouterr().out
    assert "4 drawn mixtures" in said
    assert "2 seeds each" in said
    found = json.loads((tmp_path / "out" / "mixture.json").read_text())
    assert set(found["chosen"]) == set(found["fits"]["all"]["effects"]) == {"talk", "choices"}
    assert len(found["own"]) == 2
    assert found["against"]["all"]["seeds"] == 2
