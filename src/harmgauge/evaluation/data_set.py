"""One labelled file as it is measured: where it lies, how it is read, what it asks of a gauge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np

from ..data.columns import Columns
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
    """A file and how it is read, as a suite states it."""

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

    @cached_property
    def sha256(self) -> str | None:
        """Of the file; None for what is on the Hub."""
        return data_sha256(self.path)

    @cached_property
    def table(self) -> Table:
        """The rows, read when they are first needed.

        Raises:
            DataError: as for `read_rows`.
        """
        return read_rows(
            self.path,
            schema=self.schema,
            columns=self.columns,
            labels=self.labels,
            label=self.label,
            part=self.part,
        )

    @classmethod
    def of(cls, table: Table) -> DataSet:
        """Rows that came from no file."""
        data = cls(path="", name=table.source)
        data.__dict__.update(table=table, sha256=None)
        return data

    @cached_property
    def sample(self) -> Sample:
        """Raises:
        DataError: as for `table`, or no row has the column that names groups or is of its kind.
        """
        sample = Sample.of(self.table.rows)
        if self.identity and not any(self.identity.column in meta for meta in sample.meta):
            raise DataError(
                f"{self.shown}: no row has the column {self.identity.column!r} that names its "
                "groups; check its spelling, or name the columns of the file with columns"
            )
        if self.kind and not _holds(self.table.rows, self.kind):
            raise DataError(
                f"{self.shown}: its kind is {self.kind}, but none of its rows holds a "
                f"{'pair' if self.kind == 'pair' else 'response'}; leave kind out, and it is told "
                "from the rows"
            )
        return sample

    @property
    def facts(self) -> dict[str, Any]:
        """What decides what is measured: the file's content and how it is read."""
        facts = asdict(self)
        for unread in ("path", "published", "note"):
            del facts[unread]
        return {"read as": {**facts, "name": self.shown}, "sha256": self.sha256}


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
    """of these, rows that the label map leaves out, and repeats of a prompt judged once"""
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
    answers = [each for each in exchanges if each.response is not None]
    if 2 * len(answers) < len(exchanges):
        return "prompt"
    lone = sum(each.prompt is None and not each.history for each in answers)
    return "response" if 2 * lone > len(answers) else "exchange"
