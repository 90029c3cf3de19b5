"""YAML files whose keys are checked: recipes, descriptions of scorers.

An unknown key is refused by name, with the nearest known one as a hint. Needs the extra `train`.
"""

from __future__ import annotations

import copy
import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from .data.labels import label_key
from .errors import RecipeError


class Section(BaseModel):
    """A mapping with fixed keys."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


S = TypeVar("S", bound=Section)


def _read_labels(labels: Any) -> Any:
    """In YAML the keys of {0: 1, true: 0} are no strings."""
    if not isinstance(labels, dict):
        return labels
    return {label_key(key): unsafe for key, unsafe in labels.items()}


Labels = Annotated[dict[str, float | None], BeforeValidator(_read_labels)]
"""label column's values to unsafe (1), safe (0) or left out (null)"""


def read_mapping(path: Path, what: str, see: str) -> dict[Any, Any]:
    """The raw keys and values of a YAML file.

    Args:
        path: the file.
        what: what it is, for errors: "recipe".
        see: the page that says what keys it takes.

    Raises:
        RecipeError: the file is missing, no YAML or no mapping, or has a key twice.
    """
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except OSError as error:
        raise RecipeError(f"cannot read {what} {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise RecipeError(f"{path} is not UTF-8; save it as UTF-8") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that no calendar has
        raise RecipeError(f"{path} is not valid YAML: {_where_broken(error)}") from None
    if not isinstance(values, dict):
        raise RecipeError(f"{path} must be a mapping of keys, see {see}")
    return values


def _where_broken(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1}: {error.problem or error.context}"
    return " ".join(str(error).split())


def validate(kind: type[S], values: dict[Any, Any], path: Path | str) -> S:
    """Values as a section of that kind; `path` says in errors where they stand.

    Raises:
        RecipeError: a key is unknown, missing or ill-valued; all of them are named.
    """
    if found := problems(kind, values):
        raise RecipeError(f"{path}: {'; '.join(found)}")
    return kind.model_validate(values)


def read_section(
    kind: type[S],
    path: Path,
    overrides: Sequence[str],
    *,
    see: str,
    other: tuple[str, type[Section]],
) -> S:
    """A recipe of that kind, with `key=value` overrides.

    Args:
        kind: what it is to be.
        path: the file.
        overrides: as on the command line.
        see: the page that lists its keys.
        other: the verb and the kind of recipes that are easily taken for these.

    Raises:
        RecipeError: the file is missing or no YAML, or a key is unknown, missing, there twice or
            ill-valued; or it is a recipe of the other kind.
    """
    values = read_mapping(path, "recipe", see)
    overridden = copy.deepcopy(values)
    for override in overrides:
        _override(overridden, override)
    try:
        return validate(kind, overridden, path)
    except RecipeError:
        verb, theirs = other
        if (found := problems(kind, values)) and not problems(theirs, values):
            raise RecipeError(
                f"{path} is a recipe of {verb}: give it to that verb, or mend it for this one "
                f"({found[0]})"
            ) from None
        raise


def problems(kind: type[Section], values: dict[Any, Any]) -> list[str]:
    """What keeps values from being such a section; nothing where they are."""
    try:
        kind.model_validate(values)
    except ValidationError as error:
        return [_explain(kind, problem) for problem in error.errors()]
    return []


def _override(values: Any, override: str) -> None:
    """Set one dotted key, such as `data.train.0.cap=100`, in the raw YAML values.

    A position one past the end of a list appends to it.
    """
    key, sign, text = override.partition("=")
    if not sign or not key:
        raise RecipeError(f"override {override!r} is not of the form key=value")
    *parents, last = key.split(".")
    target = values
    try:
        for parent in parents:
            if isinstance(target, list):
                target = target[int(parent)]
            else:
                if target.get(parent) is None:
                    target[parent] = {}
                target = target[parent]
        value = yaml.safe_load(text)  # reads 1e-4 as a string, which pydantic makes a number
        if isinstance(target, list):
            if int(last) == len(target):
                target.append(value)
            else:
                target[int(last)] = value
        else:
            target[last] = value
    except yaml.YAMLError:
        raise RecipeError(f"the value of override {override!r} is not valid YAML") from None
    except (ValueError, IndexError, AttributeError, TypeError):
        raise RecipeError(f"override {override!r} names no place in the recipe") from None


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice; YAML itself would let the last one win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands twice", node.start_mark
                )
        return super().construct_mapping(node, deep)


def _explain(kind: type[Section], problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "value_error":  # said by a validator of ours, as a whole sentence
        return f"{where}: {problem['ctx']['error']}" if where else str(problem["ctx"]["error"])
    if problem["loc"][-1:] == ("[key]",):  # of a mapping whose keys are the user's, or of a few
        where = where.removesuffix(".[key]")
        if problem["type"] != "literal_error":
            return f"{where}: this key is no text; put it in quotes"
        known = re.findall(r"'([^']*)'", problem["ctx"]["expected"])
        return f"unknown key {where}; {nearest(problem['input'], known, 'keys')}"
    if problem["type"] == "too_short" and problem["ctx"]["actual_length"] == 0:
        return f"{where} is empty; give at least one"
    if problem["type"] == "string_type" and isinstance(problem["input"], bool | int | float):
        return f"{where}: {problem['input']} is no text; put it in quotes"
    if problem["type"] != "extra_forbidden":
        return f"{where}: {problem['msg'].lower()}"
    known = _known_keys(kind, problem["loc"][:-1])
    return f"unknown key {where}; {nearest(problem['loc'][-1], known, 'keys')}"


def nearest(word: Any, known: Iterable[str], what: str) -> str:
    """The known word that is meant, where one is close, else all of them."""
    known = list(known)
    near = difflib.get_close_matches(str(word), known, n=1)
    return f"did you mean {near[0]}?" if near else f"known {what}: {', '.join(known)}"


def _known_keys(section: type[Section], loc: tuple[Any, ...]) -> list[str]:
    for part in loc:
        if isinstance(part, str):  # a position in a list says nothing of the kind of its entries
            named = {field.alias or name: field for name, field in section.model_fields.items()}
            section = next(_sections(named[part].annotation), section)
    return [field.alias or name for name, field in section.model_fields.items()]


def _sections(annotation: Any) -> Iterator[type[Section]]:
    """Sections within an annotation such as `list[Source]` or `Lora | None`."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for inner in get_args(annotation):
        yield from _sections(inner)
