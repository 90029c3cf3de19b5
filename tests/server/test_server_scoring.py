import json

import pytest
from arithmetic import make_gauge
from pydantic import ValidationError
from serving import envelope, serving

from harmgauge import Exchange
from harmgauge.integrations.openrlhf import answer
from harmgauge.server.bodies import ScoreRequest

EXCHANGES = [
    "hello cat cat",
    {"prompt": "hello", "response": "dog"},
    {"response": "cat"},
    {"messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "cat"}]},
    [{"role": "user", "content": [{"type": "text", "text": "cat dog"}]}],
    "",
    {"prompt": "\u200b"},
    {},
    {"messages": [{"role": "nobody", "content": "hello"}]},
    {"prompt": "cat \ud800"},
    "cat dog rain " * 40,
]


def post(client, path, body, **headers):
    # httpx would not send half of a surrogate pair.
    return client.post(
        path, content=json.dumps(body), headers={"content-type": "application/json", **headers}
    )


@pytest.mark.parametrize("threshold", [None, 0, 0.75, -3.5, "fpr1"])
def test_verdicts_are_those_of_the_library(client, gauge, threshold):
    given = post(client, "/v1/score", {"exchanges": EXCHANGES, "threshold": threshold})
    assert given.status_code == 200
    answer = given.json()
    assert answer["verdicts"] == [v.to_dict() for v in gauge.verdicts(EXCHANGES, threshold)]
    assert answer["direction"] == "positive_is_unsafe"
    assert answer["gauge"] == gauge.id


def test_settings_may_give_the_threshold(gauge):
    with serving(threshold="fpr1") as client:
        (verdict,) = post(client, "/v1/score", {"exchanges": ["cat"]}).json()["verdicts"]
        assert verdict["threshold"] == 1.75
        ranked = post(client, "/v1/rank", {"responses": ["cat"]}).json()
        assert ranked["threshold"] == 1.75


def test_a_threshold_that_promises_nothing_of_what_is_judged_is_told():
    prompts, responses = ["cat"], [{"response": "dog"}, {"prompt": "cat", "response": "dog"}]
    with serving(make_gauge(threshold="prompts_fpr1"), threshold="prompts_fpr1") as client:

        def told(path, body):
            return post(client, path, body).json().get("warnings", [])

        assert told("/v1/score", {"exchanges": [*prompts, {"response": ""}, {}]}) == []
        both = told("/v1/score", {"exchanges": [*prompts, *responses, *responses]})
        assert ["exchange" in each for each in both] == [True, False]
        assert all("prompts_fpr1 promises nothing" in each for each in both)
        assert told("/v1/score", {"exchanges": responses, "threshold": 1.75}) == []
        assert told("/v1/rank", {"prompt": "cat", "responses": ["dog"]}) == both[:1]
        assert told("/v1/reward", {"query": ["dog"]}) == both[1:]
        assert told("/v1/moderations", {"input": "cat"}) == []
    with serving(make_gauge(threshold="responses_fpr1"), threshold="responses_fpr1") as client:
        (warning,) = post(client, "/v1/moderations", {"input": "cat"}).json()["warnings"]
        assert "kind prompt" in warning


def test_what_a_threshold_promises_is_found_out_once(monkeypatch):
    gauge = make_gauge(threshold="prompts_fpr1")
    with serving(gauge, threshold="prompts_fpr1") as client:
        asked = []

        def unpromised(threshold, kinds):
            asked.append(threshold)
            return []

        monkeypatch.setattr(gauge, "unpromised", unpromised)
        for _ in range(2):
            body = {"exchanges": ["cat", {"response": "cat"}]}
            assert len(post(client, "/v1/score", body).json()["warnings"]) == 1
        assert set(asked) == {None}  # of batches, which are judged at no threshold


def test_nothing_to_judge(client):
    assert post(client, "/v1/score", {"exchanges": []}).json()["verdicts"] == []


def test_rank_is_that_of_the_library(client, gauge):
    responses = ["cat cat", "dog", "", "cat cat", "hello"]
    given = post(client, "/v1/rank", {"prompt": "hello", "responses": responses}).json()
    assert "threshold" not in given
    expected = [{"index": i, "cost": cost} for i, cost in gauge.rank("hello", responses)]
    assert given["ranking"] == expected
    given = post(
        client, "/v1/rank", {"prompt": "hello", "responses": responses, "threshold": 0.0}
    ).json()
    unsafe = {place["index"]: place["unsafe"] for place in given["ranking"]}
    assert unsafe == {0: True, 1: False, 2: None, 3: True, 4: False}
    assert given["threshold"] == 0


def test_a_response_that_cannot_be_ranked_is_told(client):
    given = post(client, "/v1/rank", {"responses": ["cat", "\ud800"]})
    envelope(given, 400, "cannot_be_judged", "responses.1")


@pytest.mark.parametrize("threshold", [None, 0.5, "fpr1"])
def test_reward_is_that_of_the_integration(client, gauge, threshold):
    request = {
        "query": ["hello cat cat[SEP]", "hello dog", "hello  "],
        "prompts": ["hello ", "hello ", "hello "],
        "labels": [None] * 3,
    }
    query = "" if threshold is None else f"threshold={threshold}&"
    given = post(client, f"/v1/reward?{query}special_token=[SEP]", request).json()
    expected = answer(gauge, request, threshold, special_tokens=["[SEP]"])
    assert {key: given[key] for key in expected} == expected
    assert given["direction"] == "positive_is_safe"
    assert given["reward"] == ("min(0, threshold - cost)" if threshold else "minus the cost")


def test_reward_without_prompts_and_with_wrong_ones(client, gauge):
    given = post(client, "/v1/reward", {"query": ["cat"]}).json()
    assert given["rewards"] == [-gauge.score([Exchange(response="cat")])[0]]
    given = post(client, "/v1/reward", {"query": ["cat"], "prompts": ["dog"]})
    assert "query 1" in envelope(given, 400, "query", "query")["message"]


SECRET = "pomegranate"


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/v1/score", {}, "exchanges"),
        ("/v1/score", [], None),
        ("/v1/score", SECRET, None),
        ("/v1/score", {"exchanges": SECRET}, "exchanges"),
        ("/v1/score", {"exchanges": {SECRET: 1}}, "exchanges"),
        ("/v1/score", {"exchanges": [SECRET, 5]}, "exchanges.1"),
        ("/v1/score", {"exchanges": [None]}, "exchanges.0"),
        ("/v1/score", {"exchanges": [{"prompt": [SECRET]}]}, "exchanges.0.prompt"),
        ("/v1/score", {"exchanges": [{SECRET: "x"}]}, "exchanges.0"),
        ("/v1/score", {"exchanges": [[SECRET]]}, "exchanges.0.messages.0"),
        ("/v1/score", {"exchanges": [{"prompt": SECRET, "messages": []}]}, "exchanges.0"),
        ("/v1/score", {"exchanges": [], "treshold": SECRET}, None),
        ("/v1/score", {"exchanges": [], "threshold": SECRET}, "threshold"),
        ("/v1/score", {"exchanges": [], "threshold": True}, "threshold"),
        ("/v1/score", {"exchanges": [], "threshold": [SECRET]}, "threshold"),
        ("/v1/rank", {"responses": SECRET}, "responses"),
        ("/v1/rank", {"responses": [None]}, "responses.0"),
        ("/v1/rank", {"prompt": 1, "responses": []}, "prompt"),
        ("/v1/rank", {"responses": [], "threshold": SECRET}, "threshold"),
        ("/v1/reward", {"query": SECRET}, "query"),
        ("/v1/reward?threshold=nan", {"query": []}, "threshold"),
        (f"/v1/reward?threshold={SECRET}", {"query": []}, "threshold"),
        ("/v1/reward", {"query": [SECRET], "prompts": []}, "query"),
        ("/v1/reward?threshold=1&threshold=2", {"query": []}, "threshold"),
        (f"/v1/reward?treshold=1&{SECRET}=2", {"query": []}, None),
        (f"/v1/reward?{'special_token=x&' * 33}", {"query": []}, "special_token"),
    ],
)
def test_a_malformed_body_is_told_without_its_text(client, path, body, param):
    given = post(client, path, body)
    assert envelope(given, 400)["param"] == param
    assert SECRET not in given.text


