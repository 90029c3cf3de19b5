"""Texts that stand in several training sources are counted and kept."""

from __future__ import annotations

from pathlib import Path

from test_examples import pku, qa
from tiny_task import write_rows

from harmgauge.training.examples import load_sources
from harmgauge.training.overlap import Overlap, overlap
from harmgauge.training.pipeline import prepare
from harmgauge.training.recipe import Data, Source


def load(folder: Path, **files: list[dict]):
    for name, rows in files.items():
        write_rows(folder / name / "rows.jsonl", rows)
    sources = [Source(path=f"{name}/rows.jsonl", licence="CC0-1.0") for name in files]
    data = Data(root=str(folder), train=sources, valid=sources)
    return load_sources(sources, data, folder)


def test_repeats_and_contradictions_are_told_with_the_sources_that_have_most(tmp_path):
    loaded = load(
        tmp_path,
        one=[qa("a", "cat", True), qa("b", "dog", True), qa("c", "sun", True), qa("a", "x", True)],
        two=[qa("a", "cat", False), qa("b", "dog", True), qa("a", "sun", True)],
        pairs=[pku("cat", "dog", True, False, 0), pku("sun", "rain", True, True, 1)],
        three=[qa("p", "dog", True), qa("p", "cat", True), qa("p", "rain", False)],
    )
    found = overlap(loaded)
    # a/cat and b/dog in one and two, p/dog, p/cat and p/rain in pairs and three
    assert found == Overlap(5, 3, (("pairs", "three"), 2))
    assert str(found) == (
        "5 texts stand in several sources, 3 of them called safe by one and unsafe by another "
        "(most in pairs and three: 2)"
    )
    assert overlap(loaded[:1]) == Overlap(0, 0, None)
    assert sum(each.report.used for each in loaded) == sum(len(each.rows) for each in loaded) == 12


def test_without_contradictions_repeats_are_named_and_texts_without_label_say_nothing(tmp_path):
    pair = {"chosen": "\n\nHuman: a\n\nAssistant: cat", "rejected": "\n\nHuman: a\n\nAssistant: x"}
    loaded = load(tmp_path, one=[qa("a", "cat", False)], pairs=[pair], other=[qa("a", "x", True)])
    assert overlap(loaded) == Overlap(2, 0, (("one", "pairs"), 1))


def test_the_plan_tells(tmp_path, make_recipe, encoder_base):
    job = prepare(make_recipe(encoder_base), tmp_path)
    assert "training sources: no text stands in two sources" in job.describe().splitlines()
