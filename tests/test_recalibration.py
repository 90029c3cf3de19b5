import math
from dataclasses import replace

import numpy as np
import pytest

from harmgauge.bundle import KEPT, read_bundle
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
    untouched,
)
from harmgauge.scales import Scales

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


def test_scores_that_tell_no_text_from_another_are_not_calibrated(manifest):
    labelled, raw = texts(60)
    jitter = 1e-8 * np.random.default_rng(0).normal(size=len(raw))
    for method in ("bias", "platt"):
        with pytest.raises(DataError, match="have the same raw score"):
            recalibrate(manifest, labelled, -0.25 + jitter, method, "own")
    raw[~labelled.held_out()] = 3.0  # of those that it is fitted to
    with pytest.raises(DataError, match="have the same raw score"):
        recalibrate(manifest, labelled, raw, "platt", "own")


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
    with pytest.raises(DataError, match=r"own has \d+ safe and 0 unsafe texts; add"):
        recalibrate(manifest, alike, raw, method, "own")
    doubtful = replace(labelled, label=np.where(np.arange(100) % 2, 0.4, 0.0))  # none is unsafe
    with pytest.raises(DataError, match=r"and 0 unsafe texts; add"):
        recalibrate(manifest, doubtful, raw, method, "own")


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
    bent = rescale(manifest, Scales(BENT))
    flagged = manifest.calibration.cost(raw) >= manifest.thresholds[0].cost
    assert ((BENT.cost(raw) >= bent.thresholds[0].cost) == flagged).all()
    back = rescale(bent, manifest.scales).thresholds[0]
    assert back.cost == pytest.approx(manifest.thresholds[0].cost, abs=1e-12)
    assert replace(back, cost=0.75) == manifest.thresholds[0]


PROMPTS = Calibration(0.3, 2.0, 0.4, "made up", 50)


@pytest.fixture
def by_kind(manifest):
    """A gauge whose prompts have a scale of their own."""
    return replace(manifest, calibration_by_kind={"prompt": PROMPTS})


def mixed(n=2000):
    """Half prompts alone, half exchanges, and raw scores on which the two differ."""
    labelled, raw = texts(n)
    prompt = np.arange(n) % 4 < 2  # both texts of a prompt are of one kind
    exchanges = [
        Exchange(f"{each.prompt} {each.response}") if alone else each
        for each, alone in zip(labelled.exchanges, prompt, strict=True)
    ]
    return replace(labelled, exchanges=exchanges), raw + 3 * prompt


def test_each_scale_is_fitted_on_the_texts_of_its_kind(by_kind):
    labelled, raw = mixed()
    new = recalibrate(by_kind, labelled, raw, "platt", "own")
    prompts, test = labelled.kinds == "prompt", labelled.held_out()
    assert new.calibration_by_kind["prompt"].n == (prompts & ~test).sum()
    assert new.calibration.n == (~prompts & ~test).sum()
    assert new.metrics[-1]["n"] == test.sum()
    assert new.metrics[-1]["ece"] < min(0.06, new.metrics[-1]["ece_before"])


def test_a_kind_with_few_texts_keeps_its_scale_and_the_same_texts_reach_a_threshold(by_kind):
    labelled, raw = mixed()
    few = labelled.take(np.flatnonzero((labelled.kinds == "prompt") | (np.arange(2000) < 16)))
    kept = few.kinds == "prompt"
    raw = raw[(labelled.kinds == "prompt") | (np.arange(2000) < 16)]
    new = recalibrate(by_kind, few, raw, "platt", "own")
    assert new.calibration == by_kind.calibration
    assert new.calibration_by_kind["prompt"] != PROMPTS
    assert new.metrics[-1]["n"] == (kept & few.held_out()).sum()
    old, moved = by_kind.thresholds[0], new.thresholds[0]
    assert moved.cost == old.cost == moved.at("exchange")
    assert set(moved.cost_by_kind) == {"prompt"}
    for kind in ("prompt", "exchange"):
        here = few.kinds == kind
        before = by_kind.scales.of(kind).cost(raw[here]) >= old.at(kind)
        assert ((new.scales.of(kind).cost(raw[here]) >= moved.at(kind)) == before).all()
    with pytest.raises(DataError, match=r"kind prompt.*holds only 1 .* takes 10"):
        recalibrate(by_kind, few.take([0, 1, 2, 3, 8, 9, 10, 11]), raw[:8], "bias", "own")


def test_thresholds_of_kinds_that_were_fitted_rest_on_the_other_half(by_kind, manifest):
    labelled, _ = mixed(200)
    assert (untouched(labelled, by_kind.scales, "platt") == labelled.held_out()).all()
    assert untouched(labelled, by_kind.scales, None).all()
    assert untouched(labelled, manifest.scales, "platt").all()
    alike = labelled.take(np.flatnonzero(labelled.kinds == "prompt"))
    assert untouched(alike, by_kind.scales, "platt").all()


def test_thresholds_are_found_on_the_costs_of_each_kind(by_kind):
    labelled, raw = mixed()
    ((five, _),) = find_thresholds(by_kind, labelled, raw, [0.05], data="own")
    sample = labelled.one_a_prompt()
    costs = by_kind.scales.cost(raw, labelled.kinds)[sample][~labelled.unsafe[sample]]
    assert 0.03 < (costs >= five.cost).mean() < 0.05
    assert not five.cost_by_kind


def test_figures_of_the_earlier_scale_say_so_once(manifest):
    entries = ({"data": "a", "n": 1, "auroc": 0.5}, {"data": "b", "n": 2, "ece": 0.1})
    twice = rescale(rescale(replace(manifest, metrics=entries), Scales(BENT)), Scales(BENT))
    assert [entry["data"] for entry in twice.metrics] == ["a", "b (earlier scale)"]


def test_costs_on_another_scale_are_the_bases_no_more(manifest):
    base = {"name": "gauge:one", "sha256": None}
    kept = replace(manifest, base=base | {"costs": KEPT})
    assert rescale(kept, Scales(BENT)).base == base


def test_another_prior_moves_costs_and_thresholds_alike(manifest):
    moved = rescale(manifest, manifest.scales.at_prior(0.01))
    shift = math.log(0.01 / 0.99) - math.log(0.25 / 0.75)
    assert moved.thresholds[0].cost == pytest.approx(0.75 + shift)
    assert moved.calibration.cost(1.0) == pytest.approx(manifest.calibration.cost(1.0) + shift)


def test_a_threshold_of_the_same_name_is_replaced(manifest):
    first = manifest.thresholds[0]
    changed, other = replace(first, cost=2.0), replace(first, name="fpr5")
    assert store(manifest, [changed, other]).thresholds == (changed, other)
    assert store(manifest, [other]).thresholds == (first, other)
    figures = ({"data": "a", "threshold": "fpr1", "recall": 0.5}, {"data": "b", "auroc": 0.5})
    measured = replace(manifest, metrics=figures)
    assert store(measured, [changed]).metrics == figures[1:]
    assert store(measured, [other]).metrics == figures


@pytest.mark.parametrize("name", ["", "1", "nan", "-inf", "two words", "a,b"])
def test_names_that_could_not_be_asked_for_are_refused(name):
    with pytest.raises(RecipeError, match="cannot name a threshold"):
        check_name(name)
    check_name("prompts_fpr1")
