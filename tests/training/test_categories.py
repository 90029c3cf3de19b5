"""Category flags: what rows say, what can be learnt of them, and a run from rows to verdict."""

from __future__ import annotations

import json
import math
import random

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_task import write_rows

import harmgauge
from harmgauge.calibration import Calibration
from harmgauge.data.row import Item
from harmgauge.errors import BundleError, RecipeError
from harmgauge.exchange import Exchange
from harmgauge.training.bases import load_base
from harmgauge.training.categories import item_flags, positive_weights
from harmgauge.training.category_calibration import fit_categories
from harmgauge.training.checkpoints import BEST
from harmgauge.training.examples import Example
from harmgauge.training.model import CostModel
from harmgauge.training.pipeline import prepare, run
from harmgauge.training.recipe import Model, Recipe, Source
from tiny import MAX_TOKENS, WORDS

NAN = math.nan
NAMES = ["privacy_violation", "self_harm", "hate_speech_offensive_language"]


def said(unsafe, upstream=None, category=None, **source):
    item = Item(Exchange("hello"), unsafe, categories=upstream)
    source = Source(path="rows.jsonl", licence="CC0-1.0", **source)
    return item_flags(item, category, source, NAMES)


def flags(*values):
    return pytest.approx(values, nan_ok=True)


@pytest.mark.parametrize(("unsafe", "expected"), [(0.0, 0.0), (None, NAN), (0.3, NAN)])
def test_a_safe_text_has_no_category_and_an_undecided_one_says_nothing(unsafe, expected):
    for source in ({}, {"categories": "self_harm"}, {"exhaustive": True}):
        assert said(unsafe, {"self_harm": True}, **source) == flags(*[expected] * 3)


def test_what_is_not_flagged_is_unknown_unless_flags_are_exhaustive():
    upstream = {"self_harm": True, "Privacy Violation": False}
    assert said(1.0, upstream) == flags(NAN, 1, NAN)
    assert said(1.0, upstream, exhaustive=True) == flags(0, 1, 0)
    assert said(1.0, {**upstream, "hate_speech,offensive_language": None}, exhaustive=True) == (
        flags(0, 1, NAN)
    )
    assert said(1.0, None, exhaustive=True) == flags(NAN, NAN, NAN)


def test_a_source_can_map_upstream_values():
    stated = {"Threats": ["hate_speech_offensive_language", "self_harm"], "doxing": NAMES[0]}
    assert said(1.0, {"threats": True, "doxing": False}, categories=stated) == flags(NAN, 1, 1)
    assert said(0.6, None, "doxing", categories=stated) == flags(1, NAN, NAN)
    # Without a map the column may hold anything.
    assert said(1.0, None, "self_harm") == flags(NAN, NAN, NAN)
    assert said(1.0, None, categories=NAMES[2]) == flags(NAN, NAN, 1)
    assert said(1.0, None, categories=[NAMES[2]], exhaustive=True) == flags(0, 0, 1)


def test_rare_flags_weigh_as_much_as_their_absence_within_bounds():
    def example(weight, *rows):
        return Example(
            "id", "s", "g", ([1],) * len(rows), (1.0,) * len(rows), None, weight, flags=rows
        )

    rows = [example(1.0, (1.0, 1.0, NAN)), example(4.0, (0.0, NAN, 0.0)), example(1.0, (0, 1, NAN))]
    assert positive_weights(rows) == pytest.approx((5.0, 0.1, 10.0))
    assert positive_weights([example(1.0)]) == ()


def rows(seed, n):
    """Of snow the unsafe ones are a breach of privacy, of rain they are self-harm."""
    rng = random.Random(seed)
    plain = [word for word in WORDS if word not in ("snow", "rain")]
    made = []
    for number in range(n):
        words = rng.sample(plain, 5)
        kind = ("snow", "rain", None, None)[number % 4]
        if kind:
            words[rng.randrange(5)] = kind
        category = {"privacy_violation": kind == "snow", "self_harm": kind == "rain"}
        made.append(
            {
                "prompt": f"tell me {seed} {number}",
                "response": " ".join(words),
                "is_safe": kind is None,
                "category": category,
            }
        )
    return made


