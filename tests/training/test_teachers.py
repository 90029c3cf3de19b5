"""Teachers: their costs become targets, are kept, and are told of in the bundle."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_task import texts, write_rows

import harmgauge
from harmgauge.bundle import read_bundle
from harmgauge.cli.main import cli
from harmgauge.data.row import Item, Row
from harmgauge.errors import HarmgaugeError, RecipeError
from harmgauge.training import teachers
from harmgauge.training.examples import Example, LoadedSource, SourceReport
from harmgauge.training.pipeline import prepare, run
from harmgauge.training.recipe import Source
from harmgauge.training.teachers import provenance, taught, teacher_costs
from tiny import make_bundle, make_encoder

CHATS = [harmgauge.Exchange(prompt="hello", response=text) for text, _ in texts(5, 20)]


def loaded_source(exchanges: list[harmgauge.Exchange], **said: Any) -> LoadedSource:
    rows = [
        Row(id=str(n), source="made up", items=(Item(exchange),))
        for n, exchange in enumerate(exchanges)
    ]
    source = Source(path="made-up.jsonl", licence="CC0-1.0", **said)
    return LoadedSource(source, rows, SourceReport("made up", "CC0-1.0"), "made-up.jsonl")


def examples(count: int, *, unsafe: float) -> list[Example]:
    return [
        Example(str(n), "made up", str(n), ids=([1, 2],), unsafe=(unsafe,), safer=None, weight=1)
        for n in range(count)
    ]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HARMGAUGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "teachers"


@pytest.fixture(scope="module")
def teacher(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("teacher")
    model, tokenizer = make_encoder()
    model.save(folder / "model", tokenizer)
    files = {path.name: path for path in (folder / "model").iterdir()}
    return make_bundle(folder / "bundle", "wise", model, "torch", files)


def test_costs_are_those_of_the_gauge_and_scored_once(teacher, cache, monkeypatch):
    expected = harmgauge.load(teacher).score(CHATS)
    monkeypatch.setattr(teachers, "CHUNK", 7)
    assert teacher_costs(teacher, CHATS[:15], quiet=True) == pytest.approx(expected[:15], abs=1e-4)
    loaded = []
    real = teachers.load
    monkeypatch.setattr(teachers, "load", lambda *a, **o: loaded.append(a) or real(*a, **o))
    assert teacher_costs(teacher, CHATS, quiet=True) == pytest.approx(expected, abs=1e-4)
    assert len(loaded) == 1  # for the five that were new
    again = teacher_costs(teacher, CHATS[::-1], quiet=True)
    assert again == pytest.approx(expected[::-1], abs=1e-4)
    assert len(loaded) == 1
    (file,) = cache.iterdir()
    assert file.name == f"{read_bundle(teacher).id}.npz"
    assert b"hello" not in file.read_bytes()


def test_a_broken_cache_is_scored_anew(teacher, cache):
    cache.mkdir(parents=True)
    (cache / f"{read_bundle(teacher).id}.npz").write_bytes(b"PK half")
    assert np.isfinite(teacher_costs(teacher, CHATS, quiet=True)).all()


def test_a_cache_that_cannot_be_written_is_named(teacher, cache):
    cache.parent.mkdir()
    cache.write_text("in the way")
    with pytest.raises(HarmgaugeError, match="HARMGAUGE_CACHE"):
        teacher_costs(teacher, CHATS, quiet=True)


def test_a_file_of_costs_teaches_where_the_teacher_is_not(tmp_path, teacher, cache):
    expected = teacher_costs(teacher, CHATS[:15], quiet=True)
    (kept,) = cache.iterdir()
    file = kept.rename(tmp_path / "teacher.npz")
    sources = [loaded_source(CHATS)]
    (told,) = provenance([str(file)])
    assert told == provenance([str(teacher)])[0]
    assert told["gauge"] == read_bundle(teacher).id

    labelled = examples(len(CHATS), unsafe=1.0)
    found = [example.teacher[0] for example in taught(labelled, sources, [str(file)])]
    assert found[:15] == pytest.approx(expected.tolist())
    assert np.isnan(found[15:]).all()
    # A teacher that gives no cost leaves the text to the others.
    both = taught(labelled, sources, [str(file), str(teacher)], quiet=True)
    assert [e.teacher[0] for e in both] == pytest.approx(
        harmgauge.load(teacher).score(CHATS).tolist(), abs=1e-4
    )
    # Without a label either, the text teaches nothing.
    bare = examples(len(CHATS), unsafe=math.nan)
    assert [e.id for e in taught(bare, sources, [str(file)])] == [e.id for e in bare[:15]]


def test_no_teacher_is_asked_about_a_source_that_is_not_taught(teacher, cache):
    sources = [loaded_source(CHATS[:4], taught=False), loaded_source(CHATS[4:10])]
    labelled = examples(4, unsafe=0.0) + examples(6, unsafe=1.0)
    found = taught(labelled, sources, [str(teacher)] * 2, quiet=True)
    costs = [example.teacher[0] for example in found]
    assert np.isnan(costs[:4]).all()
    expected = harmgauge.load(teacher).score(CHATS[4:10])
    assert costs[4:] == pytest.approx(expected, abs=1e-4)
    (file,) = cache.iterdir()
    assert len(np.load(file)["keys"]) == 6
    untaught = taught(labelled[:4], sources[:1], [str(teacher)], quiet=True)
    assert [example.id for example in untaught] == [example.id for example in labelled[:4]]


def test_rows_without_label_and_teacher_are_refused():
    with pytest.raises(ValueError, match="taught is false"):
        Source(path="a.jsonl", licence="MIT", unlabelled=True, taught=False)


@pytest.mark.parametrize("content", [None, b"PK half"])
def test_a_file_of_costs_that_cannot_be_read_is_named(tmp_path, content):
    file = tmp_path / "costs.npz"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(HarmgaugeError, match=r"costs\.npz"):
        provenance([str(file)])


def test_every_sequence_gets_the_mean_cost_of_its_text(
    tmp_path, make_recipe, encoder_base, teacher
):
    job = prepare(make_recipe(encoder_base), tmp_path)
    examples = taught(job.train, job.train_sources, [str(teacher)] * 2, quiet=True)
    gauge = harmgauge.load(teacher)
    rows = [row for loaded in job.train_sources for row in loaded.rows]
    for number in (0, 77, 200, 299):
        assert examples[number].id == rows[number].id
        expected = gauge.score([item.exchange for item in rows[number].items])
        assert examples[number].teacher == pytest.approx(expected.tolist(), abs=1e-4)


@pytest.mark.slow
def test_a_student_of_unlabelled_texts_follows_its_teacher(
    tmp_path, make_recipe, encoder_base, teacher, data_folder
):
    rows = [{"prompt": f"p {i}", "response": text} for i, (text, _) in enumerate(texts(8, 300))]
    write_rows(tmp_path / "bare" / "train.jsonl", rows)
    bare = {"path": str(tmp_path / "bare" / "train.jsonl"), "licence": "CC0-1.0"}
    singles = {"path": "singles/valid.jsonl", "licence": "CC0-1.0"}
    recipe = make_recipe(
        encoder_base,
        data={
            "root": str(data_folder),
            "train": [{**bare, "unlabelled": True}],
            "valid": [singles],
        },
        distil={"teachers": [str(teacher)], "temperature": 2.0},
        optim={"learning_rate": 3e-3, "batch_tokens": 256, "epochs": 6},
        calibrate=False,
        storage="fp32",
        runtime="torch",
    )
    bundle = run(recipe, tmp_path, tmp_path / "run", quiet=True)
    gauge = harmgauge.load(bundle)
    (told,) = gauge.manifest.teachers
    assert told["gauge"] == read_bundle(teacher).id
    assert (told["licence"], told["base"]) == ("CC0-1.0", "tiny")
    assert told["data"] == [{"source": "made up", "licence": "CC0-1.0", "rows": 100}]
    further = recipe.model_copy(update={"base": f"gauge:{bundle}"})
    assert prepare(further, tmp_path).teachers == (told,)  # named once
    card = (bundle / "README.md").read_text(encoding="utf-8")
    assert f"| {told['gauge']} | CC0-1.0 | tiny | made up (CC0-1.0) |" in card
    log = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    assert '"distil"' in log[1]
    assert '"sign"' not in log[1]

    # The best by validation labels may be an early one: what was learnt is in the checkpoint.
    from safetensors.torch import load_file

    from harmgauge.training.monitor import score_examples

    job = prepare(recipe, tmp_path)
    job.model.load_state_dict(load_file(tmp_path / "run" / "checkpoint" / "model.safetensors"))
    examples = taught(job.train, job.train_sources, [str(teacher)], quiet=True)
    costs = np.concatenate(score_examples(job.model, examples))
    targets = np.concatenate([example.teacher for example in examples])
    assert np.corrcoef(costs, targets)[0, 1] > 0.6


def test_info_names_the_teachers(tmp_path, teacher):
    from dataclasses import replace

    from click.testing import CliRunner

    from harmgauge.bundle import write_bundle

    manifest = read_bundle(teacher)
    files = {name: teacher / name for name in manifest.files}
    told = teachers.provenance([str(teacher)])
    write_bundle(tmp_path / "student", replace(manifest, teachers=told), files)
    assert read_bundle(tmp_path / "student").teachers == told
    assert "teachers" not in manifest.to_dict()  # an older gauge keeps its id
    result = CliRunner().invoke(cli, ["info", str(tmp_path / "student")])
    assert f"teacher      {manifest.id}, licence CC0-1.0" in result.output
    # The teachers of a teacher are told of too.
    assert [each["gauge"] for each in teachers.provenance([str(tmp_path / "student")])] == [
        manifest.id,
        read_bundle(tmp_path / "student").id,
    ]


@pytest.mark.slow
def test_an_open_student_has_open_teachers(tmp_path, make_recipe, encoder_base, teacher):
    from dataclasses import replace

    from harmgauge.bundle import write_bundle

    manifest = read_bundle(teacher)
    files = {name: teacher / name for name in manifest.files}
    closed = {"source": "kept", "licence": "CC-BY-NC-4.0", "rows": 5}
    write_bundle(tmp_path / "weights", replace(manifest, licence="CC-BY-NC-4.0"), files)
    write_bundle(tmp_path / "data", replace(manifest, data=(closed,)), files)
    for folder, said in (("weights", "teacher wise@"), ("data", "kept, which teacher wise@")):
        distil = {"teachers": [str(tmp_path / folder)]}
        with pytest.raises(RecipeError, match=rf"CC0-1.0 is open, but {said}.* CC-BY-NC-4.0"):
            prepare(make_recipe(encoder_base, distil=distil), tmp_path)
        prepare(make_recipe(encoder_base, distil=distil, licence="CC-BY-NC-4.0"), tmp_path)
    with pytest.raises(RecipeError, match="kept, which the base or a merged gauge learnt from"):
        prepare(make_recipe(f"gauge:{tmp_path / 'data'}"), tmp_path)


def test_teachers_alone_can_teach_but_not_without_weight(
    tmp_path, make_recipe, encoder_base, teacher
):
    distil = {"teachers": [str(teacher)]}
    loss = {"rank": 0, "sign": 0}
    prepare(make_recipe(encoder_base, distil=distil, loss=loss), tmp_path)
    with pytest.raises(RecipeError, match="nothing can be learnt"):
        prepare(make_recipe(encoder_base, distil=distil, loss={**loss, "distil": 0}), tmp_path)


def test_what_a_teacher_cannot_judge_gives_no_target():
    import torch

    from harmgauge.training.losses import distil_term

    cost = torch.tensor([0.3, 5.0], requires_grad=True)
    term = distil_term(cost, torch.tensor([0.3, math.nan]), torch.ones(2), 1.0)
    assert term.item() == pytest.approx(0, abs=1e-6)
    term.backward()
    assert cost.grad.tolist() == pytest.approx([0, 0], abs=1e-6)
