"""Suites: YAML files that name data sets and how each is read. Needs the extra `train`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from ..data.columns import ColumnRole, Columns
from ..data.hub import HUB
from ..data.read import Part
from ..errors import DataError, RecipeError
from ..settings import Labels, Section, nearest, read_mapping, validate
from .data_set import DataSet, Kind
from .identity import Identity
from .published import published_sets

BUILT_IN = Path(__file__).parent / "suites"


class IdentityEntry(Section):
    """How to pair texts that differ in the group they speak of."""

    column: str
    """column that names the group"""
    terms: dict[str, list[str]]
    """group -> the words for it"""


class Entry(Section):
    """One data set of a suite."""

    path: str
    """file below the data folder, an absolute path, or hub:OWNER/NAME[:SPLIT]"""
    name: str | None = None
    kind: Kind | None = None
    schema_name: str | None = Field(default=None, alias="schema")
    columns: dict[ColumnRole, str] | None = None
    labels: Labels | None = None
    label: float | None = Field(default=None, ge=0, le=1)
    part: Part = "exchange"
    identity: IdentityEntry | None = None
    published: str | None = None
    note: str = ""

    def data_set(self, root: Path) -> DataSet:
        """The data set, its file below `root`."""
        identity = self.identity
        return DataSet(
            path=self.path if self.path.startswith(HUB) else str(root / self.path),
            name=self.name or self.path,
            kind=self.kind,
            schema=self.schema_name,
            columns=None if self.columns is None else Columns(**self.columns),
            labels=self.labels,
            label=self.label,
            part=self.part,
            identity=None if identity is None else Identity(identity.column, identity.terms),
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
    shown = [entry.name or entry.path for entry in stated.sets]
    if doubled := sorted({name for name in shown if shown.count(name) > 1}):
        raise DataError(f"{path}: two sets are called {doubled[0]}; give each a name of its own")
    for entry in stated.sets:
        if entry.published is not None and entry.published not in published_sets():
            raise RecipeError(
                f"{path}: there are no published figures for {entry.published!r}; "
                f"{nearest(entry.published, published_sets(), 'sets')}"
            )
    sets = [entry.data_set(root) for entry in stated.sets]
    there = [each for each in sets if each.path.startswith(HUB) or Path(each.path).is_file()]
    if not there:
        raise DataError(
            f"none of the {len(sets)} files of suite {stated.name} is below {root}; "
            "say where they are with --data-root FOLDER"
        )
    missing = [each.shown for each in sets if each not in there]
    return Suite(stated.name, there, missing)
