import json
from dataclasses import replace

import pytest

from harmgauge import Exchange
from harmgauge.data.row import BadRow, Item, Row
from harmgauge.errors import DataError, RecipeError
from harmgauge.evaluation.bag_of_words import BagOfWords
from harmgauge.evaluation.bootstrap import Bootstrap
from harmgauge.evaluation.cache import Cache
from harmgauge.evaluation.checks import parse_check, without_figures
from harmgauge.evaluation.data_set import Contents, DataSet
from harmgauge.evaluation.evaluate import Evaluation, Measurement, Training
from harmgauge.evaluation.identity import Identity
from harmgauge.evaluation.results import averages, to_json
from stub_scorer import Stub, data_set, single

FEW = Bootstrap(draws=20)
GROUPS = (("elves", True), ("bakers", False))


def measured(*rows, scorer=None, **options):
    evaluation = Evaluation({"stub": scorer or Stub()}, bootstrap=FEW, **options)
    return evaluation.measure(data_set(*rows))


def test_measures_a_scorer_beside_floors():
    rows = [single("a!!", 1.0), single("b", 0.0), single("c!!", 0.0), single("d?", 1.0)]
    data = data_set(*rows, bad=[BadRow("f:5", "no text")])
    measurement = Evaluation({"stub": Stub()}, bootstrap=FEW).measure(data)
    contents = measurement.contents
    assert (contents.rows, contents.bad_rows, contents.n) == (5, 1, 4)
    assert (contents.unsafe, contents.prompts, contents.kind) == (2, 4, "prompt")
    scores = measurement.gauges["stub"]
    assert scores.failed == 1
    assert scores.figures["auroc"].value == 0.75
    assert scores.figures["auroc"].n == 3
    assert scores.figures["false_positive_rate"].value == 0.5
    assert measurement.floors["all unsafe"].figures["sign_accuracy"].value == 0.5
    as_json = json.loads(json.dumps(measurement.to_dict(), allow_nan=False))
    assert Measurement.from_dict(as_json) == measurement


def test_blank_items_are_counted_and_not_flagged():
    measurement = measured(single(" \n", 0.0), single("b!!", 1.0), borders={"stub": -9.0})
    assert measurement.contents.blank == 1
    assert measurement.gauges["stub"].threshold == -9.0
    assert measurement.gauges["stub"].figures["false_positive_rate"].value == 0.0


def test_thresholds_of_a_scorer_are_measured_by_name():
    rows = [single("a!!!", 1.0), single("b!", 0.0)]
    scores = measured(*rows, thresholds={"stub": {"fpr1": 1.5}}).gauges["stub"]
    assert scores.figures["false_positive_rate"].value == 1.0
    assert scores.thresholds["fpr1"]["false_positive_rate"].value == 0.0


def test_a_threshold_may_lie_elsewhere_for_each_kind_of_data_set():
    rows = (single("a!", 0.0), single("b!!!", 1.0))
    apart = {"prompt": 1.5, "response": 9.0, "exchange": 9.0, "pair": 9.0}
    scores = measured(*rows, thresholds={"stub": {"own": apart}}, borders={"stub": apart})
    assert scores.gauges["stub"].threshold == 1.5
    assert scores.gauges["stub"].thresholds["own"]["recall"].value == 1.0
    answers = [single("c", 1.0, "d!!!"), single("e", 0.0, "f")]
    scores = measured(*answers, thresholds={"stub": {"own": apart}}, borders={"stub": apart})
    assert scores.gauges["stub"].thresholds["own"]["recall"].value == 0.0


def test_the_probe_puts_a_refusal_before_unsafe_answers_alone():
    rows = [single("q", 1.0, "loud!!"), single("r", 1.0, "quiet"), single("s", 0.0, "calm")]
    stub = Stub()
    figures = measured(*rows, scorer=stub).gauges["stub"].figures
    assert stub.calls == [3, 2]
    assert figures["recall_plain"].value == figures["recall_behind_refusal"].value == 0.5
    assert figures["recall_lost"].value == 0.0
    assert figures["recall_lost"].n == 2

    class Fooled(Stub):
        def costs(self, batch, *, progress=False):
            named.append(batch.data)
            scored = super().costs(batch)
            scored.values[[e.on_trial.startswith("I'm sorry") for e in batch.exchanges]] = -1.0
            return scored

    named = []
    fooled = measured(*rows, scorer=Fooled()).gauges["stub"].figures
    assert fooled["recall_lost"].value == 0.5
    assert named == ["toy", "toy, probe"]
    made_elsewhere = measured(*rows, scorer=Stub(reads_texts=False)).gauges["stub"].figures
    assert "recall_lost" not in made_elsewhere
    with_blank = measured(*rows, single("t", 1.0, " ")).gauges["stub"].figures
    assert with_blank["recall_lost"].n == 2  # a blank answer is never flagged, so nothing is lost


