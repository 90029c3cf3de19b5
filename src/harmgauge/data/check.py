"""Faults of data files: repeats, contradictions, empty fields, leaks between files."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from itertools import combinations
from typing import Any

from ..exchange import Exchange
from .lengths import Measure
from .normalise import normalise
from .read import Table
from .row import Item, Row
from .stats import Stats, label_name, stats

# An exchange, or the prompt of one, as something to compare.
Key = tuple[tuple[str, str], ...]

KINDS = {
    "exact_duplicates": "rows that repeat an earlier row, text for text",
    "near_duplicates": "rows that repeat an earlier row but for case, punctuation, white space",
    "contradictory_labels": "items whose very text is labelled both safe and unsafe",
    "near_contradictory_labels": "further items, where texts differ in case, punctuation, space",
    "reversed_pairs": "pairs that hold an earlier pair's responses in the other order",
    "contradictory_pairs": "pairs that disagree with an earlier one on which response is safer",
    "safer_is_unsafe": "pairs whose safer response is unsafe while the other is safe",
    "identical_responses": "pairs of two identical responses",
    "empty_prompts": "rows with a prompt or earlier turn that shows nothing",
    "empty_responses": "rows with a response that shows nothing",
    "long_rows": "rows that are read in windows",
}


@dataclass(slots=True)
class Finding:
    """How often a kind of fault occurs, and in which rows; for contradictory labels `count` is
    items, and each is in several rows."""

    count: int = 0
    rows: list[str] = field(default_factory=list)

    def add(self, row: Row) -> None:
        self.count += 1
        self.rows.append(row.id)


@dataclass(frozen=True, slots=True)
class FileReport:
    """What was found in one file."""

    stats: Stats
    unused_columns: list[str]
    bad_rows: Mapping[str, str]
    """row id to why it could not be read"""
    findings: Mapping[str, Finding | None]
    """by kind; every kind of `KINDS` is there, also where it was not found, and None where it
    could not be looked for: `long_rows` without a limit"""


@dataclass(frozen=True, slots=True)
class Shared:
    """What two files have in common; prompts as in `Row.group`, compared near-exactly."""

    files: tuple[str, str]
    prompts: int
    rows: tuple[int, int]
    """rows of each file that have one of these prompts"""
    items: int
    """exchanges in both, response included"""
    contradictory: int
    """of these, exchanges that one file calls safe and the other unsafe"""


@dataclass(frozen=True, slots=True)
class Report:
    files: list[FileReport]
    one_class: Mapping[str, str]
    """sources, over all files given, whose labelled items are all safe or all unsafe"""
    shared: list[Shared]
    measure: str
    unit: str
    max_tokens: int | None

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON types."""
        return {**asdict(self), "kinds": KINDS}


def check(tables: Mapping[str, Table], measure: Measure) -> Report:
    """Look for every kind of fault in files, given by name, and between them."""
    files = [_check_file(name, table, measure) for name, table in tables.items()]
    views = [_View.of(name, table) for name, table in tables.items()]
    shared = [_shared(a, b) for a, b in combinations(views, 2)]
    return Report(
        files=files,
        one_class=_one_class(tables.values()),
        shared=[found for found in shared if found.prompts or found.items],
        measure=measure.note,
        unit=measure.unit,
        max_tokens=measure.max_tokens,
    )


def _check_file(name: str, table: Table, measure: Measure) -> FileReport:
    facts, sizes = stats(name, table, measure)
    findings = {kind: Finding() for kind in KINDS}
    _find_duplicates(table.rows, findings)
    _find_contradictory_labels(table.rows, findings)
    _find_faulty_pairs([row for row in table.rows if row.is_pair], findings)
    lengths = iter(sizes)
    for row in table.rows:
        exchanges = [item.exchange for item in row.items]
        if any(_has_blank_prompt(exchange) for exchange in exchanges):
            findings["empty_prompts"].add(row)
        if any(_shows_nothing(exchange.response) for exchange in exchanges):
            findings["empty_responses"].add(row)
        longest = max(next(lengths) for _ in exchanges)
        if measure.max_tokens is not None and longest > measure.max_tokens:
            findings["long_rows"].add(row)
    bad = {row.id: row.error for row in table.bad}
    reported: dict[str, Finding | None] = {**findings}
    if measure.max_tokens is None:
        reported["long_rows"] = None
    return FileReport(facts, table.unused, bad, reported)


