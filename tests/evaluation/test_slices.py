import numpy as np
import pytest

from harmgauge import Exchange
from harmgauge.data.row import Item, Row
from harmgauge.evaluation.bootstrap import Bootstrap
from harmgauge.evaluation.identity import Identity, Paired, identity_figures, pair_by_template
from harmgauge.evaluation.sample import Sample
from harmgauge.evaluation.slices import MOST_VALUES, pair_slices, slices


def row(prompt, unsafe, response=None, *, categories=None, **meta):
    item = Item(Exchange(prompt, response), unsafe, categories=categories)
    return Row("f:1", "toy", (item,), None, meta)


def found(rows):
    return {(each.by, each.value): each.members.tolist() for each in slices(Sample.of(rows))}


def test_columns_lengths_and_openings_group_the_labelled_items():
    rows = [
        row("q", 1.0, "yes " * 30, model="a"),
        row("q", 0.0, "I'm sorry, but no.", model="b"),
        row("q", None, "unlabelled", model="b"),
        row("q", 0.0, "fine", model="b"),
        row("q", 0.0, "fine", model="b"),
    ]
    assert found(rows) == {
        ("model", "a"): [0],
        ("model", "b"): [1, 2, 3],
        ("opening", "no refusal"): [0, 2, 3],
        ("opening", "refusal"): [1],
        ("length", "  0 to 24 words"): [1, 2, 3],
        ("length", " 25 to 99 words"): [0],
    }


def test_a_category_stands_against_all_safe_items():
    rows = [
        row("a", 1.0, categories={"violence": True, "privacy": False}),
        row("b", 1.0, categories={"violence": False, "privacy": None}),
        row("c", 0.0, categories={"violence": False, "privacy": None}),
    ]
    assert found(rows) == {("category", "violence"): [0, 2]}


def test_a_column_that_names_items_groups_nothing():
    rows = [row(f"text {number}", 0.0, number=str(number)) for number in range(MOST_VALUES + 1)]
    assert found(rows * 2) == {}
    assert len(found(rows[:-1] * 2)) == MOST_VALUES
    assert found(rows[:20]) == {}  # each by itself, as ids and texts are


def test_a_column_that_may_hold_texts_is_left_out():
    rows = [row("a", 0.0, why="short"), row("b", 0.0, why="long " * 20)]
    assert found(rows * 2) == {}


def test_pairs_are_grouped_by_columns_by_which_is_longer_and_by_category():
    def pair(safer_text, other_text, unsafe, flag, source):
        items = (
            Item(Exchange("q", other_text), unsafe, None, {"noise": flag}),
            Item(Exchange("q", safer_text), 0.0, None, {"noise": False}),
        )
        return Row("f:1", "toy", items, 1, {"source": source})

    rows = [
        pair("fine", "longer", 1.0, True, "a"),
        pair("much longer", "loud", 1.0, False, "b"),
        row("single", 1.0, "no pair", source="c"),
        pair("same", "size", 0.0, None, "b"),
        pair("fine", "longer", 1.0, True, "a"),
    ]
    sample = Sample.of(rows)
    judged = np.ones(len(sample.items), bool)
    expected = {
        ("mixed", "source", "a"): [0, 3],
        ("mixed", "source", "b"): [1],
        ("both_safe", "source", "b"): [2],
        ("mixed", "length", "safer is shorter"): [0, 3],
        ("mixed", "length", "safer is longer"): [1],
        ("both_safe", "length", "both as long"): [2],
        ("mixed", "category", "noise"): [0, 3],
    }

    def found():
        return {(of, s.by, s.value): s.members.tolist() for of, s in pair_slices(sample, judged)}

    assert found() == expected
    judged[sample.pairs.safer[0]] = False
    judged[sample.pairs.other[1]] = False
    assert found()["mixed", "source", "a"] == [3]
    assert ("mixed", "length", "safer is longer") not in found()
    assert not list(pair_slices(Sample.of([row("single", 1.0)]), np.ones(1, bool)))


IDENTITY = Identity("group", {"bakers": ["baker", "bakers"], "elves": ["elf", "elves"]})


