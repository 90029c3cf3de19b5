"""The runs of `benchmarks/ablation.py`: each differs from the recipe in the one thing it names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("accelerate")

from harmgauge.evaluation.figures import Figure
from harmgauge.training.recipe import read_recipe

RECIPE = """
name: whole
licence: Apache-2.0
base: base
data:
  train:
    - {path: chats.jsonl, licence: MIT, refusal_first: 0.3}
    - {path: chats.jsonl, licence: MIT, name: asked, part: prompt, label: 0}
    - {path: chats.jsonl, licence: MIT, name: taught, unlabelled: true}
    - {path: "templates:twins:train", licence: Apache-2.0, cap: 10}
    - {path: chats.jsonl, licence: MIT, name: refused, refused: train}
  valid:
    - {path: chats.jsonl, licence: MIT}
distil: {teachers: [teacher.npz]}
loss: {sign: 0.3}
optim: {ema: 0.99}
"""


@pytest.fixture
def ablation(monkeypatch):
    monkeypatch.syspath_prepend("benchmarks")
    import ablation

    return ablation


def test_each_run_differs_in_the_one_thing_it_names(ablation, tmp_path):
    chats = [
        {"prompt": f"Which tea is number {n}?", "response": "The green one.", "is_safe": n % 2 == 0}
        for n in range(8)
    ]
    (tmp_path / "chats.jsonl").write_text("".join(json.dumps(row) + "\n" for row in chats))
    (tmp_path / "whole.yaml").write_text(RECIPE)
    whole = read_recipe(tmp_path / "whole.yaml", [f"data.root={tmp_path}"])
    runs = {
        name: change(whole)
        for name, change in ablation.changes(tmp_path / "noise.json", tmp_path).items()
    }
    names = {
        name: [source.name or source.path.split(":")[0] for source in run.data.train]
        for name, run in runs.items()
    }
    every = ["chats.jsonl", "asked", "taught", "templates", "refused"]
    assert names.pop("without templates") == [*every[:3], "refused"]
    assert names.pop("without refusals") == every[:4]
    assert names.pop("without a teacher") == ["chats.jsonl", "asked", "templates", "refused"]
    assert names.pop("prompts alone") == ["asked", "templates"]
    assert names.pop("responses and exchanges alone") == ["chats.jsonl", "taught", "refused"]
    assert all(found == every for found in names.values())

    taught, alone = whole.loss.sign, runs["without a teacher"]
    assert (taught, alone.loss.sign, alone.distil) == (0.3, 1.0, None)
    assert not any(s.refusal_first for s in runs["without refusals"].data.train)
    caps = [source.cap for source in runs["a third of the templates"].data.train]
    assert caps == [None, None, None, 3, None]
    assert not runs["without cleaning"].data.clean
    assert (whole.optim.ema, runs["without averaged weights"].optim.ema) == (0.99, None)
    assert runs["doubted labels weighed down"].data.weights == str(tmp_path / "noise.json")
    changed = {name for name, run in runs.items() if run != whole}
    assert changed == set(runs) - {ablation.WHOLE}


def test_a_figure_without_an_interval_is_shown(ablation):
    assert ablation.cell(Figure(0.25, 3), "+") == "+0.250 (3)"
    assert ablation.cell(Figure(0.25, 3, 0.2, 0.3)) == "0.250 [0.200, 0.300] (3)"


def test_the_recipe_of_the_ablations_can_be_read(ablation):
    recipe = read_recipe(Path("benchmarks/ablation.yaml"), [])
    templates = [source for source in recipe.data.train if ablation.is_made(source.path)]
    assert all(source.cap for source in templates)
    assert any(source.refused for source in recipe.data.train)


def test_a_recipe_is_not_taken_apart_where_nothing_would_be_left(ablation, tmp_path):
    (tmp_path / "whole.yaml").write_text(RECIPE)
    whole = read_recipe(tmp_path / "whole.yaml")
    with pytest.raises(SystemExit, match="none of its sources"):
        ablation.only(whole, lambda source: False)


def test_a_run_that_is_as_the_whole_recipe_differs_from_it_in_nothing(
    ablation, tiny_bundle, tmp_path, monkeypatch
):
    chats = [
        {"prompt": f"{word} {n}?", "response": f"{word} {n}.", "is_safe": (n + len(word)) % 2 == 0}
        for n in range(12)
        for word in ("cat", "tree")
    ]
    (tmp_path / "chats.jsonl").write_text("".join(json.dumps(row) + "\n" for row in chats))
    (tmp_path / "suite.yaml").write_text(
        "name: short\nsets:\n  - {path: chats.jsonl, name: chats}\n"
        '  - {path: "templates:twins:valid", name: made, cap: 40}\n'
    )
    monkeypatch.setattr(ablation, "SUITE", tmp_path / "suite.yaml")
    monkeypatch.setattr(ablation, "default_folder", lambda: tmp_path / "cache")
    bundles = {ablation.WHOLE: tiny_bundle, "same": tiny_bundle}
    found = ablation.measured(bundles, tmp_path, draws=20)

    same = found["same"]
    assert {kind: mean.value for kind, mean in same.items() if kind != ablation.LOST} == {
        "exchange": 0.0,
        "all": 0.0,
        "templates": 0.0,
    }
    assert found[ablation.WHOLE] == {ablation.LOST: same[ablation.LOST]}
    header, whole, row = ablation.table(found)
    assert header.split() == ["exchange", "all", "templates", "recall", "lost"]
    assert "+0.000 [+0.000, +0.000] (1)" in row
    assert whole.split()[3:6] == ["-", "-", "-"]
    assert "+" not in whole
