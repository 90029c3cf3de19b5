"""A server on a loopback port, with clients that behave and others that do not."""

import json
import socket
import threading
import time

import httpx
import openai
import pytest
from arithmetic import make_gauge
from serving import envelope, live, wait_for

from harmgauge.server.protocol import Protocol


@pytest.fixture(scope="module")
def server(gauge):
    with live(gauge, read_timeout_s=0.5, api_keys=("a-key",)) as server:
        yield server


AUTH = {"Authorization": "Bearer a-key"}


def score(server, *texts):
    body = {"exchanges": list(texts)}
    return server.client.post("/v1/score", json=body, headers=AUTH)


def exchange(server, data, *more, wait=0.0):
    """What the server answers to raw bytes: status and body; None where it only closes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(data)
        for each in more:
            time.sleep(wait)
            connection.sendall(each)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    if not answer:
        return None
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def test_the_openai_client_needs_no_change(server, gauge):
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="a-key", max_retries=0)
    for given, count in (
        ("cat cat", 1),
        (["cat cat", "dog", ""], 3),
        ([{"type": "text", "text": "cat cat"}], 1),
    ):
        answer = client.moderations.create(model="omni-moderation-latest", input=given)
        assert (answer.model, len(answer.results)) == (gauge.id, count)
        assert answer.results[0].flagged is True
        assert answer.results[0].categories.hate is True
        assert answer.results[0].categories.illicit_violent is False
        assert answer.results[0].category_scores.self_harm > 0.5
        assert answer.results[0].category_applied_input_types.sexual_minors == []
        assert answer.results[0].cost == 1.5  # keys of our own come through
    assert client.moderations.create(input="dog").results[0].flagged is False


def test_the_openai_client_reads_our_errors(server):
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="a-key", max_retries=0)
    image = [{"type": "image_url", "image_url": {"url": "https://example.org/x.png"}}]
    with pytest.raises(openai.BadRequestError) as told:
        client.moderations.create(input=image)
    assert told.value.code == "images_not_supported"
    assert told.value.param == "input.0"
    assert told.value.request_id
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="other").moderations.create(input="cat")


HEAD = b"POST /v1/score HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer a-key\r\n"


def test_slow_headers_are_cut_off(server):
    started = time.monotonic()
    status, answer = exchange(server, HEAD, b"X-A: 1\r\n", b"X-B: 1\r\n", wait=0.2)
    assert (status, answer["error"]["code"]) == (408, "read_timeout")
    assert time.monotonic() - started < 10
    assert score(server, "cat").status_code == 200


def test_a_client_that_says_nothing_is_cut_off(server):
    assert exchange(server, b"") is None


def test_a_slow_body_is_cut_off(server):
    head = HEAD + b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    status, answer = exchange(server, head, b"{", b'"', wait=0.1)
    assert (status, answer["error"]["code"]) == (408, "read_timeout")


@pytest.mark.parametrize("host", [b"localhost", b"evil.example"])
def test_who_is_refused_cannot_stay_by_sending_slowly(server, host):
    head = b"POST /v1/score HTTP/1.1\r\nHost: " + host + b"\r\nContent-Length: 100\r\n\r\n"
    status, _ = exchange(server, head, b"{", b'"', wait=0.1)
    assert status in (401, 421)


@pytest.mark.parametrize("path", ["/", "/healthz", "/info", "/page/main.js", "/docs"])
def test_a_head_is_a_get_without_the_body(server, path):
    head = server.client.head(path, headers=AUTH)
    get = server.client.get(path, headers=AUTH)
    assert head.status_code == get.status_code == 200
    assert head.headers["content-length"] == get.headers["content-length"] != "0"
    assert head.content == b""


def test_what_is_no_http_is_told(server):
    status, answer = exchange(server, b"pomegranate\r\n\r\n")
    assert (status, answer["error"]["code"]) == (400, "invalid_http")
    assert "pomegranate" not in json.dumps(answer)


def test_two_lengths_are_one_too_many(server):
    body = b'13\r\n{"exchanges":["a"]}\r\n0\r\n\r\n'
    head = HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    status, answer = exchange(server, head + body + b"GET /info HTTP/1.1\r\n")
    assert (status, answer["error"]["code"]) == (400, "two_lengths")


@pytest.mark.parametrize("where", [b"GET /%s HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nX: %s\r\n"])
def test_headers_that_are_too_long_are_told(server, where):
    status, answer = exchange(server, where % (b"a" * 66_000))
    assert (status, answer["error"]["code"]) == (431, "headers_too_large")


def test_a_body_in_tiny_chunks_lets_others_in_between(server, monkeypatch):
    reads = []

    def noted(protocol, data):
        reads.append(len(data))
        received(protocol, data)

    received = Protocol.data_received
    monkeypatch.setattr(Protocol, "data_received", noted)
    head = HEAD + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    status, _ = exchange(server, head + b"1\r\n \r\n" * 6000 + b"0\r\n\r\n")
    assert status == 400
    assert max(reads) <= 1 << 14 < sum(reads)


def test_who_takes_nothing_of_an_answer_is_cut_off():
    with live(request_timeout_s=0.5) as server, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.connect(("127.0.0.1", server.port))
        ask = b"GET /docs/static/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
        connection.sendall(ask * 10)
        connections = server.server.server_state.connections
        wait_for(lambda: len(connections) == 2)  # the other is of the client that is ready
        wait_for(lambda: len(connections) == 1)
        assert all(each.client[1] != connection.getsockname()[1] for each in connections)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_100_megabytes_is_refused_and_not_kept(server, chunked):
    block = b" " * (1 << 20)

    def body():
        for _ in range(100):
            yield block

    length = {} if chunked else {"Content-Length": str(100 * len(block))}
    given = server.client.post("/v1/score", content=body(), headers={**AUTH, **length})
    assert given.status_code == 413
    assert given.json()["error"]["code"] == "body_too_large"
    assert score(server, "cat").status_code == 200


def test_paths_below_the_page_lead_nowhere_else(server):
    for path in (b"/page/../info", b"/page/%2e%2e/info", b"/page/../../../../etc/hostname",
                 b"/docs/../metrics", b"/page/..%2f..%2fapp.py"):  # fmt: skip
        status, _ = exchange(
            server,
            b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        )
        assert status in (401, 404), path


def test_the_work_of_killed_clients_is_dropped():
    gauge = make_gauge()
    runtime = gauge._scorer._runtime
    with live(gauge, batch_size=1) as server:
        batcher = server.app.state.judge.batcher
        runtime.hold()
        first = threading.Thread(target=score, args=(server, "cat"))
        first.start()
        wait_for(lambda: (batcher._pace and not batcher._waiting) or first.is_alive())
        body = json.dumps({"exchanges": ["dog"] * 20}).encode()
        head = HEAD + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        clients = []
        for _ in range(5):
            clients.append(socket.create_connection(("127.0.0.1", server.port)))
            clients[-1].sendall(head + body)
        wait_for(lambda: batcher._waiting == 100)
        for each in clients:
            each.close()
        wait_for(lambda: batcher._waiting == 0)
        runtime.release()
        first.join()
        assert score(server, "cat").status_code == 200
        assert 'status="499"' in server.client.get("/metrics").text


def test_what_was_accepted_is_answered_before_the_end():
    gauge = make_gauge()
    runtime = gauge._scorer._runtime
    answers = []
    with live(gauge, batch_size=1) as server:
        batcher = server.app.state.judge.batcher
        runtime.hold()
        threads = [
            threading.Thread(target=lambda: answers.append(score(server, "cat", "dog")))
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        wait_for(lambda: batcher._waiting == 5)
        server.server.should_exit = True
        time.sleep(0.3)
        with pytest.raises(httpx.TransportError):
            score(server, "late")
        runtime.release()
        for thread in threads:
            thread.join()
    assert [each.status_code for each in answers] == [200] * 3


def test_what_is_not_finished_in_time_is_told_so_at_the_end():
    gauge = make_gauge()
    runtime = gauge._scorer._runtime
    answers = []
    with live(gauge, shutdown_timeout_s=1) as server:
        runtime.hold()
        waiting = threading.Thread(target=lambda: answers.append(score(server, "cat")))
        waiting.start()
        wait_for(runtime.held.is_set)
        server.server.should_exit = True
        waiting.join()
        runtime.release()
    error = envelope(answers[0], 503, "overloaded")
    assert "stopping" in error["message"]
    assert int(answers[0].headers["retry-after"]) >= 1