def test_texts_are_paired_where_every_group_has_the_like():
    texts = [
        ("I like bakers.", "bakers", 0.0),
        ("I like elves.", "elves", 0.0),
        ("I am a baker!", "bakers", 0.0),
        ("I am an elf!", "elves", 0.0),
        ("Only bakers stand here.", "bakers", 0.0),
        ("Nobody.", "", 0.0),
        ("No more elves", "elves", 1.0),
        ("no more BAKERS", "bakers", 1.0),
    ]
    sample = Sample.of([row(text, unsafe, group=group) for text, group, unsafe in texts])
    paired = pair_by_template(sample, IDENTITY)
    assert sorted(paired.members.tolist()) == [0, 1, 2, 3, 6, 7]
    assert len(set(paired.template.tolist())) == 3
    by_member = dict(zip(paired.members.tolist(), paired.template.tolist(), strict=True))
    assert by_member[0] == by_member[1] != by_member[2] == by_member[3]


def test_texts_are_paired_by_a_column_of_their_own_file():
    rows = [
        row("kind", 0.0, who="elves", of="1"),
        row("words", 0.0, who="bakers", of="1"),
        row("more", 0.0, who="elves", of="2"),
        row("again", 1.0, who="elves", of="3", file="x"),
        row("and again", 1.0, who="bakers", of="3", file="x"),
        row("elsewhere", 1.0, who="bakers", of="3", file="y"),
        row("nobody", 1.0, of="3", file="x"),
    ]
    paired = pair_by_template(Sample.of(rows), Identity("who", template="of"))
    assert paired.members.tolist() == [0, 1, 3, 4]
    assert paired.group.tolist() == ["elves", "bakers"] * 2
    assert paired.template[0] == paired.template[1] != paired.template[2] == paired.template[3]


def figures_of(group, template, unsafe, cost, bootstrap=None):
    paired = Paired(np.arange(len(cost)), np.array(group, np.str_), np.array(template))
    return identity_figures(paired, np.array(unsafe), np.array(cost), 0.0, bootstrap)


def test_gaps_between_groups_and_each_group_by_hand():
    largest, parts = figures_of(
        ["a", "b", "c"] * 2, [0, 0, 0, 1, 1, 1], [True] * 3 + [False] * 3, [2, -1, 2, 0.5, -3, -1]
    )
    assert {name: figure.value for name, figure in largest.items()} == {
        "identity_cost_gap": 3.25,  # (2 + 0.5) / 2 against (-1 - 3) / 2
        "identity_recall_gap": 1.0,
        "identity_false_positive_gap": 1.0,
    }
    assert [(part.value, part.n, part.unsafe) for part in parts] == [(g, 2, 1) for g in "abc"]
    by_group = {part.value: {n: f.value for n, f in part.figures.items()} for part in parts}
    mean = (2 - 1 + 2 + 0.5 - 3 - 1) / 6
    assert by_group["b"]["recall"] == by_group["b"]["false_positive_rate"] == 0.0
    assert by_group["c"]["recall"] == 1.0
    for group, cost in (("a", 1.25), ("b", -2.0), ("c", 0.5)):
        assert by_group[group]["cost_above_mean"] == pytest.approx(cost - mean)


def test_without_paired_texts_there_are_no_gaps():
    largest, parts = figures_of([], np.empty(0, np.int64), np.empty(0, bool), np.empty(0))
    assert all(figure.value is None and figure.reason for figure in largest.values())
    assert parts == []


def test_intervals_of_gaps_draw_templates_and_few_rule_little_out():
    templates = np.repeat(np.arange(20), 2)
    cost = np.where(templates % 2, 1.0, -1.0)
    largest, parts = figures_of(["a", "b"] * 20, templates, [True] * 40, cost, Bootstrap(200))
    recall, costs = largest["identity_recall_gap"], largest["identity_cost_gap"]
    assert (recall.value, recall.low) == (0.0, 0.0)
    assert recall.high == pytest.approx(2.7 / 20, abs=0.01)  # no draw differs, and yet it might
    assert (costs.value, costs.low, costs.high) == (0.0, 0.0, 0.0)
    assert largest["identity_false_positive_gap"].value is None
    one = parts[0].figures["recall"]
    assert (one.value, one.n) == (0.5, 20)
    assert one.low < 0.35 < 0.65 < one.high
