"""A scorer that a YAML file describes: where its scores come from, and how they are to be read."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from pydantic import Field, model_validator

from ...errors import HarmgaugeError
from ...settings import Section, read_mapping, validate
from ...verdict import DIRECTION
from .base import Batch, Floats, Scored

Kind = Literal["python", "command", "http", "transformers", "scores"]

# Nearer to 0 or 1, a probability in float64 says no more.
_EDGE = 1e-12


class Description(Section):
    """What the file says, key for key."""

    name: str
    """name in the report, one line"""
    direction: Literal["positive_is_unsafe", "positive_is_safe"] | None = None
    """whether a larger score means more harmful, or less; required"""
    scale: Literal["probability", "log_odds", "other"]
    """probability of 0 to 1, log-odds, or any other number"""
    border: float | None = None
    """score from which it flags; null where it has none; default 0.5 for a probability, else 0"""
    licence: str | None = None
    version: str | None = None
    """any text that changes when the scores may; without it, those of `python`, `command` and
    `http` are never kept"""

    python: str | None = Field(default=None, pattern=r"^[\w.]+:\w+$")
    """module:function"""
    command: list[str] | None = Field(default=None, min_length=1)
    """a program and its arguments"""
    http: str | None = Field(default=None, pattern=r"^https?://\S+$")
    """URL of an endpoint"""
    transformers: str | None = None
    """a Hugging Face folder with a sequence classifier"""
    scores: str | None = None
    """a file of scores made elsewhere"""

    label: str | int | list[str | int] | None = None
    """of `transformers`: name or number of the output that is the score, or several"""
    category: str | None = None
    """of `http`: the category that is the score; None takes the highest"""
    model: str | None = None
    """of `http`: the model to ask for"""
    token_env: str | None = None
    """of `http`: environment variable that holds a bearer token"""

    @property
    def kind(self) -> Kind:
        return next(kind for kind in _KINDS if getattr(self, kind) is not None)

    @property
    def stated_border(self) -> float | None:
        """The border, or the default of the scale where nothing is said of one."""
        if "border" in self.model_fields_set:
            return self.border
        return 0.5 if self.scale == "probability" else 0.0

    @model_validator(mode="after")
    def _check(self) -> Description:
        if len(self.name.strip().splitlines()) != 1:
            raise ValueError("name must be one line of text, as the report shows it")
        kinds = [kind for kind in _KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            raise ValueError(f"state exactly one of {', '.join(_KINDS)}, not {len(kinds)}")
        for key, kind in _KEYS_OF.items():
            if getattr(self, key) is not None and kind != kinds[0]:
                raise ValueError(f"the key {key} is for {kind}, not for {kinds[0]}")
        if self.direction is None:
            raise ValueError(
                "state direction: positive_is_unsafe or positive_is_safe. Nothing in a model says "
                "which way its score points, and a public benchmark once ranked a cost model "
                "upside down for want of it"
            )
        border = self.stated_border
        if self.scale == "probability" and border is not None and not 0 < border < 1:
            raise ValueError(f"border is {border:g}; of a probability it is between 0 and 1")
        return self


_KINDS: tuple[Kind, ...] = ("python", "command", "http", "transformers", "scores")
_KEYS_OF: dict[str, Kind] = {
    "label": "transformers",
    "category": "http",
    "model": "http",
    "token_env": "http",
}


class Source(Protocol):
    """Where raw scores come from; one small file a kind."""

    @property
    def identity(self) -> str | None:
        """Hash of all that scores follow from; None where that is not known."""

    @property
    def facts(self) -> dict[str, Any]:
        """What there is to report beside the description."""

    def scores(self, batch: Batch, *, progress: bool) -> Scored:
        """Scores as the source gives them."""


class DescribedScorer:
    """Raw scores of a source, read as its description says."""

    def __init__(self, description: Description, source: Source) -> None:
        self._description = description
        self._source = source
        self.name = description.name
        self.probabilistic = description.scale != "other"
        self.reads_texts = description.kind != "scores"
        self.threshold = self._threshold()

    @property
    def identity(self) -> str | None:
        source = self._source.identity or self._description.version
        if source is None:
            return None
        stated = f"{self._description.model_dump_json()}\n{source}"
        return f"{self.name}@{hashlib.sha256(stated.encode()).hexdigest()[:16]}"

    @property
    def facts(self) -> dict[str, Any]:
        stated = self._description
        return {
            "kind": stated.kind,
            "id": self.identity or stated.version,
            "licence": stated.licence,
            "direction": stated.direction,
            "scale": stated.scale,
            "border": stated.stated_border,
            **self._source.facts,
        }

    def costs(self, batch: Batch, *, progress: bool = False) -> Scored:
        scored = self._source.scores(batch, progress=progress)
        return Scored(self._cost(scored.values), scored.counts)

    def _cost(self, scores: Floats) -> Floats:
        if self._description.scale == "probability":
            outside = int(np.sum((scores < 0) | (scores > 1)))
            if outside:
                raise HarmgaugeError(
                    f"{self.name}: {outside} of {len(scores)} scores are not between 0 and 1, so "
                    "they are no probabilities; say scale: log_odds or other"
                )
            kept = np.clip(scores, _EDGE, 1 - _EDGE)
            scores = np.log(kept) - np.log1p(-kept)
        elif self._description.scale == "other":
            scores = scores - (self._description.stated_border or 0.0)
        return self._sign * scores

    @property
    def _sign(self) -> float:
        return 1.0 if self._description.direction == DIRECTION else -1.0

    def _threshold(self) -> float | None:
        border, scale = self._description.stated_border, self._description.scale
        if border is None:
            return None
        if scale == "other":
            return 0.0
        cost = math.log(border / (1 - border)) if scale == "probability" else border
        return self._sign * cost + 0.0  # so that no border is -0.0


def open_described(path: Path, *, threads: int | None = None) -> DescribedScorer:
    """The scorer that a file describes; paths in it start from its folder.

    Raises:
        RecipeError: the description cannot be followed.
        HarmgaugeError: what it describes cannot be opened.
    """
    values = read_mapping(path, "scorer description", "docs/scorers.md")
    description = validate(Description, values, path)
    return DescribedScorer(description, _source(description, path.resolve().parent, threads))


def _source(stated: Description, folder: Path, threads: int | None) -> Source:
    if stated.python is not None:
        from .function import FunctionSource

        return FunctionSource(stated.name, stated.python, folder)
    if stated.command is not None:
        from .command import CommandSource

        return CommandSource(stated.name, stated.command, folder)
    if stated.http is not None:
        from .endpoint import EndpointSource

        return EndpointSource(
            stated.name, stated.http, stated.category, stated.model, stated.token_env
        )
    if stated.transformers is not None:
        from .classifier import ClassifierSource

        return ClassifierSource(
            stated.name,
            folder / Path(stated.transformers).expanduser(),
            stated.label,
            probability=stated.scale == "probability",
            threads=threads,
        )
    from .stored import StoredSource

    assert stated.scores is not None
    return StoredSource(stated.name, folder / Path(stated.scores).expanduser())
