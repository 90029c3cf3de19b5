"""Scores of an endpoint: a server of our own on localhost."""

import json
import threading
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest

from harmgauge.errors import HarmgaugeError, RecipeError
from harmgauge.evaluation.scorers import Batch
from harmgauge.evaluation.scorers import endpoint as module
from harmgauge.evaluation.scorers.endpoint import EndpointSource
from harmgauge.exchange import Exchange


def batch(*texts):
    return Batch("toy", [f"t:{n}" for n in range(1, len(texts) + 1)], [Exchange(t) for t in texts])


@pytest.fixture
def serve(monkeypatch):
    """Starts a server: `answer(body, headers)` gives status, JSON and headers of each request."""
    waits, servers = [], []
    monkeypatch.setattr(module.time, "sleep", waits.append)

    def start(answer, path="/score", **keys):
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, value, *headers = answer(body, self.headers)
                content = value if isinstance(value, bytes) else json.dumps(value).encode()
                self.send_response(status)
                for name, text in headers:
                    self.send_header(name, text)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}{path}"
        source = EndpointSource("remote", url, **keys)
        source.waits = waits
        return source

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def lengths(body, _):
    return 200, {"costs": [len(each["text"]) for each in body["exchanges"]]}


def test_exchanges_become_costs(serve):
    texts = ["a" * (n % 9) for n in range(70)]  # several requests
    scores = serve(lengths).scores(batch(*texts), progress=False).values
    assert scores.tolist() == [len(text) for text in texts]
    assert serve(lengths).scores(batch(), progress=False).values.shape == (0,)


def moderate(body, headers):
    assert headers["Authorization"] == "Bearer key"
    assert body["model"] == "m"
    scores = [
        {"hate": len(text) / 10, "violence/graphic": 0.2, "illicit": None} for text in body["input"]
    ]
    return 200, {"id": "modr-1", "results": [{"category_scores": each} for each in scores]}


@pytest.mark.parametrize(
    ("category", "scores"), [(None, [0.2, 0.4]), ("violence/graphic", [0.2, 0.2])]
)
def test_openai_shaped_answers(serve, monkeypatch, category, scores):
    monkeypatch.setenv("TOKEN_OF_MINE", "key")
    keys = {"category": category, "model": "m", "token_env": "TOKEN_OF_MINE"}
    source = serve(moderate, "/v1/moderations", **keys)
    assert source.scores(batch("a", "rain"), progress=False).values.tolist() == scores
    assert source.facts["category"] == category or "highest"
    assert "key" not in json.dumps(source.facts)


def test_an_unknown_category_is_named(serve):
    def answer(body, _):
        return 200, {"results": [{"category_scores": {"hate": 0.1}}]}

    source = serve(answer, "/v1/moderations", category="hat")
    with pytest.raises(RecipeError, match="no category hat; the endpoint has hate"):
        source.scores(batch("a"), progress=False)


@pytest.mark.parametrize(
    ("header", "longest"), [([], 1), ([("Retry-After", "7")], 7), ([("Retry-After", "soon")], 1)]
)
def test_a_busy_server_is_asked_again(serve, header, longest):
    seen = []

    def answer(body, headers):
        seen.append(1)
        return (503, {}, *header) if len(seen) == 1 else lengths(body, headers)

    source = serve(answer)
    assert source.scores(batch("rain"), progress=False).values.tolist() == [4]
    assert source.waits == [longest]


def test_a_date_to_wait_for_is_read(serve):
    seen = []

    def answer(body, headers):
        seen.append(1)
        date = formatdate(module.time.time() + 20, usegmt=True)
        return (429, {}, ("Retry-After", date)) if len(seen) == 1 else lengths(body, headers)

    source = serve(answer)
    source.scores(batch("rain"), progress=False)
    assert 0 < source.waits[0] <= 20


def test_a_server_that_stays_busy_is_given_up(serve):
    source = serve(lambda *_: (429, {}))
    with pytest.raises(HarmgaugeError, match="answers with status 429"):
        source.scores(batch("rain"), progress=False)
    assert source.waits == [1, 2, 4, 8, 16]


def test_a_text_that_is_refused_costs_only_its_own_score(serve):
    def answer(body, headers):
        if any(not each["text"] for each in body["exchanges"]):
            return 422, {"detail": "secret garden"}
        return lengths(body, headers)

    source = serve(answer)
    scored = source.scores(batch("a", "bb", "", "dddd", "e"), progress=False)
    np.testing.assert_array_equal(scored.values, [1, 2, np.nan, 4, 1])
    assert scored.counts == {"refused": 1}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((400, {"detail": "secret"}), "refused each of the first texts"),
        ((401, {"detail": "secret"}), "answers with status 401"),
        ((200, {"scores": [1]}), "an answer without a list of costs"),
        ((200, [1]), "an answer without a list of costs"),
        ((200, {"costs": [1, 2]}), "gave 2 scores for 1 exchanges"),
        ((200, b"secret"), "an answer that is not JSON"),
    ],
)
def test_what_cannot_be_used_is_told_without_a_text(serve, answer, said):
    with pytest.raises(HarmgaugeError, match=said) as caught:
        serve(lambda *_: answer).scores(batch("secret"), progress=False)
    assert "secret" not in str(caught.value)


def test_a_server_that_is_not_there_is_told():
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        port = server.server_port
    with pytest.raises(HarmgaugeError, match=r"cannot be reached \(.*is the server running"):
        EndpointSource("remote", f"http://127.0.0.1:{port}/").scores(batch("a"), progress=False)


def test_a_setting_that_does_not_fit_is_told(monkeypatch):
    monkeypatch.delenv("TOKEN_OF_MINE", raising=False)
    with pytest.raises(RecipeError, match="TOKEN_OF_MINE is not set"):
        EndpointSource("remote", "http://localhost/", token_env="TOKEN_OF_MINE")
    with pytest.raises(RecipeError, match="category is for URLs that end in /moderations"):
        EndpointSource("remote", "http://localhost/", category="hate")


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"[" * 100_000, "not JSON"), (b"null", "without a list of costs")],
)
def test_an_answer_that_is_no_list_of_costs_is_no_refusal(serve, content, said):
    source = serve(lambda body, headers: (200, content))
    with pytest.raises(HarmgaugeError, match=said):
        source.scores(batch("tea", "rain"), progress=False)
