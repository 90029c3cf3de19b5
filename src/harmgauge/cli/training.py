"""Whose training rows `harmgauge evaluate --train` names, for the bag-of-words floors."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.hub import data_name, data_sha256
from ..errors import DataError, HarmgaugeError, RecipeError, needs_extra

if TYPE_CHECKING:
    from ..data.row import Row
    from ..evaluation.bag_of_words import BagOfWords
    from ..evaluation.evaluate import Training

Files = dict[str | None, list[str]]
"""gauge -> files of its training rows; None is all gauges"""


def training_files(stated: Sequence[str], gauges: Collection[str]) -> Files:
    """The files of `FILE` and `GAUGE=FILE`; a file that is there may have `=` in its name.

    Raises:
        HarmgaugeError: a file is not there, or a gauge is not measured.
    """
    files: Files = {}
    for text in stated:
        gauge: str | None = None
        file = text
        if not Path(text).is_file() and "=" in text:
            gauge, _, file = text.partition("=")
            if gauge not in gauges:
                raise RecipeError(
                    f"--train {text}: no gauge {gauge} is measured here; write NAME=FILE with one "
                    f"of these names: {', '.join(gauges)}"
                )
            file = str(Path(file).expanduser())
        if not Path(file).is_file():
            raise HarmgaugeError(f"there is no file {file} for --train; check its spelling")
        files.setdefault(gauge, []).append(file)
    return files


def facts(files: Files) -> list[dict[str, str | None]]:
    """What the JSON of a run says of these files."""
    return [
        {"gauge": gauge, "data": data_name(file), "sha256": data_sha256(file)}
        for gauge, of in files.items()
        for file in of
    ]


def training(files: Sequence[str], data_root: str | None, reading: Mapping[str, Any]) -> Training:
    """The bag-of-words floor; what decides its rows are the files and, of a recipe, its data.

    Args:
        files: data files and recipes.
        data_root: where recipes have their data.
        reading: schema, columns and labels as stated, for data files that need them.
    """
    from ..evaluation.bag_of_words import BagOfWords
    from ..evaluation.evaluate import Training

    @cache
    def train() -> BagOfWords:
        rows = [row for file in files for row in training_rows(file, data_root, reading)]
        return BagOfWords.train(rows)

    parts = [part for file in files for part in _parts(file, data_root)]
    digests = [data_sha256(part) for part in parts]
    return Training(train, None if None in digests else str((digests, sorted(reading.items()))))


def _parts(file: str, data_root: str | None) -> list[str]:
    """A file, and if it is a recipe the data files that it names."""
    if not _is_recipe(file):
        return [file]
    from ..training.examples import find_source

    recipe = _recipe(file, data_root)
    sources = (*recipe.data.train, *recipe.data.valid)  # validation prompts are kept out
    named = [(each.path, *each.apart_from, each.categories_from) for each in sources]
    paths = [path for each in named for path in each if path is not None]
    found = [find_source(path, recipe.data.root, Path(file).parent) for path in paths]
    return [file, *map(str, dict.fromkeys(found))]


def training_rows(file: str, data_root: str | None, reading: Mapping[str, Any]) -> list[Row]:
    """Rows of a data file, or the very rows that a recipe trains on.

    Args:
        file: a data file or a recipe.
        data_root, reading: as for `training`.
    """
    if not _is_recipe(file):
        return _data_rows(file, reading)
    from ..training.examples import drop_leaks, load_sources

    recipe = _recipe(file, data_root)
    train, valid = (
        load_sources(sources, recipe.data, Path(file).parent)
        for sources in (recipe.data.train, recipe.data.valid)
    )
    drop_leaks(train, valid)
    return [row for source in train for row in source.rows]


def _data_rows(file: str, reading: Mapping[str, Any]) -> list[Row]:
    """Read as the measured files are; where that does not fit, as the columns tell."""
    from ..data.read import read_rows

    try:
        return read_rows(file, **reading).rows
    except DataError as error:
        if not any(reading.values()):
            raise
        try:
            return read_rows(file).rows
        except DataError:
            raise error from None


def _is_recipe(file: str) -> bool:
    return Path(file).suffix in (".yaml", ".yml")


def _recipe(file: str, data_root: str | None) -> Any:
    try:
        from ..training.recipe import read_recipe
    except ModuleNotFoundError as error:
        raise needs_extra("train", f"reading a recipe ({error.name} is missing)") from None
    return read_recipe(Path(file), [f"data.root={data_root}"] if data_root else [])