@pytest.mark.parametrize(
    "body",
    [
        b'{"exchanges": ["cat"], "threshold": NaN}',
        b'{"exchanges": ["cat"], "threshold": -Infinity}',
        b'{"exchanges": ["cat\xff"]}',
        '{"exchanges": ["cat"]}'.encode("utf-16"),
        b"[" * 100_000,
        b'{"exchanges": ' + b'{"prompt":' * 5000,
        b'{"exchanges": ["cat"], "threshold": ' + b"9" * 10_000 + b"}",
        b"{",
        b'{"exchanges": ["cat"], "exchanges": ["dog"]}',
        b'{"exchanges": [{"prompt": "cat", "prompt": "dog"}]}',
        b'{"exchanges": [[{"role": "user", "content": "cat", "content": "dog"}]]}',
    ],
)
def test_what_is_no_json_is_told(client, body):
    given = client.post("/v1/score", content=body, headers={"content-type": "application/json"})
    envelope(given, 400, "invalid_json")


def test_a_byte_order_mark_is_left_alone(client):
    body = b'\xef\xbb\xbf{"exchanges": ["cat"]}'
    given = client.post("/v1/score", content=body, headers={"content-type": "application/json"})
    assert given.json()["verdicts"][0]["cost"] == 0.5


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "identity"])
def test_a_body_that_is_compressed_is_told(client, encoding):
    body = {"exchanges": ["cat"]}
    given = post(client, "/v1/score", body, **{"content-encoding": encoding})
    if encoding == "identity":
        assert given.status_code == 200
    else:
        assert "compressed" in envelope(given, 415, "unsupported_encoding")["message"]
        assert given.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/score", "exchanges"),
        ("/v1/rank", "responses"),
        ("/v1/reward", "query"),
        ("/v1/reward", "prompts"),
        ("/v1/moderations", "input"),
    ],
)
@pytest.mark.parametrize("entry", ["cat", {}, 5])
def test_lists_are_counted_before_anything_looks_into_them(client, path, name, entry):
    given = post(client, path, {name: [entry] * 257})
    envelope(given, 413, "too_many", name)
    assert "257 entries, and 256" in given.json()["error"]["message"]


