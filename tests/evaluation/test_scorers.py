"""What a description says, and what it makes of the scores."""

import math
import sys

import numpy as np
import pytest

pytest.importorskip("pydantic")

from harmgauge.errors import BundleError, HarmgaugeError, RecipeError
from harmgauge.evaluation.scorers import Batch, as_record, open_scorer
from harmgauge.exchange import Exchange


def describe(tmp_path, **keys):
    """A scorer that takes its scores from a file."""
    scores = keys.pop("given", [0.2, None, 0.9])
    lines = [f"t.jsonl:{n},{'' if s is None else s}" for n, s in enumerate(scores, 1)]
    (tmp_path / "s.csv").write_text("\n".join(["id,score", *lines]) + "\n")
    stated = {"name": "other", "direction": "positive_is_unsafe", "scores": "s.csv", **keys}
    path = tmp_path / "other.yaml"
    path.write_text("\n".join(f"{key}: {value}" for key, value in stated.items() if value))
    return open_scorer(str(path))


def batch(n):
    return Batch("toy/t.jsonl", [f"t.jsonl:{i + 1}" for i in range(n)], [Exchange("hello")] * n)


def test_a_gauge_scores_as_it_does_alone(tiny_bundle, tiny_gauge):
    scorer = open_scorer(str(tiny_bundle), threads=1)
    exchanges = [Exchange("hello"), Exchange("hello", "thank you"), Exchange(" ")]
    costs = scorer.costs(Batch("toy", ["a:1", "a:2", "a:3"], exchanges)).values
    np.testing.assert_allclose(costs, tiny_gauge.score(exchanges), atol=1e-6)
    assert (scorer.name, scorer.threshold, scorer.probabilistic) == ("tiny", 0.0, True)
    assert tiny_gauge.id in scorer.identity
    assert scorer.facts["licence"] == "CC0-1.0"


def test_an_unknown_gauge_is_named():
    with pytest.raises(BundleError, match="there is no gauge 'nothing'"):
        open_scorer("nothing")


def test_a_light_install_names_the_extra_that_reads_descriptions(tmp_path, monkeypatch):
    (tmp_path / "other.yaml").write_text("name: other")
    for name in ("harmgauge.settings", "harmgauge.evaluation.scorers.described"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    for name in ("yaml", "pydantic"):
        with monkeypatch.context() as light:
            light.setitem(sys.modules, name, None)
            with pytest.raises(HarmgaugeError, match=r"other\.yaml needs .* its extra train, in"):
                open_scorer(str(tmp_path / "other.yaml"))


@pytest.mark.parametrize(
    ("keys", "costs", "threshold"),
    [
        ({"scale": "probability"}, [math.log(0.25), math.log(9)], 0.0),
        ({"scale": "probability", "border": 0.8}, [math.log(0.25), math.log(9)], math.log(4)),
        (
            {"scale": "probability", "direction": "positive_is_safe", "border": 0.8},
            [-math.log(0.25), -math.log(9)],
            -math.log(4),
        ),
        ({"scale": "log_odds"}, [0.2, 0.9], 0.0),
        ({"scale": "log_odds", "border": 0.5}, [0.2, 0.9], 0.5),
        ({"scale": "other"}, [0.2, 0.9], 0.0),
        ({"scale": "other", "border": 0.5}, [-0.3, 0.4], 0.0),
        ({"scale": "other", "direction": "positive_is_safe", "border": 0.5}, [0.3, -0.4], 0.0),
        ({"scale": "other", "border": "null"}, [0.2, 0.9], None),
        ({"scale": "probability", "border": "null"}, [math.log(0.25), math.log(9)], None),
    ],
)
def test_scores_become_costs(tmp_path, keys, costs, threshold):
    scorer = describe(tmp_path, **keys)
    found = scorer.costs(batch(3)).values
    np.testing.assert_allclose(found[[0, 2]], costs)
    assert np.isnan(found[1])
    assert scorer.threshold == (None if threshold is None else pytest.approx(threshold))
    assert scorer.probabilistic is (keys["scale"] != "other")


def test_sure_probabilities_stay_finite_and_in_order(tmp_path):
    costs = describe(tmp_path, scale="probability", given=[0, 1e-9, 1]).costs(batch(3)).values
    assert np.isfinite(costs).all()
    assert (np.diff(costs) > 0).all()


def test_what_is_no_probability_is_refused(tmp_path):
    with pytest.raises(HarmgaugeError, match="2 of 3 scores are not between 0 and 1"):
        describe(tmp_path, scale="probability", given=[-1, 0.5, 3]).costs(batch(3))


def test_facts_and_identity(tmp_path):
    scorer = describe(tmp_path, scale="other", licence="MIT")
    assert scorer.facts["direction"] == "positive_is_unsafe"
    assert scorer.facts["border"] == 0.0
    assert scorer.facts["licence"] == "MIT"
    assert scorer.identity == describe(tmp_path, scale="other", licence="MIT").identity
    assert scorer.identity != describe(tmp_path, scale="log_odds", licence="MIT").identity
    assert scorer.identity != describe(tmp_path, scale="other", given=[1, 2, 3]).identity
    assert not scorer.reads_texts


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"scale": "other", "direction": None}, "which way its score points"),
        ({"scale": "other", "direction": "up"}, "direction: input should be"),
        ({"scale": "other", "name": "' '"}, "name must be one line"),
        ({"scale": "other", "name": r'"a\nb"'}, "name must be one line"),
        ({"scale": "other", "version": 1.1}, r"version: 1\.1 is no text; put it in quotes"),
        ({"scale": None}, "scale: field required"),
        ({"scale": "other", "borders": 1}, "did you mean border?"),
        ({"scale": "other", "scores": None}, "exactly one of .* not 0"),
        ({"scale": "other", "python": "a:b"}, "exactly one of .* not 2"),
        ({"scale": "other", "label": 1}, "label is for transformers, not for scores"),
        ({"scale": "probability", "border": 2}, "between 0 and 1"),
        ({"scale": "other", "scores": None, "python": "no_colon"}, "python: string should match"),
    ],
)
def test_a_description_that_cannot_be_followed_says_why(tmp_path, keys, said):
    with pytest.raises(RecipeError, match=said):
        describe(tmp_path, **keys)


def test_a_missing_description_is_named():
    with pytest.raises(RecipeError, match=r"cannot read scorer description nowhere\.yaml"):
        open_scorer("nowhere.yaml")


def test_records_hold_all_turns_and_the_text_on_trial():
    exchange = Exchange("rain?", "snow", history=(("user", "hi"), ("assistant", "hello")))
    assert as_record(exchange) == {
        "prompt": "rain?",
        "response": "snow",
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "hello"},
            {"role": "user", "content": "rain?"},
            {"role": "assistant", "content": "snow"},
        ],
        "text": "snow",
    }
    assert as_record(Exchange("rain?"))["text"] == "rain?"
