"""Unsafe rows take the category flags that another file has of their prompts."""

import math

import pytest
from tiny_task import write_rows

from harmgauge.errors import DataError
from harmgauge.training.categories import item_flags
from harmgauge.training.examples import load_sources
from harmgauge.training.recipe import Data, Source

FLAGS = [
    {"prompt": "a", "categories": ["animal_abuse"]},
    {"prompt": "a", "categories": ["self_harm"]},
    {"prompt": "b", "categories": ["self_harm"]},
]
BOTH = {"animal_abuse": True, "self_harm": True}


def qa(prompt, is_safe, **more):
    return {"prompt": prompt, "response": f"{prompt} {is_safe}", "is_safe": is_safe, **more}


ROWS = [qa(prompt, is_safe) for prompt in "abc" for is_safe in (True, False)]


@pytest.fixture
def load(tmp_path):
    def load(rows, flags=FLAGS, **options):
        write_rows(tmp_path / "made" / "rows.jsonl", rows)
        write_rows(tmp_path / "far" / "flags.jsonl", flags)
        settings = {"path": "made/rows.jsonl", "categories_from": "far/flags.jsonl", **options}
        source = Source(licence="CC0-1.0", **settings)
        data = Data(root=str(tmp_path), train=[source], valid=[source])
        return load_sources([source], data, tmp_path)[0]

    return load


def said(loaded):
    """Flags by what the text on trial says."""
    items = [item for row in loaded.rows for item in row.items]
    return {item.exchange.on_trial: item.categories for item in items}


def test_unsafe_rows_take_all_flags_of_their_prompt(load):
    assert said(load(ROWS)) == {
        **{f"{prompt} True": None for prompt in "abc"},
        "a False": BOTH,
        "b False": {"self_harm": True},
        "c False": None,
    }


def test_rows_with_flags_or_a_kind_of_their_own_keep_these(load):
    own = {"privacy_violation": True}
    flagged = load([qa("a", False, category=own), qa("b", False)])
    assert said(flagged)["a False"] == own
    rows = [qa("a", False, category="theft"), qa("b", False)]
    kinds = {"theft": "privacy_violation"}
    loaded = load(rows, categories=kinds, labels=None)
    assert said(loaded) == {"a False": None, "b False": {"self_harm": True}}
    names = ("privacy_violation", "self_harm")
    of_row = {
        row.group: item_flags(row.items[0], row.category, loaded.source, names)
        for row in loaded.rows
    }
    assert of_row["a"][0] == 1
    assert of_row["b"][1] == 1


def test_what_another_row_does_not_know_is_unknown_and_safe_rows_say_nothing(load):
    flags = [
        qa("a", False, category={"animal_abuse": None, "self_harm": False}),
        qa("a", False, category={"animal_abuse": False, "self_harm": True}),
        qa("b", True, category={"self_harm": True}),
    ]
    found = said(load(ROWS, flags, exhaustive=True))
    assert found["a False"] == {"animal_abuse": None, "self_harm": True}
    assert found["b False"] is None
    loaded = load(ROWS, flags, exhaustive=True)
    names = ("animal_abuse", "self_harm", "child_abuse")
    item = next(row.items[0] for row in loaded.rows if row.items[0].categories)
    unknown, flagged, absent = item_flags(item, None, loaded.source, names)
    assert math.isnan(unknown)
    assert (flagged, absent) == (1, 0)


def test_of_a_pair_the_unsafe_response_takes_them(load):
    pair = {
        "prompt": "a",
        "response_0": "fine",
        "response_1": "bad",
        "is_response_0_safe": True,
        "is_response_1_safe": False,
        "safer_response_id": 0,
    }
    assert said(load([pair])) == {"fine": None, "bad": BOTH}
    loaded = load([qa("a", False)], recast="response")
    assert said(loaded) == {"a False": BOTH}


def test_repeats_that_disagree_take_them_where_they_are_mostly_unsafe(load):
    repeated = [qa("a", False) | {"is_safe": is_safe} for is_safe in (True, False)]
    assert said(load([*repeated, qa("b", False)]))["a False"] == BOTH


@pytest.mark.parametrize(
    ("flags", "options"),
    [
        ([{"prompt": "z", "categories": ["self_harm"]}], {}),
        (FLAGS, {"part": "response"}),  # the prompt is not read
        ([qa("a", False)], {}),
    ],
)
def test_a_file_whose_flags_nobody_takes_is_a_mistake(load, flags, options):
    with pytest.raises(DataError, match=r"no unsafe row lacks flags and has a prompt that far/fl"):
        load(ROWS, flags, **options)


def test_the_file_has_to_be_there(load):
    with pytest.raises(DataError, match=r"no file far/none\.jsonl"):
        load(ROWS, categories_from="far/none.jsonl")


def test_refused_rows_are_safe_and_have_none():
    with pytest.raises(ValueError, match=r"leave out categories_from"):
        Source(path="a", licence="MIT", refused="train", categories_from="b")