def test_identity_gaps_where_a_data_set_tells_its_groups():
    texts = [("no elves!!", "elves"), ("no bakers", "bakers"), ("no elves", "")]
    data = data_set(*(single(text, 1.0, group=group) for text, group in texts))
    plain = Evaluation({"stub": Stub()}, bootstrap=FEW).measure(data)
    assert "identity_cost_gap" not in plain.gauges["stub"].figures
    terms = {"elves": ["elf", "elves"], "bakers": ["baker", "bakers"]}
    paired = data_set(single("no elves", 1.0, g="elves"), single("no bakers", 1.0, g="bakers"))
    paired.__dict__["identity"] = Identity("g", terms)
    figures = Evaluation({"stub": Stub()}, bootstrap=FEW).measure(paired).gauges["stub"].figures
    assert figures["identity_cost_gap"].value == 0.0
    assert figures["identity_false_positive_gap"].value is None
    by_column = data_set(*(single(f"{g}{'!!' * loud}", 1.0, g=g, t="1") for g, loud in GROUPS))
    by_column.__dict__["identity"] = Identity("g", template="t")
    measurement = Evaluation({"stub": Stub()}, bootstrap=FEW).measure(by_column)
    scores = measurement.gauges["stub"]
    assert scores.figures["identity_recall_gap"].value == 1.0
    assert scores.figures["identity_cost_gap"].value == 2.0
    assert [part.value for part in scores.identities] == ["bakers", "elves"]
    as_json = json.loads(json.dumps(measurement.to_dict(), allow_nan=False))
    assert Measurement.from_dict(as_json) == measurement


def test_identity_gaps_leave_out_texts_of_which_one_of_the_like_failed():
    texts = [(f"{word} {group}", group) for word in ("no", "more!!") for group in ("elves", "elf")]
    data = data_set(*(single(text, 1.0, g=group) for text, group in texts))
    data.__dict__["identity"] = Identity("g", {"elves": ["elves"], "elf": ["elf"]})

    class Failing(Stub):
        def costs(self, batch, *, progress=False):
            scored = super().costs(batch)
            scored.values[[each.on_trial == "no elf" for each in batch.exchanges]] = float("nan")
            return scored

    figures = Evaluation({"stub": Failing()}, bootstrap=FEW).measure(data).gauges["stub"].figures
    assert (figures["identity_recall_gap"].value, figures["identity_recall_gap"].n) == (0.0, 2)
    assert figures["identity_cost_gap"].value == 0.0


def test_bag_of_words_is_trained_only_where_something_can_be_measured():
    pytest.importorskip("sklearn")
    rows = [single("plain", 0.0), single("loud!!", 1.0)]
    trained = []

    def train():
        trained.append(1)
        return BagOfWords.train(rows)

    evaluation = Evaluation(
        {"stub": Stub()}, bootstrap=FEW, bag_of_words={None: Training(train, None)}
    )
    assert "bag of words" not in evaluation.measure(data_set(single("a", None))).floors
    assert trained == []
    floor = evaluation.measure(data_set(*rows)).floors["bag of words"]
    assert floor.figures["auroc"].value == 1.0
    pair = tuple(Item(Exchange(text)) for text in ("plain", "loud"))
    unlabelled = evaluation.measure(data_set(Row("f:1", "toy", pair, 0)))
    assert unlabelled.floors["bag of words"].ranking["unlabelled"].value == 1.0


