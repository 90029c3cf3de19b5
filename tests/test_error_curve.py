from dataclasses import asdict, replace

import numpy as np
import pytest

from harmgauge.bundle import Manifest, read_bundle
from harmgauge.calibration import Calibration, logit
from harmgauge.error_curve import ErrorCurve, error_curves
from harmgauge.errors import BundleError
from harmgauge.gauge import Gauge
from harmgauge.recalibration import Labelled, find_curves, rescale
from harmgauge.runtime import load_runtime
from harmgauge.scales import Scales
from test_recalibration import texts
from tiny import make_tokenizer

CURVE = ErrorCurve("made up", 10, 20, (-1.0, 0.5, 2.0), (1.0, 0.5, 0.1), (0.0, 0.25, 0.75))


@pytest.fixture
def manifest(tiny_bundle):
    return replace(read_bundle(tiny_bundle), curves={"prompt": CURVE})


def test_shares_are_those_of_the_texts_at_each_cost():
    random = np.random.default_rng(0)
    unsafe = random.random(3000) < 0.3
    cost = np.round(random.normal(size=3000) + 2 * unsafe, 2)  # with ties
    kinds = random.choice(["prompt", "exchange"], 3000)
    kinds[:15] = "response"
    unsafe[:15] = np.arange(15) < 9  # too few of one class
    cost[20] = np.nan
    found = error_curves(unsafe, cost, kinds, data="made up")
    assert set(found) == {"prompt", "exchange"}
    for kind, curve in found.items():
        here = (kinds == kind) & np.isfinite(cost)
        assert (curve.safe, curve.unsafe) == ((here & ~unsafe).sum(), (here & unsafe).sum())
        assert 50 < len(curve.cost) <= 100
        assert curve.rises
        for at, alarms, misses in zip(curve.cost, curve.false_alarms, curve.misses, strict=True):
            assert alarms == pytest.approx((cost[here & ~unsafe] >= at).mean(), abs=1e-5)
            assert misses == pytest.approx((cost[here & unsafe] < at).mean(), abs=1e-5)
        assert (curve.false_alarms[0], curve.misses[0]) == (1, 0)


def test_a_manifest_holds_curves_and_keeps_its_id(manifest):
    assert Manifest.from_json(manifest.to_json()) == manifest
    assert manifest.to_dict()["curves"]["prompt"]["cost"] == CURVE.cost
    bare = replace(manifest, curves={})
    assert bare.id == manifest.id
    assert "curves" not in bare.to_dict()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"cost": (0.5, -1.0, 2.0)}, "curves, prompt needs rising costs"),
        ({"misses": (0.0,)}, "as many false_alarms and misses"),
        ({"safe": "ten"}, "wrong kind: safe"),
    ],
)
def test_a_broken_curve_is_refused(manifest, change, why):
    broken = replace(manifest, curves={"prompt": replace(CURVE, **change)})
    with pytest.raises(BundleError, match=why):
        Manifest.from_json(broken.to_json())


def test_a_curve_of_an_unknown_kind_is_refused(manifest):
    with pytest.raises(BundleError, match="curves has an unknown kind of input: letter"):
        Manifest.from_json(replace(manifest, curves={"letter": CURVE}).to_json())


def test_curves_move_with_the_scale_and_the_prior(manifest, tiny_bundle, tiny_gauge):
    old = manifest.calibration
    assert rescale(manifest, manifest.scales).curves == manifest.curves
    bent = Calibration(-0.5, 3.0, 0.5, "own", 9, knots=((-1.0, -4.0), (0.0, 0.0), (0.5, 3.0)))
    moved = rescale(manifest, Scales(bent)).curves["prompt"]
    assert moved.cost == pytest.approx([float(bent.cost(old.raw(cost))) for cost in CURVE.cost])
    assert moved.misses == CURVE.misses

    shift = logit(0.5) - logit(old.prior)
    runtime, tokenizer = load_runtime(tiny_bundle, manifest), make_tokenizer()
    assert Gauge(manifest, tokenizer, runtime).curves() == {"prompt": CURVE}
    gauge = Gauge(manifest, tokenizer, runtime, prior=0.5)
    assert gauge.curves()["prompt"].cost == pytest.approx([cost + shift for cost in CURVE.cost])
    stored = rescale(manifest, manifest.scales.at_prior(0.5)).curves["prompt"]
    assert asdict(gauge.curves()["prompt"])["cost"] == pytest.approx(stored.cost)
    assert tiny_gauge.curves() == {}


def test_own_texts_count_once_a_prompt_and_not_where_the_scale_was_fitted(manifest):
    labelled, raw = texts()
    found = find_curves(manifest, labelled, raw, None, "own")["exchange"]
    sample = labelled.take(labelled.one_a_prompt())
    assert (found.safe, found.unsafe) == ((~sample.unsafe).sum(), sample.unsafe.sum())
    half = find_curves(manifest, labelled, raw, "platt", "own")["exchange"]
    assert half.data == "own, prompts not used for the re-calibration"
    assert found.safe / 3 < half.safe < found.safe * 2 / 3
    alone = [Labelled(labelled.exchanges[:8], labelled.label[:8], labelled.prompt[:8], 0), raw[:8]]
    assert find_curves(manifest, *alone, None, "own") == {}
