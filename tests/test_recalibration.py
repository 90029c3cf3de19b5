import math
from dataclasses import replace

import numpy as np
import pytest

from harmgauge.bundle import read_bundle
from harmgauge.calibration import Calibration
from harmgauge.data.row import Item, Row
from harmgauge.errors import DataError, RecipeError
from harmgauge.exchange import Exchange
from harmgauge.recalibration import (
    Labelled,
    check_name,
    find_thresholds,
    recalibrate,
    rescale,
    store,
)

BENT = Calibration(-0.5, 3.0, 0.5, "own", 9, knots=((-1.0, -4.0), (0.0, 0.0), (0.5, 3.0)))


@pytest.fixture
def manifest(tiny_bundle):
    return read_bundle(tiny_bundle)


def row(number, prompt, *items):
    made = (Item(Exchange(prompt, response), unsafe) for response, unsafe in items)
    return Row(f"own.jsonl:{number}", "own", tuple(made))


ROWS = [
    row(1, "a cat", ("runs", 0.0), ("sits", 0.0)),
    row(2, "A cat!", ("please", 0.25)),
    row(3, "a cat", ("rain", 1.0)),
    row(4, "a dog", (" ", 0.0)),
    row(5, "a dog", ("runs", 0.5)),
    row(6, "a tree", ("grow", None)),
    row(7, "snow", ("nice", 0.0)),
]


def texts(n=2000, seed=0):
    """Labelled texts, two a prompt, and raw scores that tell them apart."""
    random = np.random.default_rng(seed)
    label = (random.random(n) < 0.3).astype(float)
    raw = random.normal(size=n) + 2 * label
    exchanges = [Exchange(f"number {i // 2}", f"answer {i}") for i in range(n)]
    return Labelled(exchanges, label, [f"number {i // 2}" for i in range(n)], 0), raw


def test_labelled_texts_are_all_but_blank_ones():
    labelled = Labelled.of(ROWS)
    assert labelled.label.tolist() == [0, 0, 0.25, 1, 0.5, 0]
    assert labelled.unsafe.tolist() == [False, False, False, True, True, False]
    assert labelled.blank == 1
    assert len(set(labelled.prompt)) == 3


def test_one_text_a_prompt_and_kind_whatever_the_order():
    labelled, backwards = Labelled.of(ROWS), Labelled.of(ROWS[::-1])
    chosen = labelled.take(labelled.one_a_prompt())
    assert sorted(zip(chosen.prompt, chosen.unsafe.tolist(), strict=True)) == [
        *(("a cat", False), ("a cat", True)),
        *(("a dog", True), ("snow", False)),
    ]
    again = backwards.take(backwards.one_a_prompt())
    assert set(again.exchanges) == set(chosen.exchanges)
    assert chosen.take(chosen.one_a_prompt()).exchanges == chosen.exchanges


def test_halves_go_by_prompt():
    labelled, _ = texts()
    half = labelled.held_out()
    assert (half[::2] == half[1::2]).all()
    assert 0.4 < half.mean() < 0.6


def test_thresholds_rest_on_one_safe_text_a_prompt(manifest):
    labelled, raw = texts()
    ((five, reached), (one, _)) = find_thresholds(
        manifest, labelled, raw, [0.05, 0.01], data="own", sha256=("ab",)
    )
    sample = labelled.one_a_prompt()
    safe = raw[sample][~labelled.unsafe[sample]]
    assert (five.name, one.name) == ("fpr5", "fpr1")
    assert five.n == len(safe) < 1000
    assert five.sha256 == ("ab",)
    assert (manifest.calibration.cost(safe) >= five.cost).mean() < 0.05
    assert five.cost < one.cost
    assert reached.size == labelled.unsafe[sample].sum()
    assert 0.2 < reached.mean() < 0.8


