import math

import pytest
from arithmetic import make_gauge
from serving import envelope, serving

from harmgauge.taxonomy import table

NAMES = list(table("openai"))
JUDGED = {"harassment", "hate", "self-harm"}


def moderate(client, given, **more):
    return client.post("/v1/moderations", json={"input": given, **more})


def results(client, given, **more):
    answer = moderate(client, given, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()["results"]


def test_a_result_has_all_that_the_endpoint_promises(client, gauge):
    answer = moderate(client, "cat cat cat", model="omni-moderation-latest").json()
    assert answer["id"].startswith("modr-")
    assert answer["model"] == gauge.id
    (result,) = answer["results"]
    assert result["flagged"] is True
    verdict = gauge.verdict("cat cat cat")
    for key in ("categories", "category_scores", "category_applied_input_types"):
        assert list(result[key]) == NAMES
    for name in NAMES:
        known = name in JUDGED
        assert result["category_applied_input_types"][name] == (["text"] if known else [])
        assert result["categories"][name] is known
        assert result["category_scores"][name] == (
            pytest.approx(verdict.probability) if known else 0.0
        )
    assert set(result["categories_not_judged"]) == set(NAMES) - JUDGED
    for key in ("cost", "probability", "threshold", "direction", "empty"):
        assert result[key] == getattr(verdict, key)


def test_lists_are_one_result_each_and_parts_one_result(client, gauge):
    costs = [each["cost"] for each in results(client, ["cat cat", "dog", "cat"])]
    assert costs == list(gauge.score(["cat cat", "dog", "cat"]))
    parts = [{"type": "text", "text": "cat"}, {"type": "text", "text": "cat cat"}]
    (result,) = results(client, parts)
    assert result["cost"] == gauge.score(["cat\ncat cat"])[0]


def test_flagged_follows_the_threshold():
    assert [each["flagged"] for each in _flagged(0)] == [True, True]
    assert [each["flagged"] for each in _flagged("fpr1")] == [False, True]


def _flagged(threshold):
    with serving(threshold=threshold) as client:
        return results(client, ["cat cat", "cat cat cat"])


def test_blank_texts_are_not_flagged_and_say_so(client):
    for blank in ("", " \u200b"):
        (result,) = results(client, blank)
        assert (result["flagged"], result["empty"], result["cost"]) == (False, True, 0)
        assert not any(result["categories"].values())
        assert set(result["category_scores"].values()) == {0.0}


def test_a_gauge_without_categories_flags_all_the_same():
    with serving(make_gauge(categories=())) as client:
        (result,) = results(client, "cat cat")
        assert result["flagged"] is True
        assert not any(result["categories"].values())
        assert result["categories_not_judged"] == NAMES


@pytest.mark.parametrize(
    ("given", "param", "says"),
    [
        ([{"type": "image_url", "image_url": {"url": "https://x"}}], "input.0", "is an image"),
        (
            [{"type": "text", "text": "cat"}, {"type": "image_url", "image_url": {"url": "x"}}],
            "input.1",
            "text only",
        ),
        ([{"type": "text"}], "input.0", "text part"),
        ([{"type": "audio", "text": "cat"}], "input.0", "text part"),
        ([{"text": "cat"}], "input.0", "required"),
        ([], "input", "at least 1"),
        (["cat", {"type": "text", "text": "cat"}], "input", "list of strings"),
        (["cat", None], "input", "list of strings"),
        ([[1, 2]], "input", "list of strings"),
        (5, "input", "expected a string"),
        (None, "input", "expected a string"),
    ],
)
def test_other_input_is_told(client, given, param, says):
    error = envelope(moderate(client, given), 400)
    assert error["param"] == param
    assert says in error["message"]
    assert error["type"] == "invalid_request_error"


def test_what_cannot_be_judged_is_never_called_safe(client):
    given = client.post(
        "/v1/moderations",
        content=b'{"input": ["cat", "\\ud800"]}',
        headers={"content-type": "application/json"},
    )
    envelope(given, 400, "cannot_be_judged", "input.1")


def test_input_is_needed_and_other_keys_are_left_alone(client):
    envelope(client.post("/v1/moderations", json={}), 400, "missing", "input")
    assert results(client, "cat", user="someone", model="anything at all")
    envelope(moderate(client, "cat", model=5), 400, "string_type", "model")


def test_the_openapi_tells_of_it(client):
    document = client.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    assert {"flagged", "categories", "cost"} <= schemas["Result"]["properties"].keys()
    responses = document["paths"]["/v1/moderations"]["post"]["responses"]
    assert responses.keys() == {"200", "default"}


POLICY = """
version: "7"
threshold: 1
categories: {self_harm: 0.55, animal_abuse: 0.99}
allow: ["cat cat cat cat"]
"""


@pytest.fixture
def policy(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return path


def test_a_policy_flags_categories_allows_texts_and_is_told(policy):
    with serving(policy=policy) as client:
        answer = moderate(client, ["cat", "cat cat", "dog", "cat cat cat cat", ""]).json()
        assert answer["policy"] == {"version": "7"}
        found = [(each["flagged"], each["reasons"]) for each in answer["results"]]
        assert found == [
            (True, ["self_harm"]),  # probability .62, cost 0.5
            (True, ["cost", "self_harm"]),
            (False, []),
            (False, ["allowed"]),
            (False, []),
        ]
        first, second, *_ = answer["results"]
        assert first["categories"]["self-harm"]
        assert not first["categories"]["hate"]
        assert second["categories"]["hate"]  # cost 1.5: sigmoid(1.5) >= sigmoid(1)
        assert not any(answer["results"][3]["categories"].values())
        assert answer["results"][3]["cost"] == 3.5
        assert first["threshold"] == 1

        answer = client.post("/v1/score", json={"exchanges": ["cat", "", "cat cat cat cat"]}).json()
        assert answer["policy"] == {"version": "7"}
        verdicts = answer["verdicts"]
        assert [each["unsafe"] for each in verdicts] == [False, None, True]
        assert [each["flagged"] for each in verdicts] == [True, None, False]
        assert [each["reasons"] for each in verdicts] == [["self_harm"], [], ["allowed"]]
        response = {"prompt": "hello", "response": "cat cat cat cat"}
        asked = {"exchanges": [response], "threshold": -1}
        (verdict,) = client.post("/v1/score", json=asked).json()["verdicts"]
        assert (verdict["flagged"], verdict["threshold"]) == (False, -1)

        ranked = client.post("/v1/rank", json={"responses": ["cat"]}).json()
        assert (ranked["policy"], ranked["threshold"]) == ({"version": "7"}, 1)
        assert client.post("/v1/reward", json={"query": []}).json()["policy"] == {"version": "7"}
        assert client.get("/info").json()["policy"] == {"version": "7"}


def test_category_thresholds_are_of_probabilities(client):
    (result,) = results(client, "cat")
    assert result["cost"] == 0.5
    assert result["category_scores"]["self-harm"] == pytest.approx(1 / (1 + math.exp(-0.5)))
