from typing import get_args

import pytest

pytest.importorskip("yaml")

from harmgauge.evaluation.published import Metric, _figures, _table, caution, published


def test_figures_have_a_source_and_are_fractions():
    assert len(_figures()) > 100
    for figure in _figures():
        assert 0 <= figure.value <= 1
        assert figure.mark == ("S" if "seed project" in figure.model else "V")
        assert "(" in figure.source
        assert figure.set in _table()["sets"]
    keys = [(each.model, each.set, each.metric, each.source) for each in _figures()]
    assert len(set(keys)) == len(keys)


def test_every_key_of_the_table_is_read():
    known = {"model", "source", "in_distribution", "note", *get_args(Metric)}
    for entry in _table()["figures"]:
        assert set(entry) <= known
        assert set(entry.get("in_distribution", ())) <= set(entry.get("f1", ()))


def test_best_come_first_and_say_on_what():
    best = published("beavertails")[0]
    assert (best.model, best.metric, best.value) == ("BeaverDam 7B", "f1", 0.899)
    assert best.scope == "whole set, n = 3021, in-distribution"
    alarms = published("xstest_prompts")
    assert [each.value for each in alarms] == sorted(each.value for each in alarms)
    assert alarms[0].scope == "sample size not stated"
    assert published("a set of mine") == []


@pytest.mark.parametrize(
    ("name", "n", "said"),
    [
        (
            "beavertails",
            1491,
            "(n = 3021), ours are on the visible part of it (n = 1491)",
        ),
        ("simple_safety_tests", 100, "ours are on the same texts"),
        ("xstest_completions", 2250, "ours are on other texts (n = 2250)"),
        ("xstest_prompts", 450, "as published, ours are on n = 450"),
        ("pku_saferlhf", 1814, "as published, ours are on other texts (n = 1814)"),
    ],
)
def test_caution_says_how_far_ours_may_be_compared(name, n, said):
    assert said in caution(name, n)
    assert "not as a ranking" in caution(name, n)


def test_where_nothing_is_published_there_is_nothing_to_say():
    assert caution("a set of mine", 3) == ""
