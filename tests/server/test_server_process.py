"""`harmgauge serve` as users start it, with the embedded gauge."""

import json
import signal
import socket
import subprocess
import sys

import httpx
import pytest
from click.testing import CliRunner
from serving import texts, wait_for

from harmgauge import load
from harmgauge.cli.main import cli
from harmgauge.errors import RecipeError
from harmgauge.server.run import run
from harmgauge.server.settings import Settings

MAIN = "from harmgauge.cli.main import main; main()"
COMMAND = [sys.executable, "-c", MAIN, "serve", "--port", "0"]


def started(*options):
    """The process, and the port that its log tells."""
    process = subprocess.Popen([*COMMAND, *options], stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        event = json.loads(line)["event"]
        if "running on" in event:
            return process, int(event.split("://")[1].split()[0].split(":")[1])
    raise AssertionError(f"it ended with {process.wait()}")


def by_command_line(gauge, text):
    with pytest.MonkeyPatch.context() as patch:
        # Loaded once: the command loads it each time.
        patch.setattr("harmgauge.cli.score.load_gauge", lambda *_: gauge)
        told = CliRunner().invoke(cli, ["score", "--json", text])
    return json.loads(told.stdout)["cost"]


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("127.0.0.1", "address already in use"),
        ("192.0.2.1", "cannot assign requested address"),  # of documents, nobody's
        ("é" * 70, "there is no such name"),
    ],
)
def test_an_address_that_cannot_be_listened_on_is_told(host, reason):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(RecipeError, match=f"host {host}, port {port}: {reason}; give another"):
            run(Settings(host=host, port=port, allow_no_keys=True))


@pytest.mark.slow
def test_costs_one_by_one_are_those_of_the_library():
    process, port = started("--threads", "1")
    try:
        gauge = load(threads=1)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            wait_for(lambda: client.get("/readyz").status_code == 200, seconds=120)
            served = [
                client.post("/v1/score", json={"exchanges": [text]}).json()["verdicts"][0]["cost"]
                for text in texts()
            ]
            assert client.get("/info").json()["gauge"] == gauge.id
        assert len(served) == 200
        alone = [gauge.score([text])[0] for text in texts()]
        assert served == pytest.approx(alone, abs=1e-6)
        assert [by_command_line(gauge, text) for text in texts()] == pytest.approx(alone, abs=1e-6)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) in (0, -signal.SIGTERM)
        assert "Traceback" not in process.stderr.read()


@pytest.mark.slow
def test_a_gauge_that_cannot_be_loaded_ends_it():
    done = subprocess.run(
        [*COMMAND, "--gauge", "no-such-gauge"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith("harmgauge: there is no gauge 'no-such-gauge'")
    assert "Traceback" not in done.stderr
