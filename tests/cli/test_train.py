"""Ctrl-C while training: the shell is told, and so is the user."""

from __future__ import annotations

import pytest

pytest.importorskip("accelerate")

RECIPE = """
name: mine
licence: CC0-1.0
base: none
data:
  train: [{path: a.jsonl, licence: CC0-1.0}]
  valid: [{path: b.jsonl, licence: CC0-1.0}]
"""


@pytest.mark.parametrize(
    ("begun", "said"),
    [
        (True, "the same command with --resume goes on from the last checkpoint in "),
        (False, "give the same command again, nothing was trained yet"),
    ],
)
def test_ctrl_c_says_how_to_go_on(run, tmp_path, monkeypatch, begun, said):
    def stopped(settings, folder, out, **options):
        if begun:
            out.mkdir()
            (out / "recipe.json").write_text("{}")
        raise KeyboardInterrupt

    monkeypatch.setattr("harmgauge.training.pipeline.run", stopped)
    (tmp_path / "mine.yaml").write_text(RECIPE)
    result = run("train", tmp_path / "mine.yaml", "--out", tmp_path / "run")
    assert result.exit_code == 130
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith(f"harmgauge: stopped; {said}")
