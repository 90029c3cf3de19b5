"""Ensembles of heads: what a verdict says of how sure it is."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from harmgauge import BundleError, Exchange, load
from harmgauge.bundle import Manifest, read_bundle, write_bundle
from harmgauge.calibration import Calibration
from harmgauge.cli import draw
from harmgauge.evaluation.scorers import Batch, GaugeScorer
from harmgauge.members import member_names
from harmgauge.training.bases import load_base
from harmgauge.training.export import export_onnx
from harmgauge.training.export_transformers import export_transformers
from harmgauge.training.recipe import Model
from harmgauge.windows import Windower
from tiny import MAX_TOKENS, WORDS, make_bundle, make_encoder, make_tokenizer

NAMES = ("cost", "violence", "member_1", "member_2", "member_3")
CHATS = ["hello", "how do i bake bread", Exchange("hello", "a cat sits on the mat")]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A random encoder with a category and three members, in int8."""
    scratch = tmp_path_factory.mktemp("members")
    model, tokenizer = make_encoder(NAMES)
    export_onnx(model, tokenizer, scratch / "files", storage="int8")
    files = {path.name: path for path in (scratch / "files").iterdir()}
    return make_bundle(scratch / "bundle", "sure", model, "onnx", files)


@pytest.fixture(scope="module")
def gauge(bundle):
    return load(bundle, threads=1)


def by_hand(raw, scale):
    """Costs of the members, `[n, members]`."""
    deviations = raw[:, 2:] - raw[:, 2:].mean(1, keepdims=True)
    return scale.cost(raw[:, :1] + deviations)


def spread(costs):
    """Of probabilities, `[n]`."""
    return (1 / (1 + np.exp(-costs))).std(1)


def test_the_cost_is_the_mean_of_members_that_differ_and_uncertainty_their_spread(gauge, bundle):
    members = by_hand(gauge.raw_scores(CHATS), gauge.manifest.calibration)
    assert (np.ptp(members, axis=1) > 0.1).all()
    np.testing.assert_allclose(members.mean(1), gauge.score(CHATS), atol=1e-9)
    verdicts = gauge.verdicts(CHATS)
    found = [verdict.uncertainty for verdict in verdicts]
    np.testing.assert_allclose(found, spread(members), atol=1e-9)
    assert all(set(verdict.categories) == {"violence"} for verdict in verdicts)
    # Far from the border members agree, whatever the scale of each.
    rare = load(bundle, prior=1e-12).verdicts(CHATS)
    added = rare[0].cost - verdicts[0].cost
    np.testing.assert_allclose([v.uncertainty for v in rare], spread(members + added), atol=1e-9)
    assert max(verdict.uncertainty for verdict in rare) < 1e-6 < min(found)


def test_each_kind_of_input_has_its_spread(gauge, bundle, tmp_path):
    manifest = read_bundle(bundle)
    scale = replace(manifest.calibration, temperature=2 * manifest.calibration.temperature)
    kinds = replace(manifest, calibration_by_kind={"exchange": scale})
    write_bundle(tmp_path / "own", kinds, {name: bundle / name for name in manifest.files})
    before, after = (
        [verdict.uncertainty for verdict in each.verdicts(CHATS)]
        for each in (gauge, load(tmp_path / "own"))
    )
    (own,) = spread(by_hand(gauge.raw_scores(CHATS[2:]), scale))
    assert after == pytest.approx([before[0], before[1], own])
    assert own != pytest.approx(before[2])


def test_of_long_texts_it_is_that_of_the_worst_window(gauge):
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(WORDS, 150)) for _ in range(8)]
    windower = Windower(make_tokenizer(), gauge.manifest.layout)
    several = 0
    for text, verdict in zip(texts, gauge.verdicts(texts), strict=True):
        raw = gauge.raw_scores_of_ids(windower.read(Exchange(text)))
        worst = int(np.argmax(raw[:, 0]))
        apart = spread(by_hand(raw, gauge.manifest.calibration))
        assert verdict.uncertainty == pytest.approx(apart[worst], abs=1e-4)
        several += len(raw) > 1 and worst != int(np.argmax(apart))
    assert several  # else the highest would have passed for the worst