@pytest.fixture(scope="module")
def recipe(tmp_path_factory, encoder_base):
    folder = tmp_path_factory.mktemp("flagged")
    write_rows(folder / "flagged" / "train.jsonl", rows(1, 400))
    write_rows(folder / "flagged" / "valid.jsonl", rows(2, 160))
    write_rows(folder / "safe.jsonl", [row for row in rows(4, 160) if row["is_safe"]])
    source = {"licence": "CC0-1.0", "exhaustive": True}

    def make(**changes):
        return Recipe.model_validate(
            {
                "name": "tiny",
                "licence": "CC0-1.0",
                "base": str(encoder_base),
                "data": {
                    "root": str(folder),
                    "train": [{"path": "flagged/train.jsonl", **source}],
                    "valid": [{"path": "flagged/valid.jsonl", **source}],
                },
                "model": {
                    "max_tokens": MAX_TOKENS,
                    "categories": ["animal_abuse", "self_harm", "privacy_violation"],
                },
                "optim": {"learning_rate": 3e-3, "batch_tokens": 512, "epochs": 5},
                "evaluate": {"every": 50},
                **changes,
            }
        )

    return make


@pytest.fixture(scope="module")
def bundle(recipe, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "run"
    values = recipe().model_dump(mode="json", by_alias=True, exclude_unset=True)
    values["data"]["thresholds"] = [{"path": "safe.jsonl", "licence": "CC0-1.0"}]
    return run(Recipe.model_validate(values), out.parent, out, quiet=True)


def test_a_run_ends_in_categories_that_verdicts_give(bundle):
    gauge = harmgauge.load(bundle)
    assert gauge.manifest.outputs == ("cost", "self_harm", "privacy_violation")
    assert {each.n for each in gauge.manifest.categories.values()} == {gauge.manifest.calibration.n}
    measured = {each["data"]: each for each in gauge.manifest.metrics}
    for name in gauge.manifest.outputs[1:]:
        figures = measured[f"{name}, validation"]
        assert (figures["n"], figures["flagged"]) == (160, 40)
        assert figures["auroc"] > 0.8
        assert figures["auroc_of_unsafe"] > 0.8
    texts = [harmgauge.Exchange(response=" ".join(WORDS[i : i + 6])) for i in range(20)]
    for verdict in gauge.verdicts(texts):
        assert list(verdict.categories) == ["self_harm", "privacy_violation"]
        assert max(verdict.categories.values()) <= verdict.probability


def test_what_the_data_cannot_support_is_left_out_and_named(bundle):
    told = (bundle.parent / "data.txt").read_text()
    assert "category animal_abuse: 0 of 400 train, 0 of 160 valid" in told
    assert "category self_harm: 100 of 400 train, 40 of 160 valid" in told
    assert told.count("too few, left out") == 1
    card = (bundle / "README.md").read_text()
    assert "**Categories:** self_harm, privacy_violation." in card
    assert "Not supported: animal_abuse," in card


def test_a_category_that_would_be_the_same_for_every_text_is_left_out():
    flag = np.repeat([1.0, 0.0, NAN], [10, 500, 40])
    noise = np.random.default_rng(0).normal(size=flag.size)
    told, turned = (np.nan_to_num(each) + noise for each in (flag, -flag))
    raw, flags = np.stack([told, turned], 1), np.stack([flag, flag], 1)
    fitted = fit_categories(["told", "turned"], raw, flags, np.ones(flag.size), data="made")
    assert list(fitted) == ["told"]
    assert fitted["told"].n == 510


@pytest.mark.slow
def test_a_category_that_is_left_out_is_in_neither_model_nor_bundle(
    recipe, tmp_path, monkeypatch, capsys
):
    flat = {"self_harm"}

    def fit_others(names, *_, **__):
        return {name: Calibration(0, 1, 0.5, "none", 9) for name in names if name not in flat}

    monkeypatch.setattr("harmgauge.training.finish.fit_categories", fit_others)
    monkeypatch.setattr("harmgauge.training.pipeline.train", lambda *_, **__: None)
    monkeypatch.setattr("harmgauge.training.pipeline.draw_losses", lambda *_: None)
    out = tmp_path / "run"
    gauge = harmgauge.load(run(recipe(), tmp_path, out, quiet=True))
    assert "one probability for all texts: self_harm\n" in capsys.readouterr().err
    assert gauge.manifest.outputs == ("cost", "privacy_violation")
    assert list(gauge.verdict("hello").categories) == ["privacy_violation"]
    card = (out / "bundle" / "README.md").read_text(encoding="utf-8")
    assert "**Categories:** privacy_violation." in card
    model, _ = CostModel.load(out / "model")
    assert model.spec.outputs == gauge.manifest.outputs
    # A soup has what all of its runs have.
    flat.clear()
    whole, soup = tmp_path / "whole", tmp_path / "soup"
    assert len(harmgauge.load(run(recipe(seed=1), tmp_path, whole)).manifest.outputs) == 3
    mixed = run(recipe(), tmp_path, soup, soup=[whole, out])
    assert harmgauge.load(mixed).manifest.outputs == gauge.manifest.outputs


def test_the_loss_has_a_term_of_its_own(bundle):
    lines = [json.loads(line) for line in (bundle.parent / "log.jsonl").read_text().splitlines()]
    steps = [line for line in lines if "step" in line]
    assert 0.3 < steps[0]["category"] < 1.2  # ln 2 on average
    assert steps[-1]["category"] < steps[0]["category"]
    for step in steps:
        assert step["loss"] == pytest.approx(
            step["sign"] + step["category"] + 1e-3 * step["l2"], rel=1e-4
        )


def test_training_on_keeps_categories_of_the_same_name(bundle):
    settings = Model(max_tokens=MAX_TOKENS, categories=["privacy_violation", "animal_abuse"])
    base = load_base(f"gauge:{bundle}", settings).model
    whole = load_base(
        f"gauge:{bundle}",
        Model(max_tokens=MAX_TOKENS, categories=["self_harm", "privacy_violation"]),
    ).model
    assert base.spec.outputs == ("cost", "privacy_violation", "animal_abuse")
    assert base.head.weight[:2].equal(whole.head.weight[[0, 2]])
    assert base.head.bias[:2].equal(whole.head.bias[[0, 2]])


def test_without_enough_flags_a_run_does_not_begin(recipe, tmp_path):
    few = recipe(model={"max_tokens": MAX_TOKENS, "categories": ["animal_abuse"]})
    with pytest.raises(RecipeError, match="none has 10 texts with it and 10 without"):
        prepare(few, tmp_path)


def test_a_category_that_nobody_knows_is_named(recipe):
    data = {
        "train": [{"path": "a.jsonl", "licence": "CC0-1.0", "categories": {"x": "self_hram"}}],
        "valid": [{"path": "b.jsonl", "licence": "CC0-1.0"}],
    }
    with pytest.raises(ValueError, match=r"categories of a\.jsonl name 'self_hram', which"):
        recipe(data=data)
    data["train"][0]["categories"] = "spam"
    assert recipe(data=data, model={"categories": ["spam"]}).model.categories == ("spam",)


def test_a_gauge_learns_categories_while_its_costs_stay(recipe, bundle, tmp_path):
    old = harmgauge.load(bundle)
    settings = {"max_tokens": MAX_TOKENS, "categories": ["privacy_violation"]}
    further = {
        "base": f"gauge:{bundle}",
        "name": "tiny-more",
        "optim": {"learning_rate": 1e-2, "batch_tokens": 512, "epochs": 2, "interpolate": 0.75},
        "evaluate": {"every": 50, "choose": "last"},
        "model": settings | {"freeze_costs": True},
    }
    begun = prepare(recipe(**further), tmp_path).model.head.weight.detach().clone()
    new = harmgauge.load(run(recipe(**further), tmp_path, tmp_path / "more", quiet=True))
    trained = load_file(tmp_path / "more" / BEST)["head.weight"]
    head = load_file(tmp_path / "more" / "model" / "head.safetensors")["weight"]
    assert torch.equal(trained[0], begun[0])
    assert (trained[1] - begun[1]).abs().max() > 1e-2
    torch.testing.assert_close(head, torch.lerp(begun, trained, 0.75))
    exchanges = [Exchange(row["prompt"], row["response"]) for row in rows(3, 80)]
    assert new.manifest.outputs == ("cost", "privacy_violation")
    assert new.score(exchanges) == pytest.approx(old.score(exchanges), abs=1e-4)
    raw_old, raw_new = old.raw_scores(exchanges), new.raw_scores(exchanges)
    place = old.manifest.outputs.index("privacy_violation")
    assert abs(raw_new[:, 1] - raw_old[:, place]).max() > 0.1  # this one was trained further
    assert [each.name for each in new.manifest.thresholds] == ["responses_fpr5"]
    for kept in ("scales", "thresholds", "curves"):
        assert getattr(new.manifest, kept) == getattr(old.manifest, kept)

    def of_costs(manifest):
        own = ("self_harm, validation", "privacy_violation, validation", "export, validation")
        return [each for each in manifest.metrics if each["data"] not in own]

    assert of_costs(new.manifest) == of_costs(old.manifest) != []
    before, measured = (
        {each["data"]: each for each in gauge.manifest.metrics} for gauge in (old, new)
    )
    assert "self_harm, validation" not in measured
    assert measured["privacy_violation, validation"]["auroc"] > 0.9
    # What int8 took from the costs it took when these were new.
    lost = ("n", "max_difference", "pearson", "auroc_before", "auroc_after")
    exports = [each["export, validation"] for each in (before, measured)]
    assert [exports[1][key] for key in lost] == [exports[0][key] for key in lost]
    assert exports[0]["max_difference"] > 1e-3
    said = f"**Its costs are those of gauge:{old.manifest.id}**"
    assert said in (tmp_path / "more" / "bundle" / "README.md").read_text(encoding="utf-8")
    assert "Its costs are those of" not in (bundle / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"base": "all-MiniLM-L6-v2"}, "keeps the costs of a gauge"),
        ({"model": {"freeze_costs": True}}, "model.categories names none"),
        ({"evaluate": {}}, "set evaluate.choose: last"),
        ({"distil": {"teachers": ["mini"]}}, "distil has no place"),
        ({"optim": {"ema": 0.9}}, "optim.ema has no place"),
    ],
)
def test_what_would_move_costs_that_stay_is_refused(recipe, changes, said):
    given = {
        "base": "gauge:mini",
        "model": {"freeze_costs": True, "categories": ["self_harm"]},
        "evaluate": {"choose": "last"},
    }
    recipe(**given)
    with pytest.raises(ValueError, match=said):
        recipe(**given | changes)


