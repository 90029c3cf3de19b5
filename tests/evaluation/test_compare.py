import json
from dataclasses import replace

import numpy as np
import pytest

from harmgauge import Exchange
from harmgauge.data.columns import Columns
from harmgauge.data.read import Table
from harmgauge.data.row import Item, Row
from harmgauge.evaluation import compare_text, metrics
from harmgauge.evaluation.bootstrap import Bootstrap
from harmgauge.evaluation.cache import Cache
from harmgauge.evaluation.compare import Comparison, Side, compare, compare_costs
from harmgauge.evaluation.compare_results import adjusted, averages, to_json
from harmgauge.evaluation.data_set import Contents, DataSet
from harmgauge.evaluation.evaluate import Evaluation
from harmgauge.evaluation.measure import NO_BORDER, Judge
from harmgauge.evaluation.no_worse import NoWorse
from harmgauge.evaluation.scorers import Scored

NAN = float("nan")


def single(number, unsafe, text="hello", **meta):
    item = Item(Exchange(text and f"{text} {number}"), unsafe)
    return Row(f"t.jsonl:{number}", "toy", (item,), meta=meta)


def pair(number, *labels):
    items = tuple(
        Item(Exchange(f"ask {number}", text), u) for text, u in zip("xy", labels, strict=True)
    )
    return Row(f"t.jsonl:{number}", "toy", items, safer=0)


def compared(rows, a, b, *, name="toy", draws=0, judges=None, most=10):
    """What is found where a and b cost so much."""
    data = DataSet.of(Table(list(rows), [], "prompts", name))
    sides = [
        Side(np.array(cost, float), judge)
        for cost, judge in zip((a, b), judges or (Judge(), Judge()), strict=True)
    ]
    return compare_costs(
        data.sample, Contents.of(data), *sides, bootstrap=Bootstrap(draws), rows=most
    )


FOUR = [single(n, float(n > 2)) for n in range(1, 5)]
"""two safe, two unsafe"""


def values(found, name):
    each = found.get(name)
    return each.a.value, each.b.value, each.difference.value


def test_every_figure_of_both_by_hand():
    found = compared(FOUR, [-1, 1, -1, 1], [-1, -1, -1, 1])
    assert values(found, "auroc") == (0.5, 0.75, 0.25)
    assert values(found, "sign_accuracy") == (0.5, 0.75, 0.25)
    assert values(found, "false_positive_rate") == (0.5, 0.0, -0.5)
    assert values(found, "recall") == (0.5, 0.5, 0.0)
    assert values(found, "f1") == pytest.approx((0.5, 2 / 3, 1 / 6))
    one, other = (float(metrics.probability(cost)) for cost in (-1, 1))
    brier = [(one**2 + other**2) / 2, (3 * one**2 + other**2) / 4]
    assert values(found, "brier") == pytest.approx((*brier, brier[1] - brier[0]))


def test_each_is_taken_at_its_own_border():
    judges = Judge(0.0, False), Judge(-2.0, False)
    found = compared(FOUR, [-1, -1, 1, 1], [-3, -3, -1, -1], judges=judges)
    assert values(found, "recall") == (1.0, 1.0, 0.0)
    assert values(found, "sign_accuracy") == (1.0, 0.5, -0.5)
    assert "brier" not in found.figures


def test_a_scorer_without_a_border_is_compared_by_order_alone():
    found = compared(FOUR, [1, 2, 3, 4], [1, 2, 3, 4], judges=(Judge(), NO_BORDER))
    assert set(found.figures) == {"auroc"}


def test_what_either_could_not_judge_is_left_out_for_both_and_counted():
    found = compared([*FOUR, single(5, 1.0)], [NAN, 1, 2, 0, 1], [0, 1, NAN, 0, NAN])
    assert (found.failed_a, found.failed_b, found.left_out) == (1, 2, 3)
    assert found.get("auroc").difference.n == 2
    assert values(found, "auroc") == (0.0, 0.0, 0.0)
    assert "2 failed with other" in compare_text.block(found, "mine", "other", Bootstrap(0))
    assert "3 so left out for both" in compare_text.block(found, "mine", "other", Bootstrap(0))