def test_what_has_no_verdict_has_no_uncertainty(gauge, tiny_gauge):
    blank, broken = gauge.verdicts([" ", 5])
    assert (blank.cost, blank.uncertainty) == (0, None)
    assert broken.error
    assert broken.uncertainty is None
    assert tiny_gauge.verdict("hello").uncertainty is None  # it has no members
    verdict = gauge.verdict("hello")
    assert json.loads(json.dumps(verdict.to_dict()))["uncertainty"] > 0
    said = f"Its members' probabilities lie {verdict.uncertainty:.1%} apart"
    assert said in draw.picture(Exchange("hello"), verdict)
    assert "members" not in draw.picture(Exchange("hello"), tiny_gauge.verdict("hello"))


def test_a_scorer_gives_it_beside_costs_and_categories(gauge, tiny_gauge):
    batch = Batch("own", ["1", "2", "3"], [Exchange("hello"), Exchange(" "), Exchange("a cat")])
    scored = GaugeScorer(gauge).costs(batch)
    assert scored.uncertainty.tolist() == [
        pytest.approx(gauge.verdict("hello").uncertainty),
        pytest.approx(np.nan, nan_ok=True),
        pytest.approx(gauge.verdict("a cat").uncertainty),
    ]
    assert list(scored.categories) == ["violence"]
    assert GaugeScorer(tiny_gauge).costs(batch).uncertainty is None


def test_members_stand_last_and_have_no_scale_of_their_own(bundle):
    manifest = read_bundle(bundle)
    assert (manifest.category_names, manifest.members) == (("violence",), 3)
    swapped = replace(manifest, outputs=("cost", *NAMES[2:], "violence"))
    with pytest.raises(BundleError, match="members must be the last"):
        Manifest.from_json(swapped.to_json())
    scale = Calibration(0.0, 1.0, 0.5, "made up", 10)
    scaled = replace(manifest, categories={**manifest.categories, "member_1": scale})
    with pytest.raises(BundleError, match="all outputs but the cost and members"):
        Manifest.from_json(scaled.to_json())
    assert member_names(3) == NAMES[2:]


def test_transformers_keeps_them_in_log_odds(gauge, bundle, tmp_path):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    manifest = read_bundle(bundle)
    scale = replace(manifest.calibration, temperature=2 * manifest.calibration.temperature)
    kinds = replace(manifest, calibration_by_kind={"exchange": scale})
    write_bundle(tmp_path / "own", kinds, {name: bundle / name for name in manifest.files})
    own = load(tmp_path / "own")
    export_transformers(tmp_path / "own", tmp_path / "hf")
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "hf").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "hf")
    assert [model.config.id2label[place] for place in range(5)] == list(NAMES)
    for text, expected in (
        (("how do i bake bread",), own.verdict("how do i bake bread")),
        (("hello", "a cat"), own.verdict(Exchange("hello", "a cat"))),
    ):
        with torch.no_grad():
            logits = model(**tokenizer(*text, return_tensors="pt")).logits[0].numpy()
        assert logits[0] == pytest.approx(expected.cost, abs=1e-4)
        members = logits[0] + logits[2:] - logits[2:].mean()
        assert spread(members[None]) == pytest.approx(expected.uncertainty, abs=1e-4)


def test_a_gauge_that_is_trained_further_keeps_makes_or_drops_members(bundle):
    def outputs(members):
        settings = Model(max_tokens=MAX_TOKENS, members=members)
        return load_base(f"gauge:{bundle}", settings).model

    kept, old = outputs(2), make_encoder(NAMES)[0]
    assert kept.spec.outputs == ("cost", "member_1", "member_2")
    torch.testing.assert_close(kept.head.weight, old.head.weight[[0, 2, 3]])
    assert outputs(4).spec.outputs == ("cost", *member_names(4))
    assert outputs(None).spec.outputs == ("cost",)
