"""Rows to training examples: chosen, cleaned, counted, tokenised."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..data.columns import Columns
from ..data.draw import draw_rows
from ..data.hub import is_address
from ..data.read import read_rows
from ..data.row import Item, Row
from ..data.templates.refusals import answer_with_refusals, put_refusals_first
from ..errors import DataError, ExchangeError
from ..exchange import Exchange
from ..windows import Windower
from .prompt_flags import flags_by_prompt, take_flags
from .recipe import Data, Source


@dataclass(frozen=True, slots=True)
class Example:
    """One single or pair, tokenised."""

    id: str
    source: str
    group: str
    ids: tuple[list[int], ...]
    """token ids of one sequence, or of the two of a pair"""
    unsafe: tuple[float, ...]
    """label of each sequence, NaN where unknown"""
    safer: int | None
    weight: float
    teacher: tuple[float, ...] = ()
    """cost of each sequence by the teachers, NaN where they gave none; empty without teachers"""
    flags: tuple[tuple[float, ...], ...] = ()
    """of each sequence its flag of each category, NaN where unknown; empty without categories"""

    @property
    def size(self) -> tuple[int, int]:
        """Number of sequences and length of the longest."""
        return len(self.ids), max(map(len, self.ids))


@dataclass(slots=True)
class SourceReport:
    """What became of the rows of one source."""

    source: str
    licence: str
    read: int = 0
    bad: int = 0
    left_out: int = 0
    """of another kind, in a file of `apart_from`, or with a label that the recipe or schema maps
    to null"""
    unlabelled: int = 0
    duplicate: int = 0
    """repeats of a row that say the same"""
    contradictory: int = 0
    """repeats of a row that say otherwise, and pairs whose safer response is the only unsafe one"""
    identical_responses: int = 0
    leaked: int = 0
    capped: int = 0
    doubted: int = 0
    """used, but weighed down by `data.weights`"""
    unread: int = 0
    """with a text of which the base's tokenizer reads nothing"""
    truncated: int = 0
    used: int = 0
    unsafe: int = 0


@dataclass(slots=True)
class LoadedSource:
    """The rows of one source that take part, before tokenising."""

    source: Source
    rows: list[Row]
    report: SourceReport = field(repr=False)
    file: str
    """where they were read"""
    unused: list[str] = field(default_factory=list)
    """columns of the file that its schema does not know"""
    weights: dict[str, float] = field(default_factory=dict)
    """what rows count besides, by id, where their label is doubted; see `noise`"""


def load_sources(sources: Sequence[Source], data: Data, folder: Path) -> list[LoadedSource]:
    """Read, clean (if `data.clean`) and cap the given sources; `data.seed` decides what is drawn.

    Exact duplicates become one row; rows that differ in the label alone become one row with the
    mean label; of pairs that disagree on which response is safer the first counts; pairs with
    identical responses, pairs whose safer response is the only unsafe one, and rows that teach
    nothing (no label, no pair, and not `unlabelled` for a teacher) are left out. Each row that
    was read is counted once.

    Raises:
        DataError: a file is missing or unreadable, or nothing of it can be used.
    """
    return [_load(source, data, folder) for source in sources]


def drop_leaks(train: Sequence[LoadedSource], valid: Sequence[LoadedSource]) -> None:
    """Leave out training rows whose prompt stands in validation data, and count them."""
    held_out = {row.group for loaded in valid for row in loaded.rows}
    for loaded in train:
        kept = [row for row in loaded.rows if row.group not in held_out]
        loaded.report.leaked = len(loaded.rows) - len(kept)
        loaded.report.used = len(kept)
        loaded.report.unsafe = _count_unsafe(kept)
        loaded.rows[:] = kept


def tokenise(loaded: Iterable[LoadedSource], windower: Windower) -> list[Example]:
    """Rows to examples. A text that needs several windows is trained on by its first.

    Rows of which the gauge would read nothing are left out of their source, and counted.
    """
    examples = []
    for each in loaded:
        read = _drop_unread(each, windower)
        weigh = row_weights(each)
        for row, windows in zip(each.rows, read, strict=True):
            each.report.truncated += any(len(w) > 1 for w in windows)
            examples.append(
                Example(
                    id=row.id,
                    source=row.source,
                    group=row.group,
                    ids=tuple(w[0] for w in windows),
                    unsafe=tuple(
                        math.nan if item.unsafe is None else item.unsafe for item in row.items
                    ),
                    safer=row.safer,
                    weight=weigh(row) * each.weights.get(row.id, 1.0),
                )
            )
    return examples


