import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from harmgauge import BundleError, gauges, load


@pytest.fixture
def no_embedded(monkeypatch, tmp_path):
    monkeypatch.setattr(gauges, "_HERE", tmp_path / "nothing")
    monkeypatch.setattr(gauges, "entry_points", lambda group: [])


def test_an_unknown_name_lists_the_installed_gauges(monkeypatch, no_embedded, tiny_bundle):
    with pytest.raises(BundleError, match=r"no gauge 'nano'.*none is installed"):
        load("nano")
    monkeypatch.setattr(gauges, "installed", lambda: {"tiny": tiny_bundle})
    with pytest.raises(BundleError, match=r"no gauge 'nano'.*\(tiny\)"):
        load("nano")
    assert load("tiny").name == "tiny"


@pytest.mark.parametrize("name", gauges.WHEELS)
def test_a_wheel_of_ours_that_is_not_installed_is_told_where_it_is(no_embedded, name):
    with pytest.raises(BundleError, match=rf"not installed: .* pip install \./gauges/{name}$"):
        load(name)
    assert (Path(__file__).parent.parent / "gauges" / name / "pyproject.toml").is_file()


def test_a_file_is_no_bundle(no_embedded, tmp_path):
    (tmp_path / "rows.csv").touch()
    with pytest.raises(BundleError, match=r"rows\.csv is a file; give the folder"):
        load(tmp_path / "rows.csv")


def test_without_a_name_the_embedded_gauge_is_meant(monkeypatch, no_embedded, tmp_path):
    with pytest.raises(BundleError, match="no gauge 'mini'"):
        load()
    embedded = tmp_path / "embedded"
    (embedded / "mini").mkdir(parents=True)
    (embedded / "mini" / "gauge.json").touch()
    monkeypatch.setattr(gauges, "_HERE", embedded)
    assert gauges.find() == gauges.find("mini") == embedded / "mini"


def test_another_wheel_brings_its_gauge_without_being_imported(monkeypatch, no_embedded, tmp_path):
    package = tmp_path / "site" / "brought_gauge"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(str(package.parent))
    entry = EntryPoint("brought", "brought_gauge", gauges.GROUP)
    monkeypatch.setattr(gauges, "entry_points", lambda group: [entry])
    assert gauges.installed() == {"brought": package}
    assert gauges.find("brought") == package
    assert "brought_gauge" not in sys.modules


def test_a_folder_is_taken_as_it_is(no_embedded, tiny_bundle, tmp_path):
    assert gauges.find(tiny_bundle) == gauges.find(str(tiny_bundle)) == tiny_bundle
    with pytest.raises(BundleError, match="not a bundle"):
        load(tmp_path)