def test_nothing_that_could_be_judged_is_no_error():
    found = compared(FOUR, [NAN] * 4, [0, 0, 0, 0])
    assert found.get("auroc") is None
    assert found.figures["auroc"].difference.reason == "nothing could be judged"
    assert found.disagreements == []


def test_blank_items_are_flagged_by_neither():
    rows = [single(1, 0.0, ""), single(2, 1.0)]
    found = compared(rows, [0, 1], [5, 1])
    assert values(found, "false_positive_rate") == (0.0, 0.0, 0.0)
    assert [row.id for row in found.disagreements] == []


def test_ranking_is_compared_by_stratum():
    rows = [pair(1, 0.0, 1.0), pair(2, 0.0, 1.0), pair(3, None, None)]
    found = compared(rows, [0, 1, 1, 0, 0, 0], [0, 1, 0, 1, 1, 0])
    assert values(found, "mixed") == (0.5, 1.0, 0.5)
    assert values(found, "unlabelled") == (0.5, 0.0, -0.5)
    assert found.ranking["both_safe"].difference.n == 0
    assert found.get("both_safe") is None
    assert found.get("overall") is None


def test_slices_have_differences_of_their_own():
    rows = [single(n, float(n % 2), kind="one" if n <= 4 else "two") for n in range(1, 9)]
    a, b = [1, 0, 1, 0, 0, 1, 0, 1], [1, 0, 1, 0, 1, 0, 1, NAN]
    parts = {part.value: part for part in compared(rows, a, b).parts if part.by == "kind"}
    assert parts["one"].figures["auroc"].difference.value == 0.0
    assert parts["two"].figures["auroc"].difference.value == 1.0
    assert (parts["two"].n, parts["two"].unsafe) == (3, 2)
    text = compare_text.block(compared(rows, a, b), "mine", "other", Bootstrap(0), parts=True)
    assert "kind: two" in text


def test_slices_of_pairs_have_differences_of_their_own():
    def pair(number, safer, other):
        items = tuple(Item(Exchange(f"ask {number}", text), 1.0) for text in (safer, other))
        return Row(f"t.jsonl:{number}", "toy", items, safer=0)

    rows = [pair(1, "x", "long"), pair(2, "long", "x"), pair(3, "long", "x")]
    found = compared(rows, [0, 1, 0, 1, 0, 1], [0, 1, 1, 0, 0, 1])
    assert [(each.stratum, each.value, each.figure.difference.n) for each in found.pair_parts] == [
        ("both_unsafe", "safer is longer", 2),
        ("both_unsafe", "safer is shorter", 1),
    ]
    assert [each.figure.difference.value for each in found.pair_parts] == [-0.5, 0.0]
    assert Comparison.from_dict(json.loads(json.dumps(found.to_dict()))) == found

    def shown(figure):
        return compare_text.block(found, "a", "b", Bootstrap(0), figure=figure, parts=True)

    assert "length: safer is longer" in shown("auroc")
    assert "length: safer is longer" in shown("both_unsafe")
    assert "length: safer is longer" not in shown("mixed")


def test_a_scorer_upside_down_is_reported():
    rows = [single(n, float(n % 2)) for n in range(60)]
    cost = np.array([n % 2 + np.sin(n) for n in range(60)])
    found = compared(rows, cost, -cost, draws=100)
    a, b, difference = values(found, "auroc")
    assert (a + b, difference) == pytest.approx((1.0, 1 - 2 * a))
    assert (found.upside_down_a, found.upside_down_b) == ((), ("auroc",))
    assert "!! other RUNS AGAINST" in compare_text.block(found, "mine", "other", Bootstrap(100))


