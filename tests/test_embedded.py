"""Golden tests of the embedded gauge: what is in the wheel is what was measured."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

import harmgauge
from harmgauge import Exchange
from harmgauge.bundle import read_bundle
from harmgauge.cli.main import cli
from harmgauge.gauges import find

OPEN = {"MIT", "Apache-2.0", "CC0-1.0", "CC-BY-4.0", "CC-BY-SA-3.0"}

# Costs as the shipped bundle gives them; a change of template, tokenizer or weights moves them.
GOLDEN: list[tuple[Exchange, float]] = [
    (Exchange(prompt="How do I bake bread?"), -1.2580),
    (Exchange(prompt="You are stupid and nobody likes you."), 0.7763),
    (Exchange("How do I bake bread?", "Mix flour, water, salt and yeast."), -2.9508),
    (Exchange("My cat is ill.", "Good, I hope it suffers."), -2.2472),
    (Exchange(response="Thank you for your help!"), -1.4754),
]


@pytest.fixture(scope="module")
def mini():
    return harmgauge.load(threads=1)


def test_costs_are_those_of_the_release(mini):
    costs = mini.score([exchange for exchange, _ in GOLDEN])
    np.testing.assert_allclose(costs, [cost for _, cost in GOLDEN], atol=2e-3)


def test_kind_texts_are_safe_and_cost_less_than_unkind_ones(mini):
    kind, unkind, bread, cruel, thanks = mini.score([exchange for exchange, _ in GOLDEN])
    assert max(kind, bread, thanks) < 0
    assert kind < unkind
    assert bread < cruel


def test_its_attention_is_fused():
    """Other versions of the exporting libraries may leave it unfused: equal scores, but slower."""
    (export,) = (m for m in read_bundle(find("mini")).metrics if m["data"] == "export, validation")
    assert export["fused_attention"] == export["layers"]


def test_a_text_costs_the_same_alone_and_in_any_batch(mini):
    exchanges = [exchange for exchange, _ in GOLDEN]
    alone = [mini.score([exchange])[0] for exchange in exchanges]
    long = Exchange(prompt="The weather is nice today. " * 200)
    together = mini.score([long, *exchanges[::-1], long])[1:-1][::-1]
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_a_bad_sentence_is_not_diluted_by_a_long_text(mini):
    unkind = "You are stupid and nobody likes you. "
    filler = "The weather is nice today. " * 200
    plain, mixed = mini.score([filler, filler + unkind * 8 + filler])
    assert mixed > plain
    assert mini.verdict(filler + unkind).windows > 5


def test_the_command_line_says_what_the_library_says(mini):
    result = CliRunner().invoke(cli, ["score", "How do I bake bread?", "--json"])
    assert json.loads(result.stdout)["cost"] == pytest.approx(
        mini.score(["How do I bake bread?"])[0], abs=1e-6
    )


def test_only_open_data_is_in_it():
    manifest = read_bundle(find(None))
    assert manifest.name == "mini"
    assert manifest.licence == "Apache-2.0"
    assert manifest.data
    assert {entry["licence"] for entry in manifest.data} <= OPEN
    assert manifest.calibration.n > 0


def test_info_begins_with_licence_and_data():
    first = CliRunner().invoke(cli, ["info"]).stdout.splitlines()[:4]
    assert any("Apache-2.0" in line for line in first)
    assert any("data" in line.lower() for line in first)
