"""Keys, names of hosts, other origins, and what is told to whom."""

import dataclasses
import hashlib
import json
import logging

import pytest
from arithmetic import make_gauge
from serving import envelope, serving

from harmgauge.server.logs import JsonFormatter, OnceASecond

SECRET = "pomegranate"


@pytest.fixture(scope="module")
def locked():
    with serving(api_keys=("first-key", "second-key")) as client:
        yield client


@pytest.fixture(scope="module")
def named():
    with serving(allowed_hosts=("gauge.example",)) as client:
        yield client


@pytest.mark.parametrize("path", ["/v1/score", "/v1/rank", "/v1/reward", "/v1/moderations"])
@pytest.mark.parametrize(
    "authorization", [None, "Bearer wrong", "Bearer", "first-key", "Basic first-key", "Bearer \xff"]
)
def test_calls_need_a_key(locked, path, authorization):
    headers = {} if authorization is None else {"authorization": authorization.encode("latin-1")}
    given = locked.post(path, json={}, headers=headers)
    error = envelope(given, 401, "invalid_api_key")
    assert error["type"] == "authentication_error"
    assert error["message"].startswith("this server needs" if not headers else "this is no key")
    assert given.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("key", ["first-key", "second-key"])
def test_each_key_lets_in(locked, key):
    headers = {"Authorization": f"Bearer {key}"}
    body = {"exchanges": ["cat"]}
    assert locked.post("/v1/score", json=body, headers=headers).status_code == 200
    assert locked.get("/info", headers=headers).status_code == 200


def test_the_description_says_what_needs_a_key(locked, client):
    paths = locked.get("/openapi.json").json()["paths"]
    needs = {path: "security" in next(iter(each.values())) for path, each in paths.items()}
    assert {path for path, need in needs.items() if not need} == {"/healthz", "/readyz"}
    assert "security" not in client.get("/openapi.json").text


def test_what_is_open_and_what_is_not(locked):
    for path in ("/", "/page/index.html", "/docs", "/docs/start.js", "/openapi.json", "/healthz"):
        assert locked.get(path).status_code == 200, path
    assert locked.get("/readyz").status_code == 200
    for path in ("/info", "/metrics", "/nothing", "/page/../info", "/docs/../metrics"):
        assert locked.get(path).status_code in (401, 404), path
        assert "harmgauge_requests" not in locked.get(path).text


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8000", 200),
        ("a.localhost", 200),
        ("127.0.0.1:8000", 200),
        ("[::1]:8000", 200),
        ("10.1.2.3", 200),
        ("gauge.example", 200),
        ("GAUGE.example:80", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("gauge.example@evil.example", 421),
        ("", 421),
        ("[::1", 421),
        ("localhost:x", 421),
        ("localhost:80:80", 421),
        ("evil@localhost", 421),
        ("localhost/evil", 421),
        ("localhost evil.example", 421),
    ],
)
def test_the_host_must_be_ours(named, host, status):
    given = named.get("/info", headers={"host": host})
    assert given.status_code == status
    if status == 421:
        envelope(given, 421, "host_not_allowed")
        assert "evil" not in given.text
    assert named.get("/healthz", headers={"host": host}).status_code == 200


def test_any_host_if_asked_for():
    with serving(allowed_hosts=("*",)) as client:
        assert client.get("/info", headers={"host": "any.example"}).status_code == 200


def test_other_origins_are_let_in_only_when_named(client):
    origin = {"origin": "https://app.example"}
    assert "access-control-allow-origin" not in client.get("/info", headers=origin).headers
    with serving(cors_origins=("https://app.example",), api_keys=("k",)) as named:
        asked = {**origin, "access-control-request-method": "POST"}
        assert named.options("/v1/score", headers=asked).status_code == 200
        given = named.post("/v1/score", json={}, headers=origin)
        assert given.status_code == 401
        assert given.headers["access-control-allow-origin"] == "https://app.example"
        other = {**asked, "origin": "https://other.example"}
        assert named.options("/v1/score", headers=other).status_code == 400


def test_no_answer_leads_to_where_the_host_header_says(client):
    for path in ("/v1/score/", "/docs/", "/page", "/metrics/"):
        envelope(client.get(path, follow_redirects=False), 404, "not_found")


def test_browsers_are_told_to_load_nothing_from_elsewhere(client):
    for path in ("/", "/page/index.html", "/nothing", "/docs"):
        headers = client.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'self'; ")
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
    assert "unsafe-inline" not in client.get("/").headers["content-security-policy"]


def test_the_docs_need_no_other_host(client):
    page = client.get("/docs").text
    assert "//" not in page.replace("<!doctype", "")
    for path in ("/docs/static/swagger-ui.css", "/docs/static/swagger-ui-bundle.js"):
        assert path[1:] in page
        assert client.get(path).status_code == 200