def test_the_rows_that_differ_most_come_by_rank_and_without_text():
    found = compared([*FOUR, single(5, None)], [1, 2, 3, 4, 5], [100, 500, 300, 400, 200])
    first, last = found.disagreements
    assert (first.id, first.unsafe, first.cost_a, first.cost_b) == ("t.jsonl:2", False, 2.0, 500.0)
    assert (first.rank_a, first.rank_b) == pytest.approx((0.3, 0.9))
    assert (last.id, last.unsafe) == ("t.jsonl:5", None)
    assert len(compared(FOUR, [1, 2, 3, 4], [4, 3, 2, 1], most=1).disagreements) == 1
    assert compared(FOUR, [1, 2, 3, 4], [10, 20, 30, 40]).disagreements == []
    assert "hello" not in json.dumps(found.to_dict())


def test_the_heading_says_where_there_are_no_intervals_and_why():
    def heading(rows, draws):
        found = compared(rows, [1, 0], [0, 1], draws=draws)
        return compare_text.block(found, "a", "b", Bootstrap(draws)).splitlines()[2]

    two = [single(1, 1.0), single(2, 0.0)]
    assert heading(two, 20).startswith("  95 % intervals: 20 paired draws of prompts · p: as many")
    assert heading(two, 0) == "  no intervals and no p: --draws is 0 · file sha256 none"
    one = [pair(1, 0.0, 1.0)]
    assert heading(one, 20).startswith("  no intervals and no p: they take two prompts")


def test_control_characters_do_not_reach_the_terminal():
    found = compared(FOUR, [1, 2, 3, 4], [4, 3, 2, 1], most=1)
    turns = {found.disagreements[0].id: [("user", "red \x1b[31m\nline")]}
    assert compare_text.with_texts(found, turns).splitlines() == [
        "  t.jsonl:1",
        "    user: red \\x1b[31m",
        "      line",
    ]


def run(*named):
    rows = [single(n, float(n > 20)) for n in range(1, 41)]
    safe, unsafe = [-1] * 20, [1] * 20
    good, worse = [*safe, *unsafe], [*[2] * 6, *safe[6:], *unsafe]
    costs = {"same": (good, good), "worse": (good, worse), "better": (worse, good)}
    return [compared(rows, *costs[name], name=name, draws=200) for name in named]


def test_no_worse_means_the_whole_interval():
    same, worse, better = run("same", "worse", "better")
    check = NoWorse("auroc", 0.1)
    assert list(check.failures([same, better], "a", "b")) == []
    assert list(NoWorse("auroc", 0.0).failures([same], "a", "b")) == []
    (sentence,) = check.failures([same, worse], "old", "new")
    figure = worse.get("auroc").difference
    assert figure.value == pytest.approx(-0.3)
    assert sentence.startswith("worse: auroc of new less that of old is -0.3000 [-0.")
    assert f"by {-figure.low:.4f}, more than 0.1" in sentence
    # The point estimate alone would pass.
    assert list(NoWorse("auroc", 0.31).failures([worse], "a", "b"))
    assert not list(NoWorse("auroc", 0.6).failures([worse], "a", "b"))


def test_few_that_agree_do_not_show_that_none_ever_differs():
    rows = [single(n, float(n > 5)) for n in range(1, 11)]
    cost = np.array([-1.0] * 5 + [1.0] * 5)
    alike = compared(rows, cost, 2 * cost, draws=50)
    for figure in ("auroc", "recall"):
        assert alike.get(figure).difference.value == 0
        assert list(NoWorse(figure, 0.1).failures([alike], "a", "b"))
    same = compared(rows, cost, cost, draws=50)
    assert list(NoWorse("recall", 0.0).failures([same], "a", "b")) == []


def test_more_false_positives_are_worse():
    worse, better = run("worse", "better")
    check = NoWorse("false_positive_rate", 0.1)
    assert len(list(check.failures([worse, better], "a", "b"))) == 1


def test_what_cannot_be_checked_is_said():
    one_class = compared(FOUR[:2], [0, 1], [1, 0], name="safe")
    (same,) = run("same")
    check = NoWorse("auroc", 0.1)
    assert check.unchecked([one_class, same]) == ["safe"]
    assert list(check.failures([one_class, same], "a", "b")) == []
    (sentence,) = check.failures([one_class], "a", "b")
    assert "no data set has auroc" in sentence
    lone = compared([FOUR[0], FOUR[3]], [-1, 1], [-2, 1])
    (sentence,) = check.failures([lone], "a", "b")
    assert "without an interval" in sentence


