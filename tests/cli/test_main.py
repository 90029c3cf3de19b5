"""A user's mistake is one line on stderr and exit status 2, never a traceback."""

from __future__ import annotations

import runpy
import sys
import warnings

import pytest

from harmgauge import HarmgaugeWarning
from harmgauge.cli.main import main


@pytest.mark.parametrize("case", ["data", "system"])
def test_a_mistake_is_one_line(case, tmp_path, monkeypatch, capsys):
    file = tmp_path / "rows.jsonl"
    file.write_text('{"prompt": "hello"}\n' if case == "system" else "", encoding="utf-8")
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)  # put back at the end
    report = tmp_path / "nowhere" / "report.json"
    monkeypatch.setattr(
        sys, "argv", ["harmgauge", "data", "check", str(file), "--json", str(report)]
    )
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("harmgauge: ")
    said = warnings.formatwarning("what to know", HarmgaugeWarning, "file.py", 7)
    assert said == "harmgauge: what to know\n"
    assert ("nowhere" if case == "system" else "holds no rows") in line


def test_the_module_is_the_command(monkeypatch, capsys):
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    monkeypatch.setattr(sys, "argv", ["harmgauge", "--version"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("harmgauge", run_name="__main__")
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("harmgauge, version ")