@pytest.mark.parametrize(
    ("model", "storage", "said"),
    [
        ({"max_tokens": 16}, "int8", f"windows of {MAX_TOKENS} tokens; set that"),
        ({"max_tokens": MAX_TOKENS}, "fp32", "set storage: int8"),
    ],
)
def test_costs_that_stay_are_of_the_same_windows_and_storage(
    recipe, bundle, tmp_path, model, storage, said
):
    settings = model | {"freeze_costs": True, "categories": ["self_harm"]}
    given = {"model": settings, "evaluate": {"choose": "last"}, "storage": storage}
    with pytest.raises(RecipeError, match=said):
        prepare(recipe(base=f"gauge:{bundle}", **given), tmp_path)


def test_costs_that_moved_are_not_written(recipe, bundle, tmp_path, monkeypatch):
    from harmgauge.training import pipeline

    def moving(model, *_, **__):
        model.head.bias.data += 0.1

    monkeypatch.setattr(pipeline, "train", moving)
    monkeypatch.setattr(pipeline, "draw_losses", lambda *_: None)
    settings = {"max_tokens": MAX_TOKENS, "categories": ["self_harm"], "freeze_costs": True}
    further = recipe(base=f"gauge:{bundle}", model=settings, evaluate={"choose": "last"})
    with pytest.raises(BundleError, match=r"keeps has moved by 0\.1"):
        run(further, tmp_path, tmp_path / "more", quiet=True)
    assert not (tmp_path / "more" / "bundle").exists()
    with pytest.raises(RecipeError, match="by which a soup takes them"):
        run(further, tmp_path, tmp_path / "soup", soup=[tmp_path / "more"], quiet=True)
