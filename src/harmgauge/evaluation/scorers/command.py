"""Scores of another program: JSON lines in, numbers out. So guards run in environments of their
own."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from tqdm import tqdm

from ...errors import HarmgaugeError, RecipeError
from .base import Batch, Scored, as_record, as_scores

# A run of this many characters that also stands in a text counts as quoting it.
_QUOTE = 12


class CommandSource:
    """A program that reads one record (see `as_record`) a line and writes one number a line, or
    `null` or `nan` where it failed. It runs once a batch, in the description's folder."""

    identity = None  # nothing says what a program depends on

    def __init__(self, name: str, command: Sequence[str], folder: Path) -> None:
        self._name = name
        self._folder = folder
        program, *arguments = command
        # Else it would depend on the platform whether the program is looked for in its folder.
        if os.sep in program:
            program = str(folder / Path(program).expanduser())
        self._command = [program, *arguments]
        self.facts: dict[str, Any] = {"command": " ".join(command)}

    def scores(self, batch: Batch, *, progress: bool) -> Scored:
        if not batch.exchanges:
            return Scored(as_scores([], 0, self._name))
        records = [as_record(exchange) for exchange in batch.exchanges]
        # Its stderr goes to a file, since a pipe that nobody reads would fill up and block it.
        with tempfile.TemporaryFile() as stderr, self._start(stderr) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            # Written from a thread of its own, since a program may write before it has read all.
            feeder = threading.Thread(target=_feed, args=(process.stdin, records), daemon=True)
            feeder.start()
            try:
                bar = tqdm(
                    process.stdout, total=len(records), desc=self._name, disable=not progress
                )
                lines = [line.strip() for line in bar]
            except BaseException:
                process.kill()
                raise
            feeder.join()
            if status := process.wait():
                raise HarmgaugeError(
                    f"{self._name}: its program ended with status {status} after {len(lines)} of "
                    f"{len(records)} scores; {_last_words(stderr, batch)}"
                )
        values = [self._number(number, line) for number, line in enumerate(lines, 1)]
        return Scored(as_scores(values, len(records), self._name))

    def _start(self, stderr: IO[bytes]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                self._command,
                cwd=self._folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
            )
        except OSError as error:
            raise RecipeError(
                f"{self._name}: cannot run {self._command[0]}: {error.strerror}; check the first "
                "word of its command"
            ) from None

    def _number(self, number: int, line: bytes) -> float | None:
        if line == b"null":
            return None
        try:
            return float(line)
        except ValueError:
            raise HarmgaugeError(
                f"{self._name}: line {number} of its program's output is no number; it must write "
                "one number a line, and all else to stderr"
            ) from None


def _feed(stdin: IO[bytes], records: Sequence[dict[str, Any]]) -> None:
    try:
        with stdin:
            for record in records:
                stdin.write(json.dumps(record).encode() + b"\n")
    except BrokenPipeError:  # it ended early, which its status tells
        pass


def _last_words(stderr: IO[bytes], batch: Batch) -> str:
    """The last line on stderr, unless it quotes a text."""
    stderr.seek(0)
    lines = stderr.read().decode("utf-8", "replace").split("\n")
    line = next((line.strip() for line in reversed(lines) if line.strip()), "")[:200]
    if not line:
        return "it said nothing on stderr"
    said = [text for exchange in batch.exchanges for _, text in exchange.turns if text.strip()]
    texts = [*said, *(json.dumps(text)[1:-1] for text in said)]  # as they were handed over, too
    everything = "\n".join(texts)
    runs = [line[at : at + _QUOTE] for at in range(len(line) - _QUOTE + 1)]
    if any(text in line for text in texts) or any(run in everything for run in runs):
        return "what it said on stderr quotes a text and is not shown; run it by itself to see it"
    return f"the last it said on stderr: {line}"
