import numpy as np

from harmgauge import Exchange
from harmgauge.data.row import BadRow, Item, Row
from harmgauge.evaluation.bootstrap import Bootstrap
from harmgauge.evaluation.evaluate import Evaluation
from harmgauge.evaluation.identity import Identity
from harmgauge.evaluation.scorers import Scored
from harmgauge.evaluation.text import block, summary
from stub_scorer import Stub, data_set, single


def measured(*rows, **scorers):
    evaluation = Evaluation(scorers or {"stub": Stub()}, bootstrap=Bootstrap(10))
    return evaluation.measure(data_set(*rows))


def test_says_what_is_missing():
    pairs = [
        Row("f:1", "toy", tuple(Item(Exchange("q", text), 1.0) for text in ("a", "b!!")), 0),
        Row("f:2", "toy", tuple(Item(Exchange("r", text), 1.0) for text in ("a!", "b!")), 0),
    ]
    text = block(measured(*pairs, one=Stub(), two=Stub(sign=-1)))
    lines = {line.split("  ")[1].strip(): line for line in text.splitlines()[2:] if line}
    assert "no AUROC: all unsafe" in text
    assert lines["AUROC"].split()[1:3] == ["-", "-"]
    header = text.splitlines()[4]
    assert header.split()[:4] == ["one", "two", "all", "unsafe"]
    assert "both unsafe (n=2)" in text
    assert "mixed (n=0)" in text
    assert "0.750" in text
    assert "all strata" not in text


def test_a_file_without_labels_is_measured_by_its_pairs_or_not_at_all():
    items = tuple(Item(Exchange("q", text)) for text in ("a", "b!!"))
    measurement = measured(Row("f:1", "toy", items, 0))
    assert measurement.contents.one_class == "no labels"
    assert measurement.gauges["stub"].ranking["unlabelled"].value == 1.0
    assert "unlabelled (n=1)" in block(measurement)
    assert "state a label with --label" in block(measured(single("a", None)))


def test_rows_that_could_not_be_read_are_told_with_the_reason_of_the_first():
    bad = [BadRow(f"f:{number}", "has no prompt") for number in range(2, 7)]
    measurement = Evaluation({"stub": Stub()}, bootstrap=Bootstrap(0)).measure(
        data_set(single("a", 0.0), bad=bad)
    )
    lines = [line.strip() for line in block(measurement).splitlines() if "not read" in line]
    assert lines[0] == "not read: f:2: has no prompt"
    assert lines[3:] == ["not read: 2 rows more; harmgauge data check tells of all"]


def test_costs_against_the_labels_are_said_loudly():
    rows = [single(f"{number}!!", 1.0) for number in range(20)]
    rows += [single(f"{number}", 0.0) for number in range(20)]
    assert "RUNS AGAINST THE LABELS" not in block(measured(*rows))
    said = block(measured(*rows, wrong=Stub(sign=-1)))
    assert "wrong RUNS AGAINST THE LABELS: AUROC 0.000 [0.000, 0.161]; is its direction" in said


def test_slices_are_shown_when_asked_for():
    rows = [single("a!!", 1.0, tone="loud"), single("b", 0.0, tone="calm")] * 5
    assert "tone: loud" not in block(measured(*rows))
    assert "tone: loud" in block(measured(*rows), parts=True)


def test_slices_of_pairs_are_shown_when_asked_for():
    def pair(number, safer, other):
        items = tuple(Item(Exchange(f"q{number}", text), 1.0) for text in (safer, other))
        return Row("f:1", "toy", items, 0)

    rows = [pair(1, "a", "b!!"), pair(2, "a", "b!!"), pair(3, "a long one!!", "b")]
    assert "pairs by slice" not in block(measured(*rows))
    lines = [" ".join(line.split()) for line in block(measured(*rows), parts=True).splitlines()]
    assert "stub, pairs by slice stratum n ranking accuracy" in lines
    assert "length: safer is longer both unsafe 1 0.000" in lines
    assert "length: safer is shorter both unsafe 2 1.000 [0.342, 1.000]" in lines


def test_named_thresholds_have_lines_of_their_own():
    evaluation = Evaluation({"stub": Stub()}, thresholds={"stub": {"fpr1": 0.5}})
    text = block(evaluation.measure(data_set(single("a!!", 1.0), single("b", 0.0))))
    assert "false positives at fpr1" in text
    assert "stub flags at cost >= 0" in text


def test_what_stands_alone_is_not_told_as_several():
    text = block(measured(single("a!!", 1.0)))
    assert "1 row · 0 bad · n=1 labelled · 100.0% unsafe · 1 prompt ·" in text


def test_the_heading_says_where_there_are_no_intervals_and_why():
    rows = [single("a!!", 1.0), single("b", 0.0)]
    assert "95 % intervals: 10 draws of prompts, seed 0" in block(measured(*rows))
    missing = "  no intervals: they take two prompts with something to measure · file"
    assert missing in block(measured(single("q", 1.0, "a!!"), single("q", 0.0, "b")))
    evaluation = Evaluation({"stub": Stub()}, bootstrap=Bootstrap(0))
    text = block(evaluation.measure(data_set(*rows)))
    assert "  no intervals: --draws is 0 · file" in text
    assert "95 %" not in text


def test_failed_items_are_told_once():
    class Stored(Stub):
        def costs(self, batch, *, progress=False):
            scored = super().costs(batch)
            return Scored(scored.values, {"missing": int(np.isnan(scored.values).sum())})

    rows = [single("a!!", 1.0), single("b?", 0.0), single("c?", 0.0)]
    text = block(measured(*rows, x=Stored()))
    assert "2 failed with x (without a score in its file: f:1, f:1), left out" in text
    assert "missing" not in text
    text = block(measured(*rows[1:], x=Stored()))
    assert "all 2 failed with x (without a score in its file: f:1, f:1), left out" in text


def test_summary_averages_by_kind():
    both = measured(single("a!!", 1.0), single("b", 0.0))
    flat = measured(single("a!", 1.0), single("b!", 0.0))
    lines = summary([both, flat]).splitlines()
    assert " ".join(lines[1].split()) == "prompts, mean AUROC (sets=2) 0.750 [0.353, 1.000]"
    assert lines[2].startswith("  all sets, mean AUROC (sets=2)")
    assert summary([both]) == ""


def test_groups_are_told_by_the_two_farthest_apart_or_all():
    rows = [single(f"{group}{'!' * n}", 1.0, g=group, t="1") for n, group in enumerate("abc")]
    data = data_set(*rows)
    data.__dict__["identity"] = Identity("g", template="t")
    measurement = Evaluation({"stub": Stub()}, bootstrap=Bootstrap(10)).measure(data)
    brief, whole = block(measurement), block(measurement, parts=True)
    (line,) = (line for line in brief.splitlines() if line.startswith("    cost above the mean"))
    assert line.split()[4:] == ["a", "-1.000", "c", "1.000"]
    assert "false positives  a" not in brief  # nobody is safe
    assert [f"\n    {group}  " in whole for group in "abc"] == [True] * 3
    assert "farthest apart" not in whole