def _find_duplicates(rows: Iterable[Row], findings: Mapping[str, Finding]) -> None:
    exact: set[tuple[Key, ...]] = set()
    near: set[tuple[Key, ...]] = set()
    for row in rows:
        exact_key = tuple(item.exchange.turns for item in row.items)
        near_key = tuple(_near(item.exchange) for item in row.items)
        if exact_key in exact:
            findings["exact_duplicates"].add(row)
        elif near_key in near:
            findings["near_duplicates"].add(row)
        exact.add(exact_key)
        near.add(near_key)


def _find_contradictory_labels(rows: Iterable[Row], findings: Mapping[str, Finding]) -> None:
    exact, near = _Labels(), _Labels()
    for row in rows:
        for item in row.items:
            exact.add(item.exchange.turns, item, row)
            near.add(_near(item.exchange), item, row)
    contradicted = {_near_key(key) for key in exact.contradictory}
    for kind, labels, skip in (
        ("contradictory_labels", exact, set[Key]()),
        ("near_contradictory_labels", near, contradicted),
    ):
        keys = [key for key in labels.contradictory if key not in skip]
        ids = dict.fromkeys(row_id for key in keys for row_id in labels.rows[key])
        findings[kind].count, findings[kind].rows = len(keys), list(ids)


def _find_faulty_pairs(pairs: Iterable[Row], findings: Mapping[str, Finding]) -> None:
    seen: set[tuple[Key, Key]] = set()
    safer_of: dict[frozenset[Key], Key] = {}
    for row in pairs:
        first, second = (item.exchange.turns for item in row.items)
        if first == second:
            findings["identical_responses"].add(row)
        elif (second, first) in seen:
            findings["reversed_pairs"].add(row)
        seen.add((first, second))
        if row.safer is None:
            continue
        safer = (first, second)[row.safer]
        if first != second and safer_of.setdefault(frozenset((first, second)), safer) != safer:
            findings["contradictory_pairs"].add(row)
        if row.stratum == "mixed" and label_name(row.items[row.safer].unsafe) == "unsafe":
            findings["safer_is_unsafe"].add(row)


class _Labels:
    """Labels and row ids by key."""

    def __init__(self) -> None:
        self.rows: defaultdict[Key, list[str]] = defaultdict(list)
        self._labels: defaultdict[Key, set[str]] = defaultdict(set)

    def add(self, key: Key, item: Item, row: Row) -> None:
        if item.unsafe is not None:
            self.rows[key].append(row.id)
            self._labels[key].add(label_name(item.unsafe))

    @property
    def contradictory(self) -> list[Key]:
        return [key for key, labels in self._labels.items() if len(labels) > 1]


@dataclass(frozen=True, slots=True)
class _View:
    """What of a file is compared with other files."""

    name: str
    prompts: Counter[str]
    labels: Mapping[Key, frozenset[str]]

    @classmethod
    def of(cls, name: str, table: Table) -> _View:
        labels: defaultdict[Key, set[str]] = defaultdict(set)
        for row in table.rows:
            for item in row.items:
                labels[_near(item.exchange)].add(label_name(item.unsafe))
        prompts = Counter(
            normalise(row.group) for row in table.rows if not _shows_nothing(row.group)
        )
        return cls(name, prompts, {key: frozenset(found) for key, found in labels.items()})


def _shared(a: _View, b: _View) -> Shared:
    prompts = a.prompts.keys() & b.prompts.keys()
    items = a.labels.keys() & b.labels.keys()
    both = {"safe", "unsafe"}
    return Shared(
        (a.name, b.name),
        len(prompts),
        (sum(a.prompts[p] for p in prompts), sum(b.prompts[p] for p in prompts)),
        len(items),
        sum(both <= a.labels[key] | b.labels[key] for key in items),
    )


def _one_class(tables: Iterable[Table]) -> dict[str, str]:
    classes: defaultdict[str, set[str]] = defaultdict(set)
    for table in tables:
        for row in table.rows:
            classes[row.source] |= {label_name(item.unsafe) for item in row.items}
    found = {source: labels - {"unlabelled"} for source, labels in classes.items()}
    return {source: labels.pop() for source, labels in found.items() if len(labels) == 1}


def _near(exchange: Exchange) -> Key:
    return _near_key(exchange.turns)


def _near_key(turns: Key) -> Key:
    return tuple((role, _normalise(text)) for role, text in turns)


_normalise = lru_cache(maxsize=1 << 16)(normalise)


def _has_blank_prompt(exchange: Exchange) -> bool:
    texts = [text for _, text in exchange.history]
    return any(map(_shows_nothing, [*texts, exchange.prompt]))


def _shows_nothing(text: str | None) -> bool:
    return text is not None and Exchange(text).blank
