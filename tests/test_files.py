"""Files that are whole or not there."""

import shutil
from pathlib import Path

import pytest

from harmgauge.errors import HarmgaugeError
from harmgauge.files import SCRATCH, cache_root, whole_file, whole_folder


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


def test_a_folder_takes_the_place_of_another_once_it_is_whole(tmp_path):
    place, link = tmp_path / "words", tmp_path / "link"
    link.symlink_to(place)
    with whole_folder(tmp_path / "new" / "deep") as new:
        (new / "0.txt").write_text("one")
    assert [path.name for path in tmp_path.rglob("*.txt")] == ["0.txt"]
    shutil.rmtree(tmp_path / "new")
    for number, path in enumerate((place, place, link)):
        with whole_folder(path) as new:
            (new / f"{number}.txt").write_text("one")
        assert [file.name for file in place.iterdir()] == [f"{number}.txt"]
        assert sorted(each.name for each in tmp_path.iterdir()) == ["link", "words"]
    assert link.is_symlink()


@pytest.mark.parametrize("stage", ["filling", "exchange"])
def test_what_stops_a_new_folder_leaves_the_older(tmp_path, monkeypatch, stage):
    place = tmp_path / "words"
    place.mkdir()
    (place / "old.txt").write_text("one")
    moves = []

    def interrupted(source, target):
        moves.append(target)
        if len(moves) == 2:
            raise KeyboardInterrupt
        Path(source).rename(target)

    def stopped():
        with whole_folder(place) as new:
            (new / "new.txt").write_text("two")
            if stage == "filling":
                raise KeyboardInterrupt
            monkeypatch.setattr("harmgauge.files.os.replace", interrupted)

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert len(moves) == (3 if stage == "exchange" else 0)
    assert [file.name for file in place.iterdir()] == ["old.txt"]
    assert [each.name for each in tmp_path.iterdir()] == ["words"]


def test_a_user_without_a_home_is_told_how_to_have_a_cache(monkeypatch, tmp_path):
    def nobody():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nobody)
    monkeypatch.delenv("HARMGAUGE_CACHE", raising=False)
    with pytest.raises(HarmgaugeError, match="have HARMGAUGE_CACHE name a folder"):
        cache_root()
    monkeypatch.setenv("HARMGAUGE_CACHE", str(tmp_path))
    assert cache_root() == tmp_path
