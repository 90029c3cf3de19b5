"""What a fine-tuned language model says of itself, for the gauges that are made from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import __version__
from ...errors import RecipeError

if TYPE_CHECKING:
    from ..model import Template

FILE = "sft.json"
"""beside the weights"""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Key for key what the file holds."""

    name: str
    licence: str
    """SPDX expression of the weights' licence"""
    base: str
    """name of the language model that was fine-tuned"""
    base_sha256: str | None
    data: tuple[Mapping[str, Any], ...]
    """`source`, `licence`, `rows`, those of the base first, where it was fine-tuned too"""
    template: Template = "turns"
    """how turns were written, see `recipe.Backbone.template`"""
    code_version: str = __version__

    @property
    def title(self) -> str:
        """What a manifest calls the base of a gauge made from it."""
        return f"{self.name} (SFT of {self.base})"

    def inherited(self) -> tuple[Mapping[str, Any], ...]:
        """The data, as the sources of what is made from this model."""
        return tuple({**each, "source": f"{self.name}: {each['source']}"} for each in self.data)

    def write(self, folder: Path) -> None:
        """Write it into the model's folder."""
        (folder / FILE).write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def read_provenance(folder: str | Path) -> Provenance | None:
    """What a folder of a base says; None where it was not made by `harmgauge sft`.

    Raises:
        RecipeError: it cannot be read, so that nobody knows what the model learnt from.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        made = Provenance(**{**values, "data": tuple(values["data"])})
        made.inherited(), [each["licence"] for each in made.data]
    except (ValueError, KeyError, TypeError):
        raise RecipeError(
            f"{path} cannot be read, and says what this base learnt from; copy the folder again"
        ) from None
    return made


def template_for(asked: Template | None, base: Provenance | None) -> Template:
    """How turns are to be written: as a recipe asks, else as its base has learnt them."""
    return asked or (base.template if base else "turns")
