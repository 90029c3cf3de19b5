"""What the README and the pages say to type is what the code takes."""

import re
import shlex
from pathlib import Path

import click
import pytest

import harmgauge.gauge
from harmgauge.cli.main import cli

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page, *languages):
    return re.findall(rf"```(?:{'|'.join(languages)})\n(.*?)```", page.read_text("utf-8"), re.S)


@pytest.mark.parametrize("page", ["README.md", "docs/score.md"])
def test_python_runs_as_it_stands(page, monkeypatch, tiny_gauge):
    monkeypatch.setattr(harmgauge.gauge, "load", lambda: tiny_gauge)
    names = {}
    for block in blocks(ROOT / page, "python"):
        exec(block, names)
    assert names["gauge"] is tiny_gauge


def commands():
    for page in PAGES:
        for block in blocks(page, "sh", "console"):
            for line in block.replace("\\\n", " ").splitlines():
                for call in re.findall(r"(?:^|[ /])harmgauge ([a-z][^|&]*)", line.split("#")[0]):
                    yield pytest.param(call, id=f"{page.name}: {call[:40].strip()}")


@pytest.mark.parametrize("call", list(commands()))
def test_commands_have_the_verbs_and_options_that_are_named(call):
    command: click.Command = cli
    # Synopses mark what may be left out or repeated.
    words = shlex.split(re.sub(r"[][…]", " ", call))
    context = click.Context(command)
    while isinstance(command, click.Group):
        name = words.pop(0)
        command = command.get_command(context, name)
        assert command is not None, f"there is no verb {name}"
        context = click.Context(command, context, name)
    command.make_parser(context).parse_args(words)


def figures_of(page):
    """n and the figures, without intervals, of each row of a page's tables that has eight."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    for line in text.splitlines():
        cells = [cell.split() for cell in line.strip("| ").split("|")]
        numbers = [cell[0] for cell in cells[1:] if cell and re.fullmatch(r"\d\.\d{3}", cell[0])]
        if len(numbers) >= 8 and (n := re.search(r"\((\d+)\) \||\| (\d+) \|", line)):
            yield (n[1] or n[2], *numbers[:8])


def test_the_peers_stand_beside_the_gauges_of_the_report():
    shown = list(figures_of("scorers.md"))
    assert len(shown) == 16
    assert set(shown) <= set(figures_of("report.md"))
