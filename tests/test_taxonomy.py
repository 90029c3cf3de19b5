"""Categories in other taxonomies: tables, and what the documentation says of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harmgauge import taxonomy
from harmgauge.errors import RecipeError
from harmgauge.taxonomy import CATEGORIES, TABLES, category_key, own_parts, translate

PAGE = Path("docs/categories.md").read_text(encoding="utf-8")


def test_the_taxonomies_are_whole_and_map_to_known_categories():
    sizes = {name: len(table) for name, table in TABLES.items()}
    assert sizes == {"beavertails": 14, "saferlhf": 19, "openai": 13, "mlcommons": 14}
    parts = {part for table in TABLES.values() for parts in table.values() for part in parts}
    assert parts == set(CATEGORIES)
    assert [category_key(name) for name in CATEGORIES] == list(CATEGORIES)


def test_upstream_spellings_are_one_name():
    assert category_key("hate_speech,offensive_language") == taxonomy.HATE
    assert category_key("Self-Harm") == taxonomy.SELF_HARM


def test_a_verdict_is_translated_by_the_highest_of_what_maps():
    given = {taxonomy.HATE: 0.2, taxonomy.DISCRIMINATION: 0.6, taxonomy.SEXUAL: 0.0}
    found = translate(given, "openai")
    assert list(found) == list(TABLES["openai"])
    assert found["hate"] == 0.6
    assert found["harassment"] == 0.2
    assert found["sexual"] == 0.0
    assert found["violence"] is None  # not given
    assert found["violence/graphic"] is None  # nothing maps
    assert set(translate(None, "mlcommons").values()) == {None}
    with pytest.raises(RecipeError, match="no taxonomy 'mine'; there are beavertails, saferlhf"):
        translate(given, "mine")


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["S", "V2", "H"], {"S": (taxonomy.SEXUAL,), "V2": ()}),
        (["self_harm", "drug_abuse,weapons,banned_substance"], {"self_harm": ("self_harm",)}),
        (["S1", "S10"], {"S10": (taxonomy.HATE, taxonomy.DISCRIMINATION)}),
        (["Drugs", "Animal Abuse"], {"Animal Abuse": (taxonomy.ANIMAL_ABUSE,)}),
        (["weather", "S"], {"weather": ("weather",), "S": ("s",)}),
    ],
)
def test_the_flags_of_a_data_set_are_recognised(flags, expected):
    found = own_parts(flags)
    assert list(found) == flags
    assert found.items() >= expected.items()


@pytest.mark.parametrize("name", TABLES)
def test_the_page_says_what_the_table_says(name):
    body = PAGE.split(f"(`{name}`)\n")[1].split("\n## ")[0]
    lines = re.findall(r"^\| `([^`]+)` ?[^|]*\| ([^|]+) \|", body, re.MULTILINE)
    stated = {key: tuple(re.findall(r"`(\w+)`", parts)) for key, parts in lines}
    assert stated == TABLES[name]
