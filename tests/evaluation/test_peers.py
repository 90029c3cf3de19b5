"""The peers' descriptions are valid and agree with the environments made for them."""

import runpy
from pathlib import Path

import pytest

pytest.importorskip("pydantic")

from harmgauge.evaluation.scorers import open_scorer

FOLDER = Path(__file__).parents[2] / "benchmarks" / "peers"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_peer_is_described(path):
    versions = runpy.run_path(str(FOLDER / "make.py"))["PEERS"]
    scorer = open_scorer(str(path))
    command = scorer.facts["command"].split()
    (python,) = [word for word in command if word.endswith("/bin/python")]
    _, package, *_ = python.split("/")
    assert scorer.name == path.stem
    assert scorer.facts["licence"] in ("MIT", "Apache-2.0")
    assert scorer._description.version == versions[package]
    assert any((FOLDER / word).is_file() for word in command if word.endswith(".py"))