def _drop_unread(loaded: LoadedSource, windower: Windower) -> list[list[list[list[int]]]]:
    """Windows of each item of each row that is kept."""
    kept, read = [], []
    for row in loaded.rows:
        try:
            read.append([windower.read(item.exchange) for item in row.items])
        except ExchangeError:
            continue
        kept.append(row)
    loaded.report.unread = len(loaded.rows) - len(kept)
    loaded.report.used = len(kept)
    loaded.report.unsafe = _count_unsafe(kept)
    loaded.rows[:] = kept
    return read


def row_weights(loaded: LoadedSource) -> Callable[[Row], float]:
    """What a row counts, by the recipe; with `balance`, safe and unsafe singles count alike."""
    weight = loaded.source.weight
    singles = [row for row in loaded.rows if _is_labelled_single(row)]
    unsafe = sum(row.items[0].is_unsafe for row in singles)
    safe = len(singles) - unsafe
    if not loaded.source.balance or not safe or not unsafe:
        return lambda row: weight
    half = (safe + unsafe) / 2  # the mean weight stays what the recipe says

    def balanced(row: Row) -> float:
        if not _is_labelled_single(row):
            return weight
        return weight * half / (unsafe if row.items[0].is_unsafe else safe)

    return balanced


def _is_labelled_single(row: Row) -> bool:
    return not row.is_pair and row.items[0].unsafe is not None


def _load(source: Source, data: Data, folder: Path) -> LoadedSource:
    path = find_source(source.path, data.root, folder)
    table = read_rows(
        path,
        schema=source.schema_name,
        columns=None if source.columns is None else Columns(**source.columns),
        labels=source.labels,
        label=source.label,
        part=source.part,
        unlabelled=source.unlabelled or source.refused is not None,
        source=source.name or (path.parent.name if isinstance(path, Path) else None),
    )
    report = SourceReport(table.source, source.licence)
    elsewhere = _prompts_elsewhere(source, data, folder)
    of_kind = [row for row in table.rows if _of_kind(row, source) and row.group not in elsewhere]
    report.bad, report.duplicate = len(table.bad), table.collapsed
    report.left_out = table.left_out + len(table.rows) - len(of_kind)
    report.read = report.bad + report.duplicate + report.left_out + len(of_kind)
    shaped = [_shape(row, source) for row in of_kind]
    if source.refused is not None:
        shaped = answer_with_refusals(shaped, source.refused, data.seed)
    usable = _usable(shaped, report, source.unlabelled)
    if data.clean:
        usable = _clean(usable, report)
    rows = _flagged(usable, of_kind, source, data, folder)
    drawn = draw_rows(rows, source.cap, data.seed)
    report.capped, rows = len(rows) - len(drawn), drawn
    if source.refusal_first:
        rows = put_refusals_first(rows, source.refusal_first, data.seed)
    if not rows:
        raise DataError(
            f"{path}: none of {report.read} rows can be trained on ({_reasons(report)}); "
            "state a label, check the schema, or have the responses of a pair differ"
        )
    report.used = len(rows)
    report.unsafe = _count_unsafe(rows)
    return LoadedSource(source, rows, report, str(path), table.unused)


def _reasons(report: SourceReport) -> str:
    """Why rows were left out, and how many for each reason."""
    counts = {
        "unreadable or blank": report.bad,
        "without label": report.unlabelled,
        "of another kind, in a file of apart_from or left out by their label": report.left_out,
        "pairs with identical responses": report.identical_responses,
        "contradictory": report.contradictory,
    }
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)


def _prompts_elsewhere(source: Source, data: Data, folder: Path) -> set[str]:
    """The prompts of the files that a source is kept apart from, whatever their labels.

    A source that names its columns shares them with these files.
    """
    columns = None if source.columns is None else Columns(**source.columns)
    tables = [
        read_rows(
            find_source(other, data.root, folder),
            columns=columns,
            labels=None if columns is None else source.labels,
            unlabelled=True,
        )
        for other in source.apart_from
    ]
    return {row.group for table in tables for row in table.rows}


