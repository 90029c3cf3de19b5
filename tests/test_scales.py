import numpy as np
import pytest

from harmgauge.calibration import Calibration, logit
from harmgauge.errors import RecipeError
from harmgauge.scales import Scales

COMMON = Calibration(0.1, 0.5, 0.25, "made up", 100)
PROMPTS = Calibration(-1.0, 2.0, 0.4, "made up", 60, knots=((-1.0, -2.0), (1.0, 3.0)))
SCALES = Scales(COMMON, {"prompt": PROMPTS})


def test_each_text_is_costed_on_the_scale_of_its_kind():
    raw = np.array([-2.0, 0.5, np.nan, 0.5])
    kinds = np.array(["prompt", "prompt", "", "exchange"])
    costs = SCALES.cost(raw, kinds)
    np.testing.assert_allclose(costs[:2], PROMPTS.cost(raw[:2]))
    assert np.isnan(costs[2])
    assert costs[3] == COMMON.cost(0.5)
    assert SCALES.of("prompt") == PROMPTS
    assert SCALES.of("response") == SCALES.of(None) == COMMON
    np.testing.assert_allclose(Scales(COMMON).cost(raw, kinds), COMMON.cost(raw))


def test_within_a_kind_the_order_never_changes():
    raw = np.sort(np.random.default_rng(0).normal(size=50))
    for kind in ("prompt", "exchange"):
        assert (np.diff(SCALES.cost(raw, np.full(50, kind))) > 0).all()


def test_a_prior_shifts_each_kind_from_its_own():
    raw, kinds = np.zeros(2), np.array(["prompt", "response"])
    shifts = [logit(0.02) - logit(0.4), logit(0.02) - logit(0.25)]
    shifted = SCALES.cost(raw, kinds, 0.02)
    np.testing.assert_allclose(shifted - SCALES.cost(raw, kinds), shifts)
    stored = SCALES.at_prior(0.02)
    np.testing.assert_allclose(stored.cost(raw, kinds), shifted)
    assert {scale.prior for scale in stored.named.values()} == {0.02}
    with pytest.raises(RecipeError, match="between 0 and 1"):
        SCALES.at_prior(1.0)


def test_one_scale_can_be_put_in_place_of_another():
    new = SCALES.with_scale("prompt", COMMON).with_scale(None, PROMPTS)
    assert (new.of("prompt"), new.common) == (COMMON, PROMPTS)
    assert list(SCALES.named) == [None, "prompt"]