def test_a_set_of_which_nothing_was_judged_shows_nothing_and_says_why():
    failed = compared(FOUR, [0, NAN, 0, NAN], [NAN, 0, NAN, 0], name="lost")
    failed = replace(failed, counts_b={"missing": 2})
    (same,) = run("same")
    check = NoWorse("auroc", 0.1)
    assert check.unchecked([failed, same]) == []
    for comparisons in ([failed], [failed, same]):
        (sentence,) = check.failures(comparisons, "a", "b")
        assert sentence == (
            "lost: none of its 4 texts was judged by both, 2 failed with a and 2 failed with b "
            "(without a score in its file), so nothing is shown"
        )


def test_texts_on_which_b_failed_speak_against_it():
    found = compared(FOUR, [-1, 1, -1, 1], [-1, 1, -1, NAN], name="half")
    told = list(NoWorse("auroc", 1.0).failures([found], "a", "b"))
    assert told[0] == "half: 1 failed with b, so nothing is shown of these texts"
    turned = compared(FOUR, [-1, 1, -1, NAN], [-1, 1, -1, 1], name="half")
    assert not any("failed" in each for each in NoWorse("auroc", 1.0).failures([turned], "a", "b"))


def test_means_and_adjusted_p_over_sets():
    comparisons = run("same", "worse")
    mean = averages(comparisons, "auroc")["prompt"]
    worse = comparisons[1].get("auroc")
    assert (mean.value, mean.n) == (pytest.approx(-0.15), 2)
    assert mean.deviation == pytest.approx(worse.difference.deviation / 2)
    assert mean.low < -0.15 < mean.high < 0
    assert adjusted(comparisons, "auroc") == {"same": 1.0, "worse": pytest.approx(2 * worse.p)}
    text = compare_text.summary(comparisons, "mine", "other")
    assert "prompts, mean AUROC (sets=2)" in text
    assert "-0.150 [" in text
    assert compare_text.summary(comparisons[:1], "mine", "other") == ""


def test_json_holds_all_and_texts_only_if_given():
    comparisons = run("worse")
    gauges = {"mine": {"id": "mine@1"}, "other": {"id": "other@1"}}
    results = to_json(comparisons, gauges, "harmgauge compare", Bootstrap(200), "auroc")
    text = json.dumps(results, allow_nan=False)
    assert "hello" not in text
    assert (results["a"], results["b"], results["draws"]) == ("mine", "other", 200)
    assert Comparison.from_dict(json.loads(text)["comparisons"][0]) == comparisons[0]
    turns = {"worse": {row.id: [("user", "hello")] for row in comparisons[0].disagreements}}
    results = to_json(comparisons, gauges, "", Bootstrap(200), "auroc", turns=turns)
    row = results["comparisons"][0]["disagreements"][0]
    assert row["turns"] == [{"role": "user", "content": "hello"}]


class Stub:
    """Costs by the last digit of a text."""

    threshold, probabilistic, reads_texts = 0.0, True, True

    def __init__(self, name):
        self.name = self.identity = name
        self.facts = {}
        self.calls = 0

    def costs(self, batch, *, progress=False):
        self.calls += 1
        return Scored(np.array([float(each.prompt[-1]) - 5 for each in batch.exchanges]))


def test_what_was_compared_is_not_scored_again(tmp_path):
    file = tmp_path / "t.jsonl"
    rows = [{"prompt": f"hello {n}", "label": int(n > 5)} for n in range(10)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    stubs = {"one": Stub("one"), "two": Stub("two")}
    evaluation = Evaluation(stubs, bootstrap=Bootstrap(20), cache=Cache(tmp_path / "cache"))
    columns = Columns(prompt="prompt", label="label")
    data = DataSet(str(file), columns=columns, labels={"0": 0, "1": 1})
    found = [compare(evaluation, data, "one", "two") for _ in range(2)]
    assert found[0] == found[1]
    assert values(found[0], "auroc") == (1.0, 1.0, 0.0)
    assert [stub.calls for stub in stubs.values()] == [1, 1]
