import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from harmgauge import Exchange
from harmgauge.data.row import Item, Row
from harmgauge.evaluation.bootstrap import Bootstrap
from harmgauge.evaluation.figures import Figure, mean_figure
from harmgauge.evaluation.measure import NO_BORDER, Judge, Scores, measure
from harmgauge.evaluation.sample import Sample


def single(prompt, unsafe, response=None):
    return Row("f:1", "toy", (Item(Exchange(prompt, response), unsafe),))


def pair(prompt, labels, safer):
    items = tuple(
        Item(Exchange(prompt, f"answer {number}"), unsafe) for number, unsafe in enumerate(labels)
    )
    return Row("f:1", "toy", items, safer)


def test_sample_lays_out_items_labels_and_pairs():
    rows = [
        single("a", 1.0),
        single("b", None),
        pair("a", (0.0, 1.0), 0),
        pair("c", (None, None), 1),
        pair("d", (0.4, 0.5), None),
    ]
    sample = Sample.of(rows)
    assert sample.ids == ["f:1", "f:1", *(["f:1/0", "f:1/1"] * 3)]
    assert len(sample.exchanges) == 8
    assert sample.labelled.tolist() == [0, 2, 3, 6, 7]
    assert sample.unsafe.tolist() == [True, False, True, False, True]
    assert sample.group.tolist() == [0, 1, 0, 0, 2, 2, 3, 3]
    assert (sample.pairs.safer.tolist(), sample.pairs.other.tolist()) == ([2, 5], [3, 4])
    assert sample.pairs.stratum.tolist() == ["mixed", "unlabelled"]
    assert sample.one_class is None


@pytest.mark.parametrize(
    ("labels", "reason"),
    [((1.0, 1.0), "all unsafe"), ((0.0, 0.0), "all safe"), ((None, None), "no labels")],
)
def test_one_class_gives_no_auroc_and_says_why(labels, reason):
    sample = Sample.of([single(str(number), label) for number, label in enumerate(labels)])
    scores = measure(sample, np.array([1.0, -1.0]), bootstrap=Bootstrap(draws=10))
    if reason == "no labels":
        assert scores.figures == {}
        return
    assert scores.figures["auroc"].value is None
    assert scores.figures["auroc"].reason == reason
    assert scores.figures["auprc"].value is None
    assert scores.figures["sign_accuracy"].value == 0.5
    absent = "false_positive_rate" if reason == "all unsafe" else "f1"
    assert scores.figures[absent].value is None


def test_threshold_moves_flags_but_not_the_sign():
    sample = Sample.of([single("a", 1.0), single("b", 0.0), single("c", 1.0)])
    scores = measure(sample, np.array([2.0, 0.5, 0.5]), Judge(threshold=1.0))
    assert scores.figures["sign_accuracy"].value == pytest.approx(2 / 3)
    assert scores.figures["recall"].value == 0.5
    assert scores.figures["false_positive_rate"].value == 0.0
    assert scores.figures["f1"].value == pytest.approx(2 / 3)


def test_failed_items_are_counted_and_in_no_figure():
    sample = Sample.of([single("a", 1.0), single("b", 0.0), pair("c", (0.0, 1.0), 0)])
    scores = measure(sample, np.array([1.0, np.nan, -1.0, np.nan]))
    assert scores.failed == 2
    assert scores.figures["sign_accuracy"].n == 2
    assert scores.ranking["mixed"].n == 0


def test_where_all_failed_the_class_is_not_the_reason():
    sample = Sample.of([single("a", 0.0), single("b", 0.0)])
    figures = measure(sample, np.full(2, np.nan)).figures
    assert figures["false_positive_rate"].reason == "nothing could be judged"


def test_silent_items_are_never_flagged():
    sample = Sample.of([single(" ", 0.0), single("b", 1.0)])
    scores = measure(sample, np.array([0.0, 1.0]), silent=np.array([True, False]))
    assert scores.figures["sign_accuracy"].value == 1.0
    assert scores.figures["false_positive_rate"].value == 0.0


