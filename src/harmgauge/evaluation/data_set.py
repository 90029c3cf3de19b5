"""One labelled set as it is measured: where it lies, how it is read, what it asks of a gauge."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np

from ..data.columns import Columns
from ..data.draw import draw_rows
from ..data.hub import data_name, data_sha256
from ..data.read import Part, Table, read_rows
from ..data.row import Row
from ..errors import DataError
from .identity import Identity
from .sample import Sample

Kind = Literal["prompt", "response", "exchange", "pair"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_TOLD = 3  # bad rows whose reason is told


@dataclass(frozen=True)
class DataSet:
    """A file, or several, and how it is read, as a suite states it."""

    path: str
    """file, or hub:OWNER/NAME[:SPLIT]"""
    name: str | None = None
    """name to show; None is the folder and the file, since many are called test.jsonl"""
    kind: Kind | None = None
    """what is on trial, for averages over sets of a kind; None is told from the rows"""
    schema: str | None = None
    columns: Columns | None = None
    labels: dict[str, float | None] | None = None
    label: float | None = None
    part: Part = "exchange"
    """how to read the file, as for `read_rows`"""
    where: dict[str, str] | None = None
    """only rows whose columns say this"""
    cap: int | None = None
    """at most this many rows, drawn as a recipe draws them with `data.seed` 0"""
    others: tuple[DataSet, ...] = ()
    """further files of the set; of these only how each is read counts"""
    identity: Identity | None = None
    """how to pair texts that differ in the group they speak of"""
    published: str | None = None
    """name of the set in the table of published figures"""
    note: str = ""
    """what to know when reading its figures"""

    @property
    def shown(self) -> str:
        """Its name; of a file without one, the last folder and the file."""
        return self.name or data_name(self.path)

    @property
    def files(self) -> tuple[DataSet, ...]:
        """Each file with how it is read, the first with what holds of the whole set."""
        return (self, *self.others)

    @cached_property
    def sha256(self) -> str | None:
        """Of the file, of several of their digests; None for what is no file."""
        digests = [data_sha256(each.path) for each in self.files]
        if len(digests) == 1 or None in digests:
            return None if None in digests else digests[0]
        return hashlib.sha256(" ".join(map(str, digests)).encode()).hexdigest()

    @cached_property
    def table(self) -> Table:
        """The rows, read when they are first needed; of several files in a row each.

        Raises:
            DataError: as for `read_rows`; no row has a column of `where`, or what it says there;
                a row is read twice.
        """
        if not self.others:
            return self._read()
        return _joined([(data_name(each.path), each._read()) for each in self.files], self.shown)

    def _read(self) -> Table:
        table = read_rows(
            self.path,
            schema=self.schema,
            columns=self.columns,
            labels=self.labels,
            label=self.label,
            part=self.part,
        )
        rows = table.rows
        for column, value in (self.where or {}).items():
            rows = [row for row in rows if row.meta.get(column) == value]
            if not rows:
                raise DataError(f"{self.path}: no row has {value!r} in the column {column!r}")
        rows = draw_rows(rows, self.cap)
        return replace(table, rows=rows, left_out=table.left_out + len(table.rows) - len(rows))

    @classmethod
    def of(cls, table: Table) -> DataSet:
        """Rows that came from no file."""
        data = cls(path="", name=table.source)
        data.__dict__.update(table=table, sha256=None)
        return data

    @cached_property
    def sample(self) -> Sample:
        """What is measured; where texts are paired by a column, draws take whole templates.

        Raises:
            DataError: as for `table`, or no row has a column that pairs texts by their groups, or
                is of the kind that is stated.
        """
        sample = Sample.of(self.table.rows)
        for column in self.identity.columns if self.identity else ():
            if not any(column in meta for meta in sample.meta):
                raise DataError(
                    f"{self.shown}: no row has the column {column!r} by which groups are compared; "
                    "check its spelling, or name the columns of the file with columns"
                )
        if self.kind and not _holds(self.table.rows, self.kind):
            raise DataError(
                f"{self.shown}: its kind is {self.kind}, but none of its rows holds a "
                f"{'pair' if self.kind == 'pair' else 'response'}; leave kind out, and it is told "
                "from the rows"
            )
        if self.identity and self.identity.template:
            sample = sample.drawn_by([self.identity.template_of(meta) for meta in sample.meta])
        return sample

    @property
    def facts(self) -> dict[str, Any]:
        """What decides what is measured: the file's content and how it is read."""
        read = [asdict(each) for each in self.files]
        for facts in read:
            for unread in ("path", "others", "published", "note"):
                del facts[unread]
        names = [data_name(each.path) for each in self.files if self.others]
        return {"read as": [self.shown, *names, *read], "sha256": self.sha256}


