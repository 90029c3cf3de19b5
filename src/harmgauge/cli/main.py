"""`harmgauge`: one verb a file, loaded only when called, so that --help stays quick."""

from __future__ import annotations

import importlib
import io
import keyword
import sys
import warnings
from collections.abc import Callable

import click

from .. import __version__
from ..errors import HarmgaugeError, HarmgaugeWarning

# The verbs, each a click command in the module of this package that is called like it (`import`
# with an underscore, since Python has the word).
VERBS = {
    "score": "Judge texts: from arguments, stdin or a file.",
    "rank": "Order several responses to one prompt, safest first.",
    "serve": "Serve a gauge over HTTP, with OpenAI's /v1/moderations and a web page.",
    "info": "Show a gauge's licence, data, calibration and measurements.",
    "card": "Print a gauge's model card, or let it tell of measurements.",
    "evaluate": "Measure a gauge on labelled files, beside trivial floors.",
    "compare": "Set one gauge against another on the same data.",
    "calibrate": "Store thresholds that keep a promise, or fit the scale to your labels.",
    "data": "Check, describe, split or fetch training data.",
    "sft": "Fine-tune a language model on responses, a base for train.",
    "train": "Train a cost model from a recipe and write its bundle.",
    "export": "Turn a gauge into a Hugging Face folder.",
    "import": "Turn a Hugging Face classifier into a gauge.",
}


class LazyGroup(click.Group):
    """Imports a verb's module when the verb is used, so that the list of verbs imports none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        name = f"{name}_" if keyword.iskeyword(name) else name
        module = importlib.import_module(f"{__package__}.{name}")
        command: click.Command = getattr(module, name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="harmgauge")
def cli() -> None:
    """Gauge how harmful a prompt or a response is, as one signed cost.

    Below 0 is safe, above 0 unsafe, further from 0 more so.
    """


def main() -> None:
    """Entry point."""
    ending_in_one_line(cli)


def ending_in_one_line(command: Callable[[], object]) -> None:
    """Run it; a user's mistake becomes one line on stderr and exit status 2."""
    plain = warnings.formatwarning

    def in_one_line(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        line: str | None = None,
    ) -> str:
        if issubclass(category, HarmgaugeWarning):
            return f"harmgauge: {message}\n"
        return plain(message, category, filename, lineno, line)

    warnings.formatwarning = in_one_line
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # and not closed
            # A character that the terminal's encoding lacks is no reason to stop.
            stream.reconfigure(errors="backslashreplace")
    try:
        command()
    except HarmgaugeError as error:
        click.echo(f"harmgauge: {error}", err=True)
        raise SystemExit(2) from None
    except OSError as error:  # a folder that is not writable, a disk that is full
        if error.filename is None and error.strerror is None:
            raise
        what = [str(part) for part in (error.filename, error.strerror) if part]
        click.echo(f"harmgauge: {': '.join(what)}", err=True)
        raise SystemExit(2) from None