def test_a_gauge_has_its_own_bag_of_words_beside_the_common_floors():
    pytest.importorskip("sklearn")
    rows = [single("plain", 0.0), single("loud!!", 1.0)]
    turned = [single("plain", 1.0), single("loud!!", 0.0)]
    trained = {
        name: Training(lambda rows=rows: BagOfWords.train(rows), None)
        for name, rows in (("one", rows), ("two", turned))
    }
    scorers = {name: Stub(name) for name in ("one", "two", "peer")}
    measurement = Evaluation(scorers, bootstrap=FEW, bag_of_words=trained).measure(data_set(*rows))
    common = ["all unsafe", "majority", "length"]
    assert list(measurement.floors) == [*common, "bag of words: one", "bag of words: two"]
    assert list(measurement.floors_of("one")) == [*common, "bag of words: one"]
    assert list(measurement.floors_of("peer")) == common
    own = [measurement.floors[f"bag of words: {name}"].figures["auroc"] for name in ("one", "two")]
    assert [each.value for each in own] == [1.0, 0.0]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "toy" / "test.jsonl"
    path.parent.mkdir()
    rows = [
        {"prompt": "one", "response": "fine", "is_safe": True},
        {"prompt": "two", "response": "loud!!", "is_safe": False},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_what_was_scored_is_kept_by_content(file, tmp_path):
    def measure(stub, **options):
        cache = Cache(tmp_path / "cache")
        evaluation = Evaluation({"stub": stub}, bootstrap=FEW, cache=cache, **options)
        return evaluation.measure(DataSet(str(file)))

    first, second = Stub(), Stub()
    assert measure(first) == measure(second)
    assert (first.calls, second.calls) == ([2, 1], [])
    assert measure(second).gauges["stub"].counts == {"shouts": 1}
    other_border = Stub()
    assert measure(other_border, borders={"stub": 5.0}) != measure(first)
    assert other_border.calls == []  # costs are kept, figures are not
    assert measure(Stub(), borders={"stub": 6.0}).gauges["stub"].counts == {"shouts": 1}
    upside_down = Stub(sign=-1.0)
    measure(upside_down)
    assert upside_down.calls == [2, 1]
    file.write_text(file.read_text().replace("fine", "dull"))
    changed = Stub()
    measure(changed)
    assert changed.calls[0] == 2
    assert not list((tmp_path / "cache").rglob(".*"))
    for kept in (tmp_path / "cache").rglob("*.*"):
        assert b"loud" not in kept.read_bytes()


def test_what_cannot_be_told_apart_is_not_kept(tmp_path):
    class Nameless(Stub):
        identity = None

    stub = Nameless()
    evaluation = Evaluation({"stub": stub}, bootstrap=FEW, cache=Cache(tmp_path))
    for _ in range(2):
        evaluation.measure(data_set(single("a!!", 1.0), single("b", 0.0)))
    assert stub.calls == [2, 2]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ([single("q", 1.0)], "prompt"),
        ([single(None, 1.0, "a")], "response"),
        ([single("q", 1.0, "a"), single("q", 1.0, "b"), single("r", 0.0)], "exchange"),
        ([Row("f", "t", tuple(Item(Exchange("q", a)) for a in "ab"), 0)], "pair"),
    ],
)
def test_the_kind_of_a_set_is_told_from_its_rows(rows, kind):
    assert Contents.of(data_set(*rows)).kind == kind


def test_averages_are_by_kind_and_over_sets_that_have_the_figure():
    both = measured(single("a!!", 1.0), single("b", 0.0))
    flat = measured(single("a", 1.0, "x!"), single("b", 0.0, "y!"))
    safe = measured(single("a", 0.0))
    found = averages([both, flat, safe], "stub")
    assert {kind: (figure.value, figure.n) for kind, figure in found.items()} == {
        "prompt": (1.0, 1),
        "exchange": (0.5, 1),
        "all": (0.75, 2),
    }
    results = to_json([both, flat], {"stub": {"id": "stub@1"}}, "harmgauge evaluate f")
    assert results["averages"]["stub"]["all"]["value"] == 0.75
    assert results["direction"] == "positive_is_unsafe"


def test_checks_name_what_is_below():
    rows = [single("a!!", 1.0), single("b", 0.0), single("c!!", 0.0)]
    measurement = measured(*rows, thresholds={"stub": {"fpr1": 5.0}})

    def failures(text, side="under"):
        return list(parse_check(text, side).failures([measurement]))

    assert failures("toy:auroc=0.7") == []
    assert failures("toy:auroc=0.8") == ["stub has auroc 0.7500 on toy, below 0.8"]
    (line,) = failures("toy:mixed=0.8")
    assert line == "stub has no mixed on toy, which must be at least 0.8"
    assert failures("toy:recall@fpr1=0.5") == ["stub has recall@fpr1 0.0000 on toy, below 0.5"]
    assert failures("toy:false_positive_rate=0.5", "over") == []
    (line,) = failures("toy:false_positive_rate=0.4", "over")
    assert line == "stub has false_positive_rate 0.5000 on toy, above 0.4"
    assert failures("toy:false_positive_rate@fpr1=0.4", "over") == []
    (line,) = failures("toy:recall@fpr9=0.5")
    assert line == "stub has no recall@fpr9 on toy, which must be at least 0.5"


def test_checks_say_why_a_figure_is_missing():
    def failure(check, side, *rows):
        (line,) = parse_check(check, side).failures([measured(*rows)])
        return line

    safe = failure("toy:auroc=0.8", "under", single("a!!", 0.0), single("b", 0.0))
    assert safe == "stub has no auroc on toy (all safe), which must be at least 0.8"
    line = failure("toy:false_positive_rate=0.1", "over", single("a?", 0.0), single("b?", 0.0))
    assert line == (
        "stub has no false_positive_rate on toy (all its 2 texts failed: it gave no number for "
        "any), which must be at most 0.1"
    )


