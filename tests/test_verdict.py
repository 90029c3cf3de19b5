import json
import math

import pytest

from harmgauge.verdict import Verdict, sigmoid


def test_json_has_the_fields_by_name_and_null_for_the_unknown():
    verdict = Verdict(1.5, sigmoid(1.5), True, 0.0, empty=False, windows=1, gauge="tiny@0")
    assert json.loads(json.dumps(verdict.to_dict())) == {
        "cost": 1.5,
        "probability": pytest.approx(0.8175744761936437),
        "unsafe": True,
        "threshold": 0.0,
        "direction": "positive_is_unsafe",
        "uncertainty": None,
        "categories": None,
        "spans": None,
        "empty": False,
        "windows": 1,
        "disguised": None,
        "gauge": "tiny@0",
        "error": None,
    }


@pytest.mark.parametrize("cost", [-1e6, -30.0, -1.0, 0.0, 1.0, 30.0, 1e6])
def test_sigmoid_is_finite_and_symmetric(cost):
    assert 0 <= sigmoid(cost) <= 1
    assert math.isclose(sigmoid(cost) + sigmoid(-cost), 1)