def test_request_ids_are_given_or_taken_over(client):
    first, second = (client.get("/healthz").headers["x-request-id"] for _ in range(2))
    assert first != second
    given = client.get("/healthz", headers={"x-request-id": "mine-1"})
    assert given.headers["x-request-id"] == "mine-1"
    given = client.get("/healthz", headers={"x-request-id": f"a text: {SECRET}"})
    assert SECRET not in given.headers["x-request-id"]


def test_nothing_is_logged_or_counted_of_what_was_said(client, caplog):
    with caplog.at_level(logging.INFO):
        client.post("/v1/score", json={"exchanges": [SECRET, {SECRET: 1}]})
        client.post("/v1/moderations", json={"input": SECRET})
        client.get(f"/{SECRET}?{SECRET}")
        client.request(SECRET.upper(), f"/page/{SECRET}")
    ours = [record for record in caplog.records if not record.name.startswith("httpx")]
    lines = [JsonFormatter().format(record) for record in ours]
    assert SECRET not in "".join(lines).lower()
    events = map(json.loads, lines)
    routes = [event["route"] for event in events if event["event"] == "request"]
    assert routes == ["/v1/score", "/v1/moderations", "other", "/page"]
    assert SECRET not in client.get("/metrics").text.lower()


def test_an_exception_is_logged_by_place_and_not_by_message():
    try:
        raise ValueError(SECRET)
    except ValueError as error:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "it failed", (), None)
        record.exc_info = (ValueError, error, error.__traceback__)
    line = json.loads(JsonFormatter().format(record))
    assert line["exception"] == "ValueError"
    assert "test_server_access.py" in line["at"][-1]
    assert SECRET not in json.dumps(line)


def test_what_is_said_again_in_the_same_second_is_left_out():
    said = [("no socket", 1.1), ("no socket", 1.9), ("no socket", 2.0), ("other", 2.1)]
    once, told = OnceASecond(), []
    for text, created in said:
        record = logging.LogRecord("asyncio", logging.ERROR, "", 0, text, (), None)
        record.created = created
        told.append(once.filter(record))
    assert told == [True, False, True, True]


def test_metrics_count(client):
    client.post("/v1/score", json={"exchanges": ["cat", "dog", "", {}]})
    text = client.get("/metrics").text
    assert 'harmgauge_requests_total{route="/v1/score",status="200"}' in text
    for kind in ("safe", "unsafe", "empty", "error"):
        assert f'harmgauge_verdicts_total{{verdict="{kind}"}}' in text
    assert "harmgauge_queue_exchanges 0.0" in text
    assert "harmgauge_batch_exchanges_count" in text
    assert "harmgauge_request_seconds_bucket" in text


def test_info_tells_of_the_gauge(client, gauge):
    info = client.get("/info").json()
    assert info["gauge"] == gauge.id
    assert info["sha256"] == hashlib.sha256(gauge.manifest.to_json().encode()).hexdigest()
    assert info["licence"] == "CC0-1.0"
    assert info["categories"] == list(gauge.manifest.outputs[1:])
    (threshold,) = info["thresholds"]
    assert threshold["cost"] == gauge.threshold("fpr1")
    assert info["limits"]["max_exchanges"] == 256
    assert info["direction"] == "positive_is_unsafe"
    assert info["policy"] is None
    assert info["curves"] is None


def test_info_has_the_cost_of_a_threshold_for_each_kind_that_a_prior_moves_otherwise(client):
    assert "cost_by_kind" not in client.get("/info").json()["thresholds"][0]
    with serving(gauge := make_gauge(prior=0.1)) as moved:
        (threshold,) = moved.get("/info").json()["thresholds"]
        scored = {"exchanges": [{"response": "cat"}, "cat"], "threshold": "fpr1"}
        response, prompt = moved.post("/v1/score", json=scored).json()["verdicts"]
    assert threshold["cost_by_kind"] == {"response": gauge.threshold("fpr1", "response")}
    assert threshold["cost_by_kind"]["response"] == response["threshold"]
    assert threshold["cost"] == prompt["threshold"] != response["threshold"]


@dataclasses.dataclass
class Curve:
    data: str
    safe: int
    unsafe: int
    cost: tuple[float, ...]
    false_alarms: tuple[float, ...]
    misses: tuple[float, ...]


def test_info_has_the_curves_of_a_gauge_that_stores_some(client, gauge, monkeypatch):
    curve = Curve("made up", 100, 50, (-1.0, 0.5), (0.5, 0.1), (0.0, 0.2))
    monkeypatch.setattr(type(gauge), "curves", lambda _: {"prompt": curve}, raising=False)
    found = client.get("/info").json()["curves"]
    assert found == {"prompt": json.loads(json.dumps(dataclasses.asdict(curve)))}
    monkeypatch.setattr(type(gauge), "curves", lambda _: {}, raising=False)
    assert client.get("/info").json()["curves"] is None
