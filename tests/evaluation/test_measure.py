import numpy as np
import pytest

from harmgauge import Exchange
from harmgauge.data.row import Item, Row
from harmgauge.evaluation.measure import Bootstrap, measure
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
    assert len(sample.exchanges) == 8
    assert sample.labelled.tolist() == [0, 2, 3, 6, 7]
    assert sample.unsafe.tolist() == [True, False, True, False, True]
    assert sample.group.tolist() == [0, 1, 0, 0, 2, 2, 3, 3]
    assert (sample.safer.tolist(), sample.other.tolist()) == ([2, 5], [3, 4])
    assert sample.stratum.tolist() == ["mixed", "unlabelled"]
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
    scores = measure(sample, np.array([2.0, 0.5, 0.5]), threshold=1.0)
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


def test_bootstrap_draws_prompts_and_not_items():
    random = np.random.default_rng(1)
    right = (random.random(40) < 0.7).astype(float)
    repeated = np.repeat(right, 25)
    bootstrap = Bootstrap(draws=400, seed=3)

    def share(values):
        return lambda weight: float(np.sum(weight * values) / np.sum(weight))

    low, high = bootstrap.interval(share(repeated), np.repeat(np.arange(40), 25))
    naive = bootstrap.interval(share(repeated), np.arange(1000))
    assert low < right.mean() < high
    assert high - low == pytest.approx(3.92 * right.std() / np.sqrt(40), rel=0.2)
    assert high - low > 3 * (naive[1] - naive[0])


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
