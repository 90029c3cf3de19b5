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