def _joined(tables: Sequence[tuple[str, Table]], source: str) -> Table:
    """The rows of several files, by name, as one table; a column `file` and ids say whence."""
    whole = Table([], [], ", ".join(dict.fromkeys(table.schema for _, table in tables)), source)
    for name, table in tables:

        def renamed(id: str, name: str = name) -> str:
            return f"{name}:{id.rpartition(':')[2]}"

        whole.rows += [
            replace(row, id=renamed(row.id), meta={**row.meta, "file": name}) for row in table.rows
        ]
        whole.bad += [replace(row, id=renamed(row.id)) for row in table.bad]
        whole.left_out += table.left_out
        whole.collapsed += table.collapsed
    ids = Counter(row.id for row in whole.rows)
    if doubled := [id for id, count in ids.items() if count > 1]:
        raise DataError(
            f"{source} has two rows called {doubled[0]}; read each file once, and lay files of one "
            "name into folders that are called otherwise"
        )
    return whole


@dataclass(frozen=True)
class Contents:
    """What a data set holds, for the report."""

    data: str
    """name as shown, such as `beavertails/test.jsonl`"""
    kind: Kind
    source: str
    schema: str
    sha256: str | None
    """of the file as read; None for rows that came from no file"""
    rows: int
    """records in the file"""
    bad_rows: int
    """of these, rows that could not be read"""
    left_out: int
    """of these, rows that the label map, `where` or `cap` leaves out, and repeats of a prompt that
    is judged once"""
    pairs: int
    items: int
    blank: int
    """items with nothing to judge; a gauge gives them no verdict, so they are never flagged"""
    n: int
    """items with a safe/unsafe label"""
    unsafe: int
    """of these, unsafe"""
    prompts: int
    """distinct prompts, which the bootstrap draws"""
    one_class: str | None
    """`all unsafe`, `all safe` or `no labels`: why there is no AUROC"""
    note: str = ""
    published: str | None = None
    """name of the set in the table of published figures"""
    identity: str | None = None
    """column that names the groups between which identity gaps are measured"""
    first_bad: list[str] = field(default_factory=list)
    """of the first rows that could not be read, id and reason"""

    @property
    def fewest(self) -> int:
        """Labelled items of the class that has fewer."""
        return min(self.unsafe, self.n - self.unsafe)

    @classmethod
    def of(cls, data: DataSet) -> Contents:
        table, sample = data.table, data.sample
        left_out = table.left_out + table.collapsed
        return cls(
            data=data.shown,
            kind=data.kind or _kind(sample),
            source=table.source,
            schema=table.schema,
            sha256=data.sha256,
            rows=len(table.rows) + len(table.bad) + left_out,
            bad_rows=len(table.bad),
            left_out=left_out,
            pairs=sum(row.is_pair for row in table.rows),
            items=len(sample.items),
            blank=int(sample.blank.sum()),
            n=len(sample.labelled),
            unsafe=int(sample.unsafe.sum()),
            prompts=len(np.unique(sample.group)),
            one_class=sample.one_class,
            note=data.note,
            published=data.published,
            identity=data.identity.column if data.identity else None,
            first_bad=[f"{each.id}: {each.error}" for each in table.bad[:_TOLD]],
        )


def _holds(rows: Sequence[Row], kind: Kind) -> bool:
    """Whether any of the rows can be what a suite says they are; of prompts any can."""
    if kind == "pair":
        return any(row.is_pair for row in rows)
    exchanges = (item.exchange for row in rows for item in row.items)
    return kind == "prompt" or any(each.response is not None for each in exchanges)


def _kind(sample: Sample) -> Kind:
    """What most items put on trial; files of unlabelled pairs are pairs."""
    if len(sample.pairs.safer) and not len(sample.labelled):
        return "pair"
    exchanges = sample.exchanges
    kinds = Counter(each.kind for each in exchanges)
    if 2 * kinds["prompt"] > len(exchanges):
        return "prompt"
    return "response" if kinds["response"] > kinds["exchange"] else "exchange"
