"""The folder of a run: begun once, gone on with by the same settings, never overwritten."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

from ..errors import RecipeError
from ..files import SCRATCH
from ..settings import Section, validate


def check_run_folder(
    out: Path, recipe: Section, resume: bool, *, may_differ: Collection[str] = ()
) -> None:
    """See that `out` is free for a run, or holds one of this recipe that is to be resumed.

    Raises:
        RecipeError: it holds a run and `resume` is not asked for, a run of other settings than
            those that `may_differ`, or something else.
    """
    path = out / "recipe.json"
    if not path.exists():
        # Folders in it that are called as those of a run would be replaced. A kill may have left
        # the recipe half written.
        if out.is_dir() and any(not each.match(SCRATCH) for each in out.iterdir()):
            raise RecipeError(f"{out} is not empty and holds no run; choose another --out")
        return
    if not resume:
        raise RecipeError(
            f"{out} holds a run; go on with --resume, choose another --out or remove it"
        )
    # Read as a recipe, so that keys which came later have their defaults.
    try:
        begun = validate(type(recipe), json.loads(path.read_text(encoding="utf-8")), path)
    except (ValueError, RecipeError):
        raise RecipeError(
            f"{out} holds a run of another verb, or of another release of harmgauge; choose "
            "another --out"
        ) from None
    changed = dict.fromkeys(
        key.partition(".")[0] for key in _differences(begun, recipe, may_differ)
    )
    if changed:
        raise RecipeError(
            f"{out} was begun with other settings ({', '.join(changed)}); resume with the same "
            "recipe and overrides, or choose another --out"
        )


def _differences(begun: Section, now: Section, but: Collection[str]) -> Iterator[str]:
    """Keys, such as optim or optim.clip, that differ and are none of `but`."""
    before, after = dict(begun), dict(now)
    for key in after:
        inner = {each.removeprefix(f"{key}.") for each in but if each.startswith(f"{key}.")}
        if inner:
            yield from (f"{key}.{each}" for each in _differences(before[key], after[key], inner))
        elif key not in but and before[key] != after[key]:
            yield key


def remove_scratch(out: Path) -> None:
    """Remove what a kill left of files that were being written."""
    for pattern in (".uncalibrated.*", ".bundle.*", ".model.*", "export/.export.*", SCRATCH):
        for left in out.glob(pattern):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
