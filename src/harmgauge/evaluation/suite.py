"""Suites: YAML files that name data sets and how each is read. Needs the extra `train`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from ..data.columns import ColumnRole, Columns
from ..data.hub import is_address
from ..data.read import Part
from ..errors import DataError, RecipeError
from ..settings import Labels, Section, nearest, read_mapping, validate
from .data_set import DataSet, Kind
from .identity import Identity
from .published import published_sets

BUILT_IN = Path(__file__).parent / "suites"
OF_THE_SET = ("kind", "identity", "published", "note")
"""keys of an entry that hold of all files of its name"""


class IdentityEntry(Section):
    """How to pair texts that differ in the group they speak of, by words or by a column."""

    column: str
    """column that names the group"""
    terms: dict[str, list[str]] | None = None
    """group -> the words for it"""
    template: str | None = None
    """column that is the same for texts that differ in the group alone"""

    @model_validator(mode="after")
    def _pairs_in_one_way(self) -> Self:
        if (self.terms is None) == (self.template is None):
            raise ValueError(
                "identity pairs texts either by terms, the words for each group, or by template, a "
                "column that they share; give one of the two"
            )
        if self.terms is not None and (len(self.terms) < 2 or not all(self.terms.values())):
            raise ValueError(
                "identity compares groups: terms must name two or more, each with a word for it"
            )
        return self


class Entry(Section):
    """One data set of a suite, or a file of one."""

    path: str
    """file below the data folder, an absolute path, hub:OWNER/NAME[:SPLIT] or
    templates:FAMILY[:PART]"""
    name: str | None = None
    """entries of one name are files of one set"""
    kind: Kind | None = None
    schema_name: str | None = Field(default=None, alias="schema")
    columns: dict[ColumnRole, str] | None = None
    labels: Labels | None = None
    label: float | None = Field(default=None, ge=0, le=1)
    part: Part = "exchange"
    where: dict[str, str] | None = None
    """keep only rows whose columns say this"""
    cap: int | None = Field(default=None, ge=1)
    """at most this many rows, drawn with a fixed seed"""
    identity: IdentityEntry | None = None
    published: str | None = None
    note: str = ""

    def data_set(self, root: Path) -> DataSet:
        """The data set, its file below `root`."""
        identity = self.identity
        return DataSet(
            path=self.path if is_address(self.path) else str(root / self.path),
            name=self.name or self.path,
            kind=self.kind,
            schema=self.schema_name,
            columns=None if self.columns is None else Columns(**self.columns),
            labels=self.labels,
            label=self.label,
            part=self.part,
            where=self.where,
            cap=self.cap,
            identity=None if identity is None else Identity(**dict(identity)),
            published=self.published,
            note=self.note,
        )


class SuiteFile(Section):
    """A suite as its file states it."""

    name: str
    description: str = ""
    sets: list[Entry] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Suite:
    """The data sets of a suite that are there, and those that are not."""

    name: str
    sets: list[DataSet]
    missing: list[str]


def read_suite(name_or_file: str, root: Path) -> Suite:
    """A built-in suite by its name, or a suite file.

    Args:
        name_or_file: such as `standard`, or a path that ends in .yaml.
        root: folder that the paths of the suite start from.

    Raises:
        RecipeError: the file cannot be read, or has an unknown or ill-valued key, or a set in
            `published` of which no figures are known.
        DataError: there is no such suite, or no file of it below `root`.
    """
    path = Path(name_or_file)
    if path.suffix not in (".yaml", ".yml"):
        path = BUILT_IN / f"{name_or_file}.yaml"
        if not path.is_file():
            known = ", ".join(sorted(each.stem for each in BUILT_IN.glob("*.yaml")))
            raise DataError(
                f"there is no suite {name_or_file!r}: name a built-in one ({known}) or a file "
                "that ends in .yaml"
            )
    stated = validate(SuiteFile, read_mapping(path, "suite", "docs/evaluate.md"), path)
    for entry in stated.sets:
        if entry.published is not None and entry.published not in published_sets():
            raise RecipeError(
                f"{path}: there are no published figures for {entry.published!r}; "
                f"{nearest(entry.published, published_sets(), 'sets')}"
            )
    sets = list(_joined(stated.sets, root, path))
    there = [each for each in sets if all(_is_there(file.path) for file in each.files)]
    if not there:
        raise DataError(
            f"none of the {len(sets)} sets of suite {stated.name} is below {root}; "
            "say where they are with --data-root FOLDER"
        )
    missing = [each.shown for each in sets if each not in there]
    return Suite(stated.name, there, missing)


def _joined(entries: Sequence[Entry], root: Path, path: Path) -> Iterator[DataSet]:
    """The data sets, those entries that give one name as one."""
    by_name: dict[str, list[Entry]] = {}
    for entry in entries:
        by_name.setdefault(entry.name or entry.path, []).append(entry)
    for name, (first, *others) in by_name.items():
        if others and not all(entry.name for entry in (first, *others)):
            raise DataError(f"{path}: two sets are called {name}; give each a name of its own")
        for entry, key in product(others, OF_THE_SET):
            if key in entry.model_fields_set:
                raise DataError(
                    f"{path}: {key} of {name} is stated twice, or not with its first file; it "
                    "holds of the whole set, so state it there alone"
                )
        yield replace(first.data_set(root), others=tuple(each.data_set(root) for each in others))


def _is_there(path: str) -> bool:
    return is_address(path) or Path(path).is_file()
