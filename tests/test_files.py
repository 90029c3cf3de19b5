"""Files that are whole or not there."""

from pathlib import Path

import pytest

from harmgauge.errors import HarmgaugeError
from harmgauge.files import SCRATCH, cache_root, whole_file


def test_a_file_is_there_once_it_is_whole(tmp_path):
    file = tmp_path / "words.txt"
    with whole_file(file) as scratch:
        scratch.write_text("one")
        assert [path.name for path in tmp_path.glob(SCRATCH)] == [scratch.name]
        assert not file.exists()
    assert [path.read_text() for path in tmp_path.iterdir()] == ["one"]


def test_what_fails_leaves_the_file_as_it_was(tmp_path):
    file = tmp_path / "words.txt"
    file.write_text("one")

    def stopped():
        with whole_file(file) as scratch:
            scratch.write_text("tw")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert [path.read_text() for path in tmp_path.iterdir()] == ["one"]


def test_a_user_without_a_home_is_told_how_to_have_a_cache(monkeypatch, tmp_path):
    def nobody():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nobody)
    monkeypatch.delenv("HARMGAUGE_CACHE", raising=False)
    with pytest.raises(HarmgaugeError, match="have HARMGAUGE_CACHE name a folder"):
        cache_root()
    monkeypatch.setenv("HARMGAUGE_CACHE", str(tmp_path))
    assert cache_root() == tmp_path
