"""Families of templates: YAML files to labelled records, in parts that share no content.

A file of `families/` holds topics; a topic has slots, and templates that are `safe` or `unsafe`. A
template is a text, or a list of turns of which the user has the first; the last one is on trial.
`shared.yaml` holds what several families use.

Every fourth template and every fourth filler of a slot is for validation, the others are for
training: no text of the one has a template, or a filler, of the other. What stands under `style`
(greetings, ways to say "can't") is no content and is used by both.
"""

from __future__ import annotations

import difflib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from ...errors import DataError, needs_extra
from .grammar import Draw, Filler, Slots
from .voice import Voice

TEMPLATES = "templates:"
"""Prefix of an address of rows made from templates: `templates:FAMILY[:PART]`."""

Part = Literal["train", "valid"]
PARTS: tuple[Part, ...] = get_args(Part)
Record = dict[str, Any]

_HERE = Path(__file__).parent
_DRAWS = 48
"""texts of one template, at most: more would differ in little but the greeting"""
_SWAPS = 8
"""groups that one draw of a paired template is said of in training; in validation all are, so that
each can be set against each"""


@dataclass(frozen=True, slots=True)
class Topic:
    """Templates about one thing, and what fills them."""

    name: str
    label: Literal["safe", "unsafe"]
    templates: Sequence[str | Sequence[str]]
    slots: Slots
    style: Slots
    """slots that are used by both parts"""
    pair: str | None
    """slot in which paired texts differ, and in nothing else"""
    manners: Mapping[str, Sequence[str]] | None
    """openings and closings of the user's last turn; None leaves texts as they are"""


def families() -> list[str]:
    """The names of all families."""
    return sorted(path.stem for path in (_HERE / "families").glob("*.yaml"))


def template_records(address: str, seed: int = 0) -> tuple[str, str, list[Record]]:
    """The records of `templates:FAMILY[:PART]`, all parts where none is named.

    Args:
        address: the family, and `train` or `valid`.
        seed: of the draws; the same seed gives the same records.

    Returns:
        Family, part (`all` where none is named), and records with the columns `messages`,
        `is_safe`, `kind` (the topic), `template` (texts that share it differ in the group they
        speak of alone) and, where a text speaks of a group of people, `identity`.

    Raises:
        DataError: there is no such family or part.
    """
    family, _, part = address.removeprefix(TEMPLATES).partition(":")
    if family not in families():
        near = difflib.get_close_matches(family, families(), n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(families())}"
        raise DataError(f"there is no family of templates {family!r}; {hint}")
    if part and part not in PARTS:
        raise DataError(f"{address} has no part {part!r}; use {' or '.join(PARTS)}")
    seen: set[tuple[str, ...]] = set()
    records = []
    for each in PARTS:
        if part in ("", each):
            for record in _expand(family, each, seed):
                key = tuple(message["content"] for message in record["messages"])
                if key not in seen:
                    seen.add(key)
                    records.append(record)
    return family, part or "all", records


def shared_slots(part: Part) -> Slots:
    """Slots that any family may use."""
    shared = _read(_HERE / "shared.yaml")
    return {**shared["style"], **_part_of_slots(shared["slots"], part)}


def part_of(items: Sequence[Any], part: Part) -> list[Any]:
    """Every fourth item for validation, the others for training; as many as there are, at best."""
    return [item for at, item in enumerate(items) if (at % 4 == 3) == (part == "valid")]


def _part_of_slots(slots: Slots, part: Part) -> Slots:
    return {name: part_of(fillers, part) for name, fillers in slots.items()}


def _expand(family: str, part: Part, seed: int) -> Iterator[Record]:
    shared = shared_slots(part)
    for topic in read_family(family):
        slots = {**shared, **topic.style, **_part_of_slots(topic.slots, part)}
        numbered = list(enumerate(topic.templates, 1))
        for number, template in part_of(numbered, part):
            name = f"{topic.name}-{topic.label}-{number}"
            rng = random.Random(f"{seed} {family} {part} {name}")
            turns = [template] if isinstance(template, str) else template
            groups: Sequence[Filler] = slots[topic.pair] if topic.pair else [""]
            swaps = min(_SWAPS, len(groups)) if part == "train" else len(groups)
            for draw in range(_DRAWS // swaps):
                said_of = rng.sample(groups, swaps)
                yield from _records(topic, f"{name}/{draw}", turns, slots, said_of, rng)


def _records(
    topic: Topic,
    name: str,
    turns: Sequence[str],
    slots: Slots,
    said_of: Sequence[Filler],
    rng: random.Random,
) -> Iterator[Record]:
    """The records of one draw: alike but for the group that they speak of."""
    voice = Voice.draw(rng, topic.manners) if topic.manners else Voice()
    if topic.pair:
        voice = replace(voice, slip=None)  # it would fall on another word in each swap
    seed = rng.random()
    for group in said_of:
        draw = Draw(slots, random.Random(seed), {topic.pair: group} if topic.pair else {})
        texts = [draw.fill(turn) for turn in turns]
        if len(texts) % 2:  # the user has the last turn
            texts[-1] = voice.put_on(texts[-1])
        identity = {} if isinstance(group, str) else {"identity": group["name"]}
        yield {
            "messages": [
                {"role": ("user", "assistant")[at % 2], "content": text}
                for at, text in enumerate(texts)
            ],
            "is_safe": topic.label == "safe",
            "kind": topic.name,
            "template": name,
            **identity,
        }


@cache
def read_family(family: str) -> list[Topic]:
    """The topics of a family, those with safe and unsafe templates as two."""
    values = _read(_HERE / "families" / f"{family}.yaml")
    manners = _read(_HERE / "shared.yaml")["manners"]
    return [
        Topic(
            name,
            label,
            topic[label],
            {**values.get("slots", {}), **topic.get("slots", {})},
            values.get("style", {}),
            values.get("pair"),
            manners.get(values.get("manner")),
        )
        for name, topic in values["topics"].items()
        for label in ("safe", "unsafe")
        if label in topic
    ]


@cache
def _read(path: Path) -> Any:
    try:
        import yaml
    except ImportError as error:
        raise needs_extra("train", "making rows from templates") from error
    return yaml.safe_load(path.read_text(encoding="utf-8"))