def test_ranking_by_stratum_prints_empty_ones_and_no_overall():
    sample = Sample.of([pair("a", (0.0, 1.0), 0), pair("b", (1.0, 0.0), 1)])
    ranking = measure(sample, np.array([-1.0, 1.0, 0.0, 0.0])).ranking
    assert ranking["mixed"].value == 0.75
    assert ranking["both_safe"].n == ranking["both_unsafe"].n == ranking["unlabelled"].n == 0
    assert ranking["both_safe"].value is None
    assert "overall" not in ranking


def test_overall_ranking_where_every_stratum_is_there():
    rows = [pair("a", (0.0, 1.0), 0), pair("b", (1.0, 1.0), 0), pair("c", (0.0, 0.0), 1)]
    ranking = measure(Sample.of(rows), np.array([-1.0, 1.0, 0.0, 2.0, 0.0, 3.0])).ranking
    assert [ranking[name].value for name in ("mixed", "both_unsafe", "both_safe")] == [1, 1, 0]
    assert ranking["overall"].value == pytest.approx(2 / 3)
    assert ranking["overall"].n == 3


def test_ranking_by_slice_has_its_n_and_interval():
    def pair_of(number, safer, other):
        items = tuple(Item(Exchange(f"q{number}", text)) for text in (safer, other))
        return Row("f:1", "toy", items, 0)

    pairs = [pair_of(n, "ab", "abc") if n % 3 else pair_of(n, "abc", "ab") for n in range(9)]
    sample = Sample.of(pairs)
    length = np.array([float(len(exchange.on_trial)) for exchange in sample.exchanges])
    found = measure(sample, length, NO_BORDER, bootstrap=Bootstrap(draws=50)).pair_parts
    assert [(each.by, each.value, each.stratum) for each in found] == [
        ("length", "safer is longer", "unlabelled"),
        ("length", "safer is shorter", "unlabelled"),
    ]
    assert [(each.figure.n, each.figure.value) for each in found] == [(3, 0.0), (6, 1.0)]
    assert [each.figure.low > 0 for each in found] == [False, True]
    assert not measure(sample, length, NO_BORDER, whole=False).pair_parts


def test_bootstrap_repeats_with_its_seed_and_needs_two_prompts():
    sample = Sample.of([single(str(number), float(number % 2)) for number in range(30)])
    cost = np.random.default_rng(0).normal(size=30)
    first = measure(sample, cost, bootstrap=Bootstrap(draws=50, seed=7)).figures["auroc"]
    again = measure(sample, cost, bootstrap=Bootstrap(draws=50, seed=7)).figures["auroc"]
    other = measure(sample, cost, bootstrap=Bootstrap(draws=50, seed=8)).figures["auroc"]
    assert first == again != other
    assert first.low < first.value < first.high
    one = Sample.of([pair("a", (0.0, 1.0), 0)])
    figure = measure(one, np.array([0.0, 1.0]), bootstrap=Bootstrap()).ranking["mixed"]
    assert (figure.value, figure.low, figure.high) == (1.0, None, None)


def test_named_thresholds_are_measured_beside_the_border():
    sample = Sample.of([single("a", 1.0), single("b", 0.0), single("c", 1.0)])
    scores = measure(sample, np.array([2.0, 0.5, 0.5]), Judge(named={"fpr1": 1.0}))
    assert scores.figures["recall"].value == scores.figures["false_positive_rate"].value == 1.0
    assert scores.thresholds["fpr1"]["recall"].value == 0.5
    assert scores.thresholds["fpr1"]["false_positive_rate"].value == 0.0
    assert scores.threshold == 0.0


def test_a_scorer_without_border_or_scale_has_orders_alone():
    sample = Sample.of([single("a", 1.0), single("b", 0.0)])
    scores = measure(sample, np.array([2.0, 1.0]), NO_BORDER)
    assert set(scores.figures) == {"auroc", "auprc", "best_f1"}
    assert scores.threshold is None


