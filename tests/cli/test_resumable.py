"""A run that is stopped by Ctrl-C or a full disk: the shell is told, and so is the user."""

from __future__ import annotations

import errno

import pytest

from harmgauge.cli.resumable import resumable
from harmgauge.errors import HarmgaugeError
from no_room import no_room

RECIPE = """
name: mine
licence: CC0-1.0
base: none
data:
  train: [{path: a.jsonl, licence: CC0-1.0}]
  valid: [{path: b.jsonl, licence: CC0-1.0}]
"""


@pytest.mark.parametrize(
    ("verb", "module"), [("train", "training.pipeline"), ("sft", "training.sft.pipeline")]
)
@pytest.mark.parametrize(
    ("begun", "said"),
    [
        (True, "the same command with --resume goes on from the last checkpoint in "),
        (False, "give the same command again, nothing was trained yet"),
    ],
)
def test_ctrl_c_says_how_to_go_on(run, tmp_path, monkeypatch, begun, said, verb, module):
    pytest.importorskip("accelerate")

    def stopped(settings, folder, out, **options):
        if begun:
            out.mkdir()
            (out / "recipe.json").write_text("{}")
        raise KeyboardInterrupt

    monkeypatch.setattr(f"harmgauge.{module}.run", stopped)
    (tmp_path / "mine.yaml").write_text(RECIPE)
    result = run(verb, tmp_path / "mine.yaml", "--out", tmp_path / "run")
    assert result.exit_code == 130
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith(f"harmgauge: stopped; {said}")


def by_python(path):
    path.write_bytes(bytes(9000))


def by_safetensors(path):
    import torch
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(9000)}, path)


def by_torch(path):
    import torch

    torch.save(torch.zeros(9000), path)


def by_tokenizers(path):
    from tiny import make_tokenizer

    make_tokenizer().save(str(path))


@pytest.mark.parametrize("write", [by_python, by_safetensors, by_torch, by_tokenizers])
def test_a_full_disk_is_told_whoever_meets_it(tmp_path, write):
    pytest.importorskip("torch")
    said = r"make room there .* with --resume"
    with pytest.raises(HarmgaugeError, match=said) as told, no_room(4096), resumable(tmp_path):
        write(tmp_path / "file")
    assert str(tmp_path) in str(told.value)


@pytest.mark.parametrize(
    "error", [ValueError("no such thing"), PermissionError(errno.EACCES, "not allowed", "here")]
)
def test_other_errors_are_left_as_they_are(tmp_path, error):
    with pytest.raises(type(error)) as told, resumable(tmp_path):
        raise error
    assert told.value is error