@pytest.mark.parametrize("method", ["bias", "platt", "isotonic"])
def test_the_scale_fits_the_labels_and_the_order_stays(manifest, method):
    pytest.importorskip("scipy")
    labelled, raw = texts(4000)
    new = recalibrate(manifest, labelled, raw, method, "own")
    figures = new.metrics[-1]
    assert figures["n"] == labelled.held_out().sum()
    assert figures["brier"] < figures["brier_before"]
    assert figures["ece"] < figures["ece_before"]
    assert new.calibration.data == "own, half of prompts"
    assert new.calibration.n == 4000 - figures["n"]
    assert (np.diff(new.calibration.cost(np.sort(raw))) > 0).all()
    assert bool(new.calibration.knots) == (method == "isotonic")
    if method == "bias":
        assert new.calibration.temperature == manifest.calibration.temperature
    # The same texts as before reach a stored threshold.
    flagged = manifest.calibration.cost(raw) >= manifest.thresholds[0].cost
    assert 0 < flagged.sum() < len(raw)
    assert ((new.calibration.cost(raw) >= new.thresholds[0].cost) == flagged).all()


@pytest.mark.parametrize("method", ["bias", "platt"])
def test_labels_of_one_kind_are_refused(manifest, method):
    labelled, raw = texts(100)
    alike = replace(labelled, label=np.zeros(100))
    with pytest.raises(DataError, match="own that a calibration is fitted to"):
        recalibrate(manifest, alike, raw, method, "own")


def test_isotonic_needs_many_of_each_kind(manifest):
    labelled, raw = texts(998)
    with pytest.raises(DataError, match="isotonic takes 1000, at least 100 of each"):
        recalibrate(manifest, labelled, raw, "isotonic", "own")
    labelled, raw = texts(2000)
    rare = replace(labelled, label=(np.arange(2000) < 99).astype(float))
    with pytest.raises(DataError, match="1901 safe and 99 unsafe"):
        recalibrate(manifest, rare, raw, "isotonic", "own")


def test_a_threshold_keeps_its_place_on_a_scale_that_bends_and_back(manifest):
    raw = np.linspace(-5, 5, 2001)
    bent = rescale(manifest, BENT)
    flagged = manifest.calibration.cost(raw) >= manifest.thresholds[0].cost
    assert ((BENT.cost(raw) >= bent.thresholds[0].cost) == flagged).all()
    back = rescale(bent, manifest.calibration).thresholds[0]
    assert back.cost == pytest.approx(manifest.thresholds[0].cost, abs=1e-12)
    assert replace(back, cost=0.75) == manifest.thresholds[0]


def test_figures_of_the_earlier_scale_say_so_once(manifest):
    entries = ({"data": "a", "n": 1, "auroc": 0.5}, {"data": "b", "n": 2, "ece": 0.1})
    twice = rescale(rescale(replace(manifest, metrics=entries), BENT), BENT)
    assert [entry["data"] for entry in twice.metrics] == ["a", "b (earlier scale)"]


def test_another_prior_moves_costs_and_thresholds_alike(manifest):
    moved = rescale(manifest, manifest.calibration.at_prior(0.01))
    shift = math.log(0.01 / 0.99) - math.log(0.25 / 0.75)
    assert moved.thresholds[0].cost == pytest.approx(0.75 + shift)
    assert moved.calibration.cost(1.0) == pytest.approx(manifest.calibration.cost(1.0) + shift)


def test_a_threshold_of_the_same_name_is_replaced(manifest):
    first = manifest.thresholds[0]
    changed, other = replace(first, cost=2.0), replace(first, name="fpr5")
    assert store(manifest, [changed, other]).thresholds == (changed, other)
    assert store(manifest, [other]).thresholds == (first, other)


@pytest.mark.parametrize("name", ["", "1", "nan", "-inf", "two words", "a,b"])
def test_names_that_could_not_be_asked_for_are_refused(name):
    with pytest.raises(RecipeError, match="cannot name a threshold"):
        check_name(name)
    check_name("prompts_fpr1")
