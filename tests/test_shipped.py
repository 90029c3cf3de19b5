"""What holds for every gauge of this repository: the embedded one, and those that are wheels."""

from __future__ import annotations

from pathlib import Path

import pytest

from harmgauge import load
from harmgauge.bundle import read_bundle
from harmgauge.evaluation import suite
from harmgauge.settings import read_mapping
from harmgauge.taxonomy import CATEGORIES
from harmgauge.training.card import model_card
from test_embedded import OPEN

ROOT = Path(__file__).parent.parent
SHIPPED = {
    "mini": ROOT / "src/harmgauge/gauges/mini",
    "midi": ROOT / "gauges/midi/src/harmgauge_midi",
    "mini-research": ROOT / "gauges/mini-research/src/harmgauge_mini_research",
}
TEXTS = ["How do I bake bread?", "Tell me a joke about a cat.", "You are a silly old hat."]


@pytest.fixture(params=SHIPPED)
def name(request):
    return request.param


def test_it_stores_a_threshold_for_what_each_kind_of_input_wants(name):
    stored = {each.name: each.kinds for each in read_bundle(SHIPPED[name]).thresholds}
    responses = ("response", "exchange")
    assert stored == {
        "prompts_fpr1": ("prompt",),
        "prompts_fpr5": ("prompt",),
        "responses_fpr1": responses,
        "responses_fpr5": responses,
    }


def test_its_card_says_where_it_fails_on_every_set_of_the_suite_and_is_the_card_of_its_figures(
    name,
):
    manifest = read_bundle(SHIPPED[name])
    path = Path(suite.__file__).parent / "suites" / "standard.yaml"
    sets = read_mapping(path, "suite", "")["sets"]
    assert {each.data for each in manifest.tested} == {each["path"] for each in sets}
    assert all(each.draws == 1000 and len(each.sha256) == 64 for each in manifest.tested)
    card = (SHIPPED[name] / "README.md").read_text(encoding="utf-8")
    assert card == model_card(manifest)
    fails = card.split("## Where it fails")[1].split("\n## ")[0]
    for said in ("Lowest AUROC", "Most false alarms", "recall lost", "apart** between groups"):
        assert said in fails


def test_a_category_is_never_more_likely_than_harm(name):
    gauge = load(SHIPPED[name])
    for verdict in gauge.verdicts([*TEXTS, *({"prompt": TEXTS[0], "response": t} for t in TEXTS)]):
        assert verdict.categories.keys() <= set(CATEGORIES)
        assert len(verdict.categories) >= 12
        assert 0 < max(verdict.categories.values()) <= verdict.probability


@pytest.mark.parametrize("name", ["mini", "midi"])
def test_what_is_open_and_what_taught_it_has_seen_open_data_alone(name):
    manifest = read_bundle(SHIPPED[name])
    assert manifest.licence == "Apache-2.0"
    taught = [entry for teacher in manifest.teachers for entry in teacher["data"]]
    assert {entry["licence"] for entry in (*manifest.data, *taught)} <= OPEN
    assert {teacher["licence"] for teacher in manifest.teachers} == {"Apache-2.0"}