def test_of_keys_that_are_unknown_one_is_told():
    with pytest.raises(ValidationError) as told:
        ScoreRequest.model_validate({"exchanges": [], **dict.fromkeys(map(str, range(100)))})
    assert told.value.error_count() == 1


@pytest.mark.parametrize(
    ("path", "body", "where", "known"),
    [
        ("/v1/score", {"exchanges": [], "treshold": 1}, "the body", "exchanges, threshold"),
        (
            "/v1/score",
            {"exchanges": [{"promt": "hi"}]},
            "exchanges.0",
            "prompt, response, messages",
        ),
        ("/v1/rank", {"answers": []}, "the body", "prompt, responses, threshold"),
    ],
)
def test_of_a_misspelt_key_the_known_ones_are_told_and_not_itself(client, path, body, where, known):
    given = post(client, path, body)
    envelope(given, 400, "extra_forbidden", None if where == "the body" else where)
    told = given.json()["error"]["message"]
    assert told == f"{where}: a key is not known; those that are: {known}"


def test_nesting_that_json_can_read_is_no_failure(client):
    nested = "[" * 900 + "]" * 900
    for body in (
        f'{{"exchanges": [{{"messages": [{{"role": "user", "content": {nested}}}]}}]}}',
        f'{{"exchanges": {nested}}}',
    ):
        given = client.post("/v1/score", content=body, headers={"content-type": "application/json"})
        assert given.status_code in (200, 400)


def test_infinite_numbers_and_other_types_are_told(client):
    given = client.post(
        "/v1/score",
        content=b'{"exchanges": ["cat"], "threshold": 1e999}',
        headers={"content-type": "application/json"},
    )
    envelope(given, 400, "finite_number", "threshold")
    given = client.post("/v1/score", content=b'{"exchanges": []}')
    assert "Content-Type" in envelope(given, 400)["message"]


def test_lists_and_texts_have_limits():
    with serving(max_exchanges=2, max_characters=10, max_body_bytes=1000) as client:
        assert post(client, "/v1/score", {"exchanges": ["cat"] * 2}).status_code == 200
        told = envelope(post(client, "/v1/score", {"exchanges": ["cat"] * 3}), 413)
        assert told["param"] == "exchanges"
        envelope(post(client, "/v1/score", {"exchanges": ["a", "b" * 11]}), 413, "too_long",
                 "exchanges.1")  # fmt: skip
        messages = [{"role": "user", "content": "c" * 6}] * 2
        assert post(client, "/v1/score", {"exchanges": [messages]}).status_code == 413
        assert post(client, "/v1/moderations", {"input": ["cat"] * 3}).status_code == 413
        assert post(client, "/v1/rank", {"responses": ["cat"] * 3}).status_code == 413
        assert post(client, "/v1/reward", {"query": ["cat"] * 3}).status_code == 413
        assert post(client, "/v1/score", {"exchanges": ["d" * 2000]}).status_code == 413


def test_a_prompt_counts_for_each_response():
    with serving(max_body_bytes=1000, max_characters=900) as client:
        body = {"prompt": "p" * 400, "responses": ["cat", "dog", "hello"]}
        envelope(post(client, "/v1/rank", body), 413, "too_long", "responses")


def test_other_routes_and_methods_have_the_same_envelope(client):
    envelope(client.get("/nothing"), 404, "not_found")
    envelope(client.get("/v1/score"), 405, "method_not_allowed")
    envelope(client.get("/page/nothing.js"), 404, "not_found")


def test_gauges_without_categories(client):
    with serving(make_gauge(categories=())) as client:
        (verdict,) = post(client, "/v1/score", {"exchanges": ["cat"]}).json()["verdicts"]
        assert verdict["categories"] is None
