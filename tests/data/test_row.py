"""What a row and its items say of themselves."""

import pytest

from harmgauge import Exchange
from harmgauge.data.row import Item, Row


@pytest.mark.parametrize(
    ("unsafe", "known"), [(None, False), (0.0, False), (0.4, False), (0.5, True), (1.0, True)]
)
def test_unsafe_is_what_raters_mostly_say(unsafe, known):
    assert Item(Exchange("hello"), unsafe).is_unsafe is known


@pytest.mark.parametrize(
    ("meta", "category"),
    [
        ({}, None),
        ({"type": "pun"}, None),
        ({"kind": "privacy"}, "privacy"),
        ({"kind": "answers", "category": "privacy"}, "privacy"),
    ],
)
def test_a_row_names_its_kind_of_harm_in_either_column(meta, category):
    assert Row("rows.jsonl:1", "rows", (Item(Exchange("hello")),), meta=meta).category == category
