"""What deploy/ says of the server is what the server knows."""

import re
import shlex
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from harmgauge.cli.main import cli
from harmgauge.errors import HarmgaugeError
from harmgauge.server.settings import PREFIX, Settings

FOLDER = Path(__file__).parents[1] / "deploy"
FILES = sorted(path for path in FOLDER.iterdir() if path.suffix in (".service", ".yaml", ""))
PROBES = {"/readyz", "/healthz"}


def manifest(kind: str) -> dict:
    documents = yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text(encoding="utf-8"))
    return next(each for each in documents if each["kind"] == kind)


def pod_spec() -> dict:
    return manifest("Deployment")["spec"]["template"]["spec"]


def container() -> dict:
    return pod_spec()["containers"][0]


def test_there_are_three_ways():
    assert {path.name for path in FILES} == {"Dockerfile", "harmgauge.service", "kubernetes.yaml"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_variables_are_settings(path):
    named = set(re.findall(rf"\b{PREFIX}([A-Z_]+)", path.read_text(encoding="utf-8")))
    assert named
    assert named <= {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_stopping_takes_longer_than_what_was_accepted(path):
    text = path.read_text(encoding="utf-8")
    grace = re.findall(r"(?:TimeoutStopSec=|terminationGracePeriodSeconds: )(\d+)", text)
    assert all(float(seconds) > Settings().shutdown_timeout_s for seconds in grace)
    assert grace or path.name == "Dockerfile"


def test_the_container_s_probe_and_port_are_the_server_s():
    text = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    port = Settings().port
    assert f"EXPOSE {port}\n" in text
    asked = re.search(r"http://127\.0\.0\.1:(\d+)(/\w+)", text)
    assert asked is not None
    assert int(asked[1]) == port
    assert asked[2] in PROBES


def test_the_container_s_command_needs_keys():
    command = re.search(r"^CMD (\[.*\])$", (FOLDER / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    assert command is not None
    flags = yaml.safe_load(command[1])
    assert flags == container()["args"] == ["--host", "0.0.0.0"]
    assert not Settings(host=flags[1]).loopback


def test_pods_probe_what_needs_no_key_and_write_nothing():
    pod = container()
    probes = [pod[f"{each}Probe"]["httpGet"] for each in ("startup", "readiness", "liveness")]
    assert {probe["path"] for probe in probes} == PROBES
    assert pod["ports"] == [{"name": "http", "containerPort": Settings().port}]
    assert pod["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod_spec()["securityContext"]["runAsNonRoot"]


def test_the_service_s_own_variables_are_kept_from_pods():
    # Of a service of that name one is HARMGAUGE_PORT=tcp://…, with which the server does not start.
    name = manifest("Service")["metadata"]["name"].upper().replace("-", "_")
    assert f"{name}_PORT" == f"{PREFIX}PORT"
    assert pod_spec()["enableServiceLinks"] is False


def test_a_pod_waits_before_it_stops():
    command = container()["lifecycle"]["preStop"]["exec"]["command"]
    assert command[0] == "sleep"
    grace = pod_spec()["terminationGracePeriodSeconds"]
    assert grace > int(command[1]) + Settings().shutdown_timeout_s


def test_the_unit_does_not_try_again_what_cannot_work():
    unit = (FOLDER / "harmgauge.service").read_text(encoding="utf-8")
    done = CliRunner().invoke(cli, ["serve", "--port", "-1"])
    assert isinstance(done.exception, HarmgaugeError)  # of which `main` makes status 2
    assert "\nRestartPreventExitStatus=2\n" in unit


def test_the_unit_starts_the_server():
    unit = (FOLDER / "harmgauge.service").read_text(encoding="utf-8")
    start = re.search(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    assert start is not None
    assert shlex.split(start[1])[1:] == ["serve"]