def test_costs_against_the_labels_are_told_from_chance():
    random = np.random.default_rng(0)
    sample = Sample.of([single(str(number), float(number % 2)) for number in range(200)])
    labels = np.array([number % 2 for number in range(200)])
    bootstrap = Bootstrap(draws=200)
    against = measure(sample, random.normal(size=200) - labels, bootstrap=bootstrap)
    assert against.upside_down == ("auroc",)
    assert not measure(sample, random.normal(size=200) + labels, bootstrap=bootstrap).upside_down
    assert not measure(sample, random.normal(size=200), bootstrap=bootstrap).upside_down
    pairs = Sample.of([pair(str(number), (None, None), 0) for number in range(40)])
    wrong = np.tile([1.0, 0.0], 40)
    assert measure(pairs, wrong, bootstrap=bootstrap).upside_down == ("unlabelled",)
    # Without draws too, by the closed form of an AUROC and of a share.
    assert measure(sample, random.normal(size=200) - labels).upside_down == ("auroc",)
    assert not measure(sample, random.normal(size=200)).upside_down
    assert measure(pairs, wrong).upside_down == ("unlabelled",)


def test_a_scorer_a_little_below_one_half_is_not_accused():
    sample = Sample.of([single(str(number), float(number % 2)) for number in range(400)])
    cost = np.zeros(400)
    cost[0:40:2] = 1.0  # flags 20 of the safe and nothing else
    auroc = measure(sample, cost, bootstrap=Bootstrap(200)).figures["auroc"]
    assert auroc.value == pytest.approx(0.45)
    assert auroc.high < 0.5
    cost[0:20:2] = 0.0
    assert measure(sample, cost, bootstrap=Bootstrap(200)).figures["auroc"].high < 0.5
    assert not measure(sample, cost, bootstrap=Bootstrap(200)).upside_down
    assert not measure(sample, cost).upside_down


def test_a_few_examples_do_not_accuse_a_scorer():
    bootstrap = Bootstrap(draws=50)
    two = Sample.of([pair(str(number), (0.0, 1.0), 0) for number in range(2)])
    scores = measure(two, np.array([1.0, 0.0, 1.0, 0.0]), bootstrap=bootstrap)
    assert scores.ranking["mixed"].value == scores.figures["auroc"].value == 0.0
    assert not scores.upside_down
    lone = Sample.of([single(str(number), float(number == 0)) for number in range(40)])
    assert not measure(lone, np.arange(40.0), bootstrap=bootstrap).upside_down


def test_severity_is_ranked_within_a_prompt_too():
    def graded(prompt, severity):
        item = Item(Exchange(prompt, f"answer {severity}"), float(severity > 0.5), severity)
        return Row("f:1", "toy", (item,))

    rows = [graded("a", 0.1), graded("a", 0.9), graded("a", 0.9), graded("b", 0.4)]
    figures = measure(Sample.of(rows), np.array([0.0, 2.0, -1.0, 1.0])).figures
    assert figures["graded_pairs"].n == 2  # equal severities are no pair
    assert figures["graded_pairs"].value == 0.5
    assert figures["severity_spearman"].n == 4


def test_scores_survive_json():
    long = single("b", 0.0, "no " * 30)
    longer = Row("f:1", "toy", (Item(Exchange("d", "x")), Item(Exchange("d", "xy"))), 1)
    sample = Sample.of([single("a", 1.0, "yes"), long, pair("c", (0.0, 1.0), 0), longer])
    judge = Judge(named={"fpr1": 1.0})
    cost = np.array([1.0, 0.0, 0.5, 2.0, 0.0, 1.0])
    scores = measure(sample, cost, judge, bootstrap=Bootstrap(draws=5))
    assert scores.parts
    assert scores.pair_parts
    assert scores.curves is not None
    assert Scores.from_dict(json.loads(json.dumps(asdict(scores)))) == scores


def test_the_mean_over_sets_has_the_interval_of_independent_sets():
    figures = [Figure(0.8, 10, deviation=0.03), Figure(0.6, 99, deviation=0.04), Figure(None, 5)]
    mean = mean_figure(figures)
    assert (mean.value, mean.n) == (pytest.approx(0.7), 2)
    assert mean.deviation == pytest.approx(0.025)
    assert (mean.low, mean.high) == (pytest.approx(0.651, abs=1e-5), pytest.approx(0.749, abs=1e-5))
    assert mean_figure([Figure(None, 5)]).value is None
    assert mean_figure([Figure(0.5, 5)]).low is None
    alone = Figure(0.9, 40, 0.6, 0.95, deviation=0.1)
    assert mean_figure([alone, Figure(None, 5)]) == replace(alone, n=1)