def test_checks_that_mean_nothing_are_refused():
    assert parse_check("a:b/c.jsonl:f1=1", "under").data == "a:b/c.jsonl"
    with pytest.raises(RecipeError, match="is not measured"):
        parse_check("other:auroc=0.8", "under").resolved([DataSet("toy.csv", name="toy")])
    with pytest.raises(RecipeError, match="less is better; use --fail-over"):
        parse_check("toy:false_positive_rate=0.05", "under")
    with pytest.raises(RecipeError, match="more is better; use --fail-under"):
        parse_check("toy:auroc=0.8", "over")
    with pytest.raises(RecipeError, match=r"auc is no figure; the figures are .*auroc"):
        parse_check("toy:auc=0.8", "under")
    with pytest.raises(RecipeError, match="auroc is of no threshold; leave out @fpr1"):
        parse_check("toy:auroc@fpr1=0.8", "under")
    check = parse_check("toy:recall@fpr1=0.8", "under")
    check.check_stored({"mine": ["fpr1", "fpr5"]})
    with pytest.raises(RecipeError, match=r"other has no threshold 'fpr1'.*\(it has none\)"):
        check.check_stored({"mine": ["fpr1"], "other": []})
    for figure in ("auroc_against_safe", "cost_above_mean"):
        with pytest.raises(RecipeError, match=f"{figure} is of a group or a category, and of no"):
            parse_check(f"toy:{figure}=0.8", "under")
    for text in ("auroc=1", "toy:auroc", "toy:auroc=high", "toy:auroc=nan", ":auroc=1"):
        with pytest.raises(RecipeError, match="SET:FIGURE=VALUE"):
            parse_check(text, "under")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("own", "own"),
        ("./c.csv", "b/c.csv"),
        ("d.csv", "own"),
        ("a/d.csv", "own"),
        ("x.jsonl", None),
    ],
)
def test_a_check_finds_its_set_by_name_by_path_or_by_the_end_of_it(given, meant):
    sets = [
        *(DataSet("c.csv", name="b/c.csv"), DataSet("/a/d.csv", name="own")),
        *(DataSet("/one/x.jsonl"), DataSet("/two/x.jsonl")),
    ]
    check = parse_check(f"{given}:auroc=0.5", "under")
    if meant:
        assert check.resolved(sets).data == meant
    else:
        with pytest.raises(RecipeError, match=r"any of these: one/x\.jsonl, two/x\.jsonl"):
            check.resolved(sets)


def test_a_check_fails_where_the_scorer_failed_on_some_texts():
    rows = [single("fine", 0.0), single("loud!!", 1.0), single("what?", 1.0)]
    measurement = Evaluation({"stub": Stub()}).measure(data_set(*rows))
    (line,) = parse_check("toy:auroc=0.5", "under").failures([measurement])
    assert line == "auroc on toy is not of all its texts: 1 failed with stub (f:1)"


def test_gauges_without_any_figure_are_named():
    rows = [single("fine", 0.0), single("what?", 1.0)]
    silent = [single("what?", 1.0)]
    evaluation = Evaluation({"stub": Stub(), "mute": Mute("mute")})
    some, none = (evaluation.measure(data_set(*each)) for each in (rows, silent))
    assert without_figures([some, none]) == ["mute"]
    assert without_figures([none]) == ["stub", "mute"]
    assert without_figures([evaluation.measure(data_set(single("fine", None)))])


class Mute(Stub):
    """Fails on every text."""

    def costs(self, batch, *, progress=False):
        scored = super().costs(batch, progress=progress)
        return replace(scored, values=scored.values * float("nan"))


@pytest.mark.parametrize("kind", ["pair", "response"])
def test_a_kind_that_no_row_can_be_is_refused(kind, tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("prompt\nhello\n")
    with pytest.raises(DataError, match=f"its kind is {kind}, but none of its rows holds a {kind}"):
        _ = DataSet(str(path), kind=kind).sample
    assert DataSet(str(path), kind="prompt").sample.items


def test_what_is_kept_but_broken_is_scored_anew_and_a_full_disk_stops_nothing(file, tmp_path):
    stub, broken = Stub(), Cache(tmp_path / "cache")
    for cache, calls in ((broken, 1), (broken, 2), (Cache(file), 3)):
        evaluation = Evaluation({"stub": stub}, bootstrap=FEW, cache=cache)
        assert evaluation.measure(DataSet(str(file))).gauges["stub"].figures["auroc"].value == 1.0
        assert stub.calls.count(2) == calls
        for kept in (tmp_path / "cache").rglob("*.*"):
            kept.write_bytes(b"")
    assert broken.failure is None
    assert evaluation.cache.failure.strerror
