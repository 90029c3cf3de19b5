"""Rows to the responses that are learnt: chosen, split by prompt, tokenised as for a gauge."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...data.draw import draw_rows
from ...data.normalise import normalise
from ...data.row import Row
from ...data.split import part_of
from ...errors import ExchangeError, RecipeError
from ...windows import Windower
from ..examples import LoadedSource, SourceReport, drop_leaks, load_sources
from .recipe import Data, SftRecipe, Source

IGNORED = -100
"""label of a token that is read and not learnt, as torch's cross-entropy has it"""


@dataclass(slots=True)
class SftRows:
    """The rows of each source that take part."""

    train: list[LoadedSource]
    valid: list[LoadedSource]


@dataclass(slots=True)
class Tokens:
    """Sequences as the trainer takes them."""

    input_ids: list[list[int]] = field(default_factory=list)
    labels: list[list[int]] = field(default_factory=list)
    """the same ids, `IGNORED` where nothing is learnt"""

    def fingerprint(self) -> str:
        """Hash of all of them, in order."""
        return hashlib.sha256(repr((self.input_ids, self.labels)).encode()).hexdigest()


def read_rows_of(recipe: SftRecipe, folder: Path) -> SftRows:
    """Read and clean the sources, and split off validation rows where none are named.

    Rows without a response, pairs of which neither response is known to be the safer, and, with
    `safe_only`, responses that are labelled unsafe count as left out.

    Raises:
        DataError: a file is missing or unreadable, or nothing of it can be used.
    """
    data = recipe.data
    read = data.read()
    train = load_sources(read.train, read, folder)
    valid = load_sources(read.valid, read, folder) if data.valid else []
    _keep_answers(train, data.train)
    _keep_answers(valid, data.valid)
    if valid:
        drop_leaks(train, valid)
    else:
        valid = _split_off(train, data)
    for loaded, source in zip(train, data.train, strict=True):
        _cap(loaded, source.cap, data.seed)
    for i, loaded in enumerate(valid):
        if data.valid:
            _cap(loaded, data.valid[i].cap, data.seed)
        _cap(loaded, recipe.evaluate.cap, data.seed)
    return SftRows(train, valid)


def tokenise(sources: Iterable[LoadedSource], windower: Windower) -> Tokens:
    """Every row as a cost model reads it: its first window, of which the response is learnt.

    Only the last response is: turns before it are context, nobody judged them. The end token is
    learnt where the response ends in the window, and not where it was cut. Rows of which the
    tokenizer reads nothing are left out, and counted.
    """
    made = Tokens()
    for loaded in sources:
        kept = []
        for row in loaded.rows:
            try:
                cut = windower.cut(row.items[0].exchange)
            except ExchangeError:
                continue
            kept.append(row)
            part, *more = cut.parts
            loaded.report.truncated += bool(more)
            made.input_ids.append([*cut.before, *part, *cut.after])
            end = [IGNORED] * len(cut.after) if more else cut.after
            made.labels.append([*([IGNORED] * len(cut.before)), *part, *end])
        loaded.report.unread = len(loaded.rows) - len(kept)
        _keep(loaded, kept)
    return made


def check_rows(sources: Sequence[LoadedSource], part: str) -> None:
    """See that there is something to learn, or to validate on.

    Raises:
        RecipeError: there is not.
    """
    reports = [loaded.report for loaded in sources]
    if any(report.used for report in reports):
        return
    read, left_out, leaked, unread = (
        sum(getattr(report, name) for report in reports)
        for name in ("read", "left_out", "leaked", "unread")
    )
    raise RecipeError(
        f"no row is left in data.{part} of {read}: {left_out} have no response to learn, or an "
        f"unsafe one where safe_only is set, the prompts of {leaked} stand in the other part too, "
        f"and the tokenizer reads nothing of {unread}; name other files, or change data.valid_share"
    )


def _keep_answers(loaded: Sequence[LoadedSource], sources: Sequence[Source]) -> None:
    for each, source in zip(loaded, sources, strict=True):
        kept = [row for row in each.rows if _is_answer(row, source.safe_only)]
        each.report.left_out += len(each.rows) - len(kept)
        _keep(each, kept)


def _is_answer(row: Row, safe_only: bool) -> bool:
    """Whether a row says what to answer; a pair that says so is a single by now."""
    item = row.items[0]
    if row.is_pair or item.exchange.response is None:
        return False
    return not (safe_only and item.is_unsafe)


def _split_off(train: Sequence[LoadedSource], data: Data) -> list[LoadedSource]:
    """Move a share of the prompts to validation sources, the same prompts of every source."""
    shares = {"valid": data.valid_share, "train": 1 - data.valid_share}
    valid = []
    for loaded in train:
        parts: dict[str, list[Row]] = {part: [] for part in shares}
        for row in loaded.rows:
            parts[part_of(normalise(row.group), shares, data.seed)].append(row)
        report = SourceReport(loaded.report.source, loaded.report.licence, read=len(parts["valid"]))
        held_out = replace(loaded, report=report)
        _keep(held_out, parts["valid"])
        loaded.report.read -= report.read
        _keep(loaded, parts["train"])
        valid.append(held_out)
    return valid


def _cap(loaded: LoadedSource, cap: int | None, seed: int) -> None:
    drawn = draw_rows(loaded.rows, cap, seed)
    loaded.report.capped += len(loaded.rows) - len(drawn)
    _keep(loaded, drawn)


def _keep(loaded: LoadedSource, rows: list[Row]) -> None:
    loaded.rows = rows
    loaded.report.used = len(rows)
    loaded.report.unsafe = sum(row.items[0].is_unsafe for row in rows)
