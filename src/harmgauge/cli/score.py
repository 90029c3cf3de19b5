"""`harmgauge score`: texts from arguments, stdin, a file or the keyboard."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from ..errors import DataError, ExchangeError
from ..exchange import Exchange
from . import bulk, draw
from .options import gauge_options, load_gauge, threshold_option

if TYPE_CHECKING:
    from ..gauge import Gauge

_FILE = click.Path(dir_okay=False, path_type=Path)
_BLOCK = 1 << 18
"""most bytes of stdin that are judged at a time: enough lines to sort well by length"""


@click.command()
@click.argument("text", required=False)
@click.option("--prompt", metavar="TEXT", help="A prompt; without a response it is on trial.")
@click.option("--response", metavar="TEXT", help="A response, judged in the light of the prompt.")
@click.option(
    "--messages", metavar="FILE", help="Chat messages as JSON; - is stdin. The last is on trial."
)
@click.option("--input", "source", type=_FILE, help="Score a file: jsonl, json, csv or parquet.")
@click.option("--output", type=_FILE, help="Where its rows go, .jsonl or .csv; else stdout.")
@click.option("--prompt-column", metavar="NAME", help="Column of --input that holds prompts.")
@click.option("--response-column", metavar="NAME", help="Column of --input that holds responses.")
@click.option("--json", "as_json", is_flag=True, help="Print verdicts as JSON, one a line.")
@threshold_option
@gauge_options
def score(
    text: str | None,
    prompt: str | None,
    response: str | None,
    messages: str | None,
    source: Path | None,
    output: Path | None,
    prompt_column: str | None,
    response_column: str | None,
    as_json: bool,
    threshold: float | str | None,
    name: str | None,
    prior: float | None,
    threads: int | None,
) -> None:
    """Judge TEXT (a prompt), or what the options name, or each line of stdin.

    The cost is below 0 for safe and above 0 for unsafe; further from 0 is clearer. On a terminal
    without any text, you are asked for some.

    Exit status: 0, 1 when something could not be judged, 2 for a mistake in the call.
    """
    pair = prompt is not None or response is not None
    if sum((text is not None, pair, messages is not None, source is not None)) > 1:
        raise click.UsageError(
            "give one of TEXT, --prompt and --response, --messages, --input; found several"
        )
    if source is None and (output or prompt_column or response_column):
        raise click.UsageError("--output and the column options need --input FILE")
    if output is not None and output.suffix not in bulk.OUTPUTS:
        raise click.UsageError(f"--output must end in {' or '.join(bulk.OUTPUTS)}")

    gauge = load_gauge(name, prior, threads)
    gauge.threshold(threshold)  # an unknown name is refused before anything is read
    if source is not None:
        columns = bulk.Columns(prompt_column, response_column)
        count, failed = bulk.score_file(gauge, source, output, columns, threshold)
        if output is not None:
            click.echo(
                f"{count} rows read, their verdicts by {gauge.id} written to {output}", err=True
            )
        _finish(count, failed, "row", "; see their error column")
    elif text is not None:
        _one(gauge, {"prompt": text}, threshold, as_json)
    elif pair:
        _one(gauge, {"prompt": prompt, "response": response}, threshold, as_json)
    elif messages is not None:
        _one(gauge, {"messages": _read_messages(messages)}, threshold, as_json)
    elif sys.stdin is not None and sys.stdin.isatty():
        _converse(gauge, threshold, as_json)
    else:
        _lines(gauge, threshold, as_json)


def _one(gauge: Gauge, value: dict[str, Any], threshold: float | str | None, as_json: bool) -> None:
    verdict = gauge.verdict(value, threshold)
    if as_json:
        bulk.echo_json(verdict.to_dict())
    elif verdict.error is None:
        draw.echo(draw.picture(Exchange.of(value), verdict))
    if verdict.error is not None:
        click.echo(f"harmgauge: not judged: {verdict.error}", err=True)
        raise SystemExit(1)


def _lines(gauge: Gauge, threshold: float | str | None, as_json: bool) -> None:
    """Judge each line of stdin as a prompt."""
    if not as_json:
        click.echo(draw.HEADER, err=True)
    count, failed = 0, []
    for lines in _arriving(_stdin()):
        for verdict in gauge.verdicts(lines, threshold):
            count += 1
            if verdict.error is not None:
                failed.append(count)
            if as_json:
                bulk.echo_json(verdict.to_dict())
            else:
                draw.echo(draw.in_a_line(verdict))
    _finish(count, failed, "line", "")


def _stdin() -> BufferedReader:
    if sys.stdin is None:  # closed by whoever started this process
        raise click.UsageError("stdin is closed; give a TEXT, --input FILE or --messages FILE")
    return cast(BufferedReader, sys.stdin.buffer)


def _arriving(stream: BufferedReader) -> Iterator[list[str]]:
    """Lines as they arrive: many at once from a file, each at once from a slow pipe."""
    if first := stream.readline():
        yield [_decoded(first.removeprefix(b"\xef\xbb\xbf"))]
    rest = b""
    while block := stream.read1(_BLOCK):
        *lines, rest = (rest + block).split(b"\n")
        yield list(map(_decoded, lines))
    if rest:
        yield [_decoded(rest)]


def _decoded(line: bytes) -> str:
    # Bytes that are no UTF-8 become lone surrogates, which fail their own line alone.
    return line.decode("utf-8", "surrogateescape").rstrip("\r\n")


def _converse(gauge: Gauge, threshold: float | str | None, as_json: bool) -> None:
    """Ask for texts until an empty line."""
    click.echo(f"{gauge.id}. Type a text and Enter; an empty line or Ctrl-D ends.")
    click.echo("To judge a response: /prompt TEXT, then /response TEXT.")
    prompt: str | None = None
    while line := _ask():
        command, _, rest = line.partition(" ")
        if command == "/prompt":
            prompt = rest or None
            continue
        value = {"prompt": prompt, "response": rest} if command == "/response" else line
        verdict = gauge.verdict(value, threshold)
        if as_json:
            bulk.echo_json(verdict.to_dict())
        elif verdict.error is not None:
            draw.echo(draw.in_words(verdict))
        else:
            draw.echo(draw.picture(Exchange.of(value), verdict))


def _ask() -> str:
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  (gives input() arrow keys and a history)
    try:
        return input("> ")
    except (EOFError, KeyboardInterrupt):
        click.echo()
        return ""


def _read_messages(name: str) -> Any:
    try:
        content = _stdin().read() if name == "-" else Path(name).read_bytes()
        value = json.loads(content.decode("utf-8-sig"))
    except OSError as error:
        raise DataError(f"{name} cannot be read ({type(error).__name__}); check the path") from None
    except (ValueError, RecursionError):
        raise ExchangeError(f"{name} is not JSON in UTF-8; give a list of messages") from None
    # A request to a chat API holds its messages under that name.
    return value["messages"] if isinstance(value, dict) and "messages" in value else value


def _finish(count: int, failed: Sequence[int], unit: str, hint: str) -> None:
    """Say in words on stderr that some could not be judged, and in the exit status."""
    if not failed:
        return
    shown = ", ".join(map(str, failed[:10]))
    more = f" and {len(failed) - 10} more" if len(failed) > 10 else ""
    units = unit if len(failed) == 1 else f"{unit}s"
    click.echo(
        f"{len(failed)} of {count} {unit}s could not be judged: {units} {shown}{more}{hint}",
        err=True,
    )
    raise SystemExit(1)