def _flagged(
    rows: Sequence[Row], as_read: Sequence[Row], source: Source, data: Data, folder: Path
) -> list[Row]:
    """The rows with the flags that `categories_from` has of their prompts.

    Raises:
        DataError: none of them takes any.
    """
    if source.categories_from is None or not rows:
        return list(rows)
    beside = read_rows(find_source(source.categories_from, data.root, folder), unlabelled=True)
    prompts = {row.id: row.group for row in as_read}
    flagged, taken = take_flags(rows, prompts, flags_by_prompt(beside.rows), source)
    if not taken:
        raise DataError(
            f"{source.path}: no unsafe row lacks flags and has a prompt that "
            f"{source.categories_from} flags; name a file of its prompts, or leave "
            "categories_from out"
        )
    return flagged


def _count_unsafe(rows: Iterable[Row]) -> int:
    return sum(item.is_unsafe for row in rows for item in row.items)


def find_source(path: str, root: str, folder: Path) -> str | Path:
    """A source's file below the root, or below the recipe's own folder; an address as it is.

    Raises:
        DataError: there is none.
    """
    if is_address(path):
        return path
    for base in (Path(root), folder / root):
        if (base / path).is_file():
            return base / path
    raise DataError(
        f"no file {path} below {root}; set data.root=FOLDER, or see recipes/README.md for where "
        "the data comes from"
    )


def _of_kind(row: Row, source: Source) -> bool:
    return source.kind is None or row.meta.get("kind") == source.kind


def _shape(row: Row, source: Source) -> Row:
    """The row as the recipe wants it read."""
    # With a stated label it matters little which response it is of.
    if source.safer_only and row.safer is not None and (source.label is not None or _differ(row)):
        row = replace(row, items=(row.items[row.safer],), safer=None)
    if source.recast is not None:
        row = replace(row, items=tuple(_recast(item, source.recast) for item in row.items))
    return row


def _recast(item: Item, role: str) -> Item:
    """The text on trial alone, said by the user (prompt) or the assistant (response)."""
    text = item.exchange.on_trial
    exchange = Exchange(prompt=text) if role == "prompt" else Exchange(response=text)
    return replace(item, exchange=exchange)


def _usable(rows: Sequence[Row], report: SourceReport, keep_unlabelled: bool) -> list[Row]:
    usable = []
    for row in rows:
        fault = _fault(row, keep_unlabelled)
        if fault is None:
            usable.append(row)
        else:
            setattr(report, fault, getattr(report, fault) + 1)
    return usable


def _clean(rows: Sequence[Row], report: SourceReport) -> list[Row]:
    alike: dict[Hashable, list[Row]] = {}
    for row in rows:
        if row.safer is not None and _contradicts_itself(row):
            report.contradictory += 1
            continue
        # A pair is the same in either order.
        alike.setdefault(frozenset(item.exchange.turns for item in row.items), []).append(row)
    return [_merge(same, report) for same in alike.values()]


def _fault(row: Row, keep_unlabelled: bool) -> str | None:
    """Why a row cannot be trained on, as `SourceReport` calls it."""
    if any(item.exchange.blank for item in row.items):
        return "bad"
    if row.is_pair and not _differ(row):
        return "identical_responses"
    if not keep_unlabelled and _is_unlabelled(row):
        return "unlabelled"
    return None


def _differ(row: Row) -> bool:
    """Whether the responses of a pair do."""
    return row.items[0].exchange.turns != row.items[1].exchange.turns


def _is_unlabelled(row: Row) -> bool:
    return row.safer is None and all(item.unsafe is None for item in row.items)


def _merge(same: Sequence[Row], report: SourceReport) -> Row:
    """One row for all of one text or pair: singles get the mean label, of pairs the first stays."""
    first, *repeats = sorted(same, key=_is_unlabelled)  # what says something goes before
    agree = sum(_is_unlabelled(row) or _says(row) == _says(first) for row in repeats)
    report.duplicate += agree
    report.contradictory += len(repeats) - agree
    if first.is_pair or agree == len(repeats):
        return first
    labels = [row.items[0].unsafe for row in same if row.items[0].unsafe is not None]
    return replace(first, items=(replace(first.items[0], unsafe=sum(labels) / len(labels)),))


def _says(row: Row) -> Hashable:
    """The label of a single; of a pair, which response is safer, whatever their order."""
    if not row.is_pair:
        return row.items[0].unsafe
    return None if row.safer is None else row.items[row.safer].exchange.turns


def _contradicts_itself(row: Row) -> bool:
    assert row.safer is not None
    safer, other = row.items[row.safer], row.items[1 - row.safer]
    return safer.unsafe is not None and other.unsafe is not None and safer.unsafe > other.unsafe
