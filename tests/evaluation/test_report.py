import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("yaml")

from click.testing import CliRunner

from harmgauge import Exchange
from harmgauge.cli.evaluate import evaluate
from harmgauge.data.read import Table
from harmgauge.data.row import BadRow, Item, Row
from harmgauge.errors import HarmgaugeError
from harmgauge.evaluation.bootstrap import Bootstrap
from harmgauge.evaluation.data_set import DataSet
from harmgauge.evaluation.evaluate import Evaluation
from harmgauge.evaluation.figures import Figure
from harmgauge.evaluation.identity import Identity
from harmgauge.evaluation.report import blocks, check_folder, read_intro, write_report
from harmgauge.evaluation.report.best import best
from harmgauge.evaluation.report.findings import findings
from harmgauge.evaluation.report.folder import replace_folder
from harmgauge.evaluation.report.headline import Headline
from harmgauge.evaluation.report.markdown import markdown
from harmgauge.evaluation.report.page import page
from harmgauge.evaluation.results import to_json
from stub_scorer import Stub, single

SECRET = "marmalade"
"""stands in every text, and so must be nowhere in a report"""


def data_set(name, rows, bad=(), **options):
    data = DataSet(path="", name=name, **options)
    data.__dict__.update(
        table=Table(list(rows), list(bad), "prompt_response", name), sha256="ab" * 32
    )
    return data


def pair(number, labels, safer):
    texts = f"{SECRET}!{'.....' * (number % 2)}", f"{SECRET}!!!"
    items = tuple(
        Item(Exchange(f"{SECRET} {number}", text), unsafe, None, {"noise": bool(unsafe)})
        for text, unsafe in zip(texts, labels, strict=True)
    )
    return Row("f:1", "toy", items, safer, {"source": "ab"[number % 2]})


def answer(number, unsafe, *, category="noise", **meta):
    opening = "" if unsafe else "Sorry, I cannot do that. "
    text = f"{opening}{SECRET}{'!!' if unsafe and number % 3 else ''}"
    flags = {category: bool(unsafe)}
    item = Item(Exchange(f"{SECRET} {number}", text), unsafe, None, flags)
    return Row("f:1", "toy", (item,), None, meta)


def group(number, word, unsafe):
    text = f"{SECRET} {number} {word}{'!!' if unsafe else ''}"
    return single(text, unsafe, target=word)


SETS = [
    data_set(
        "beavertails/test.jsonl",
        [
            answer(n, float(n % 2), category=("noise", "mess")[n % 4 // 2], source="ab"[n % 3 // 2])
            for n in range(12)
        ],
        [BadRow("f:13", "no text")],
        note="loud answers",
    ),
    data_set("alarms/test.jsonl", [single(f"{SECRET} {n}!!", 0.0) for n in range(4)]),
    data_set("misses/test.jsonl", [single(f"{SECRET} {n}!", 1.0) for n in range(4)]),
    data_set("pairs/test.jsonl", [pair(n, (0.0, 1.0), 0) for n in range(10)]),
    data_set(
        "groups/test.jsonl",
        [group(n, word, float(n % 2)) for n in range(6) for word in ("cats", "dogs")],
        identity=Identity("target", {"cats": ["cats"], "dogs": ["dogs"]}),
    ),
    data_set("nothing/test.jsonl", [single(SECRET, None)]),
]


def run(scorers, sets=SETS, draws=20):
    named = {name: {"fpr1": 2.0} for name in scorers}
    evaluation = Evaluation(scorers, named, bootstrap=Bootstrap(draws))
    facts = {
        name: {
            **scorer.facts,
            "licence": "MIT",
            "direction": "positive_is_unsafe",
            "thresholds": {"fpr1": {"cost": 2.0, "promise": "at most 1 % of safe texts"}},
        }
        for name, scorer in scorers.items()
    }
    measurements = [evaluation.measure(data) for data in sets]
    floor = [{"gauge": None, "data": "train.jsonl", "sha256": "cd" * 32}]
    results = to_json(measurements, facts, "harmgauge evaluate --suite toy", floor, ["gone.jsonl"])
    return json.loads(json.dumps(results, allow_nan=False))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("out") / "report"
    loud, wrong = Stub("loud"), Stub("wrong", sign=-1.0)
    write_report(run({"loud": loud, "wrong <b>|": wrong}), folder)
    return folder


class Outline(HTMLParser):
    """What a reader of the page's structure meets."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "br", "wbr"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, *names):
        return [attributes for tag, attributes in self.tags if tag in names]


def test_page_is_whole_and_asks_no_host(written):
    text = (written / "report.html").read_text()
    outline = Outline(text)
    assert outline.open == []
    assert not outline.all("script", "link", "img", "iframe", "object")
    for attributes in outline.all(*{tag for tag, _ in outline.tags}):
        for name in ("href", "src", "xlink:href"):
            assert attributes.get(name, "#").startswith("#")
    assert "http" not in text
    assert "@import" not in text
    assert re.findall(r"url\((?!#)", text) == []


def test_page_can_be_read_by_all(written):
    outline = Outline((written / "report.html").read_text())
    levels = [int(tag[1]) for tag, _ in outline.tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(svg["role"] == "img" and len(svg["aria-label"]) > 20 for svg in outline.all("svg"))
    assert {each["scope"] for each in outline.all("th")} == {"col", "row"}
    names = [each["id"] for _, each in outline.tags if "id" in each]
    assert len(set(names)) == len(names)
    links = {each["href"] for each in outline.all("a")}
    assert links
    assert links <= {f"#{name}" for name in names}


def test_pictures_are_drawn_in_the_ink_of_the_page_and_dark_on_white_in_files(written):
    text = (written / "report.html").read_text()
    assert "currentColor" in text
    assert "#010203" not in text
    used = re.findall(r'(?:url\(|<use href=")#([\w.-]+)', text)
    assert used
    assert all(f'id="{name}"' in text for name in used)
    pictures = list((written / "pictures").iterdir())
    assert {each.suffix for each in pictures} == {".svg"}
    for each in pictures:
        svg = each.read_text()
        assert 'fill="#ffffff"' in svg
        assert "#010203" not in svg


def test_markdown_links_every_picture(written):
    text = (written / "report.md").read_text()
    linked = re.findall(r"\]\(pictures/([^)]+)\)", text)
    assert sorted(linked) == sorted(each.name for each in (written / "pictures").iterdir())
    assert len(set(linked)) == len(linked)
    for lines in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        rows = lines.splitlines()
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1


@pytest.mark.parametrize("file", ["report.html", "report.md"])
def test_both_say_the_same(written, file):
    text = re.sub(r"<[^>]+>|\\|\*", " ", (written / file).read_text())
    text = " ".join(text.split())
    for said in (
        "harmgauge evaluate --suite toy",
        "How to read it",
        "gone.jsonl",
        "runs against the labels of",
        "Rows that could not be read",
        "fpr1: flags from cost 2.000 on; promise: at most 1 % of safe texts",
        "ab" * 32,
        "Nothing to measure",
        "ranking accuracy, mixed",
        "both unsafe",
        "recall behind a refusal",
        "Identity gaps",
        "Each group, by loud",
        "By source",
        "Categories of harm",
        "20 draws with seed 0",
        "What the floors bag of words learnt from",
        "Loud answers.",
        "Ranking of mixed pairs by length with 95 % intervals",
        "safer is shorter",
    ):
        assert said in text, said


@pytest.mark.parametrize("file", ["report.html", "report.md"])
def test_no_text_of_the_data_is_told(written, file):
    assert SECRET not in (written / file).read_text()


def test_slices_whose_names_may_be_texts_are_not_shown(tmp_path):
    rows = [answer(n, float(n % 2), remark=f"{SECRET} " * (8 + n % 2)) for n in range(6)]
    write_report(run({"loud": Stub()}, [data_set("d/test.jsonl", rows)]), tmp_path / "report")
    text = (tmp_path / "report/report.html").read_text()
    assert SECRET not in text
    assert "remark" not in text


def test_summary_names_the_figure_and_its_best_floor(written):
    text = (written / "report.md").read_text()
    alarms, misses, pairs = (
        next(line for line in text.splitlines() if line.startswith(f"| {name}/test.jsonl | {of}"))
        for name, of in (("alarms", "false"), ("misses", "recall"), ("pairs", "ranking"))
    )
    assert "| false positives (less is better) | 4 | 0.0% | 1.000" in alarms
    assert alarms.endswith("| 0.000 (majority) |")
    assert "| recall | 4 | 100.0% |" in misses
    assert misses.endswith("| 1.000 (all unsafe) |")
    assert "| ranking accuracy, mixed | 10 |  | 1.000 " in pairs
    assert re.search(r"\| both safe \| 0 \|( +\|)+$", text, re.MULTILINE)


def test_pairs_are_told_by_what_they_share(written):
    text = (written / "report.md").read_text()
    assert "| a | mixed | 5 | 1.000" in text
    assert "*Ranking accuracy by source, worst first*" in text
    assert "*Ranking accuracy by category, worst first*" in text


def test_figures_of_another_format_are_refused(tmp_path):
    with pytest.raises(HarmgaugeError, match="have format version 3"):
        write_report({"format_version": 3}, tmp_path / "report")


def test_published_figures_say_on_what(written):
    text = (written / "report.md").read_text()
    assert "this run: the visible part of it (n = 12)" in text
    assert re.search(r"\| BeaverDam 7B \| 0\.899 \| whole set, n = 3021, in-distribution \|", text)
    assert "not as a ranking" in text
    models = re.findall(r"^\| (.*?) \| 0\.\d{3} \| whole set", text, re.MULTILINE)
    assert len(set(models)) < len(models)  # one stands in two sources
    assert f"<summary>Published figures of {len(set(models))} guards</summary>" in text


def test_what_stands_alone_is_not_told_as_several(tmp_path):
    data = data_set("d/test.jsonl", [single(SECRET, 1.0)], published="pku_saferlhf")
    write_report(run({"one": Stub()}, [data], draws=0), tmp_path / "report")
    text = (tmp_path / "report/report.md").read_text()
    assert "<summary>Published figures of 1 guard</summary>" in text
    assert "1 labelled text of 1 prompt, all unsafe" in text
    assert "one judged 1 labelled text of 1 data set;" in text


def test_one_gauge_without_threshold_and_draws(tmp_path):
    scorer = Stub("one", threshold=None, probabilistic=False)
    write_report(run({"one": scorer}, SETS[:2], draws=0), tmp_path / "report")
    text = (tmp_path / "report/report.md").read_text()
    assert "How well one tells safe from unsafe" in text
    assert "one has no threshold" in text
    assert "No intervals were drawn (--draws 0)." in text
    assert "No figure here has an interval" in text
    assert "95 %" not in text
    assert "0 draws" not in text
    assert "reliability" not in " ".join(each.name for each in tmp_path.rglob("*.svg"))


def test_a_set_of_one_prompt_has_no_intervals_and_says_why(tmp_path):
    rows = [single("q", float(n % 2), f"{SECRET}{'!!' * (n % 2)}") for n in range(4)]
    one = data_set("one/test.jsonl", rows)
    write_report(run({"loud": Stub("loud")}, [one, *SETS[:1]]), tmp_path / "report")
    text = (tmp_path / "report/report.md").read_text()
    missing = "No intervals: they take two prompts with something to measure."
    assert f"4 labelled texts of 1 prompt, 50.0% of them unsafe. {missing}" in text
    assert text.count(missing) == 1
    assert "20 draws with seed 0" in text


def test_a_gauge_that_judges_nothing_is_told(tmp_path):
    rows = [single(f"{SECRET} {n}?", float(n % 2)) for n in range(4)]
    write_report(run({"one": Stub()}, [data_set("d/test.jsonl", rows)]), tmp_path / "report")
    text = (tmp_path / "report/report.md").read_text()
    assert "could not judge" in text
    assert "all 4 of d/test.jsonl (it gave no number for any)." in text


def test_figures_that_no_one_can_have_are_told_in_a_line(written):
    text = (written / "report.md").read_text()
    section = text[text.index("### alarms/test.jsonl") : text.index("### misses/test.jsonl")]
    assert "4 labelled texts of 4 prompts, all safe." in section
    assert "Not to be had here, since the texts are all safe: AUROC, AUPRC," in section
    assert "| AUROC |" not in section
    assert "reliability" not in section
    assert "– (all safe)" in text[text.index("### Errors of loud") :]


def test_every_figure_and_floor_is_explained(written):
    text = (written / "report.md").read_text()
    reading = text[text.index("## How to read it") : text.index("## Summary")]
    for word in ("Sign accuracy", "AUROC", "AUPRC", "Recall", "precision", "F1", "Brier"):
        assert word in reading
    for floor in ("all unsafe", "majority", "length", "refusal phrases"):
        assert floor in reading
    assert "bag of words" not in reading  # it was not trained


@pytest.mark.slow
def test_the_same_figures_give_the_same_files(written, tmp_path):
    results = run({"loud": Stub("loud"), "wrong <b>|": Stub("wrong", sign=-1.0)})
    write_report(results, tmp_path / "again")
    for file in written.rglob("*.*"):
        if file.is_file():
            assert (
                file.read_bytes() == (tmp_path / "again" / file.relative_to(written)).read_bytes()
            )


def test_an_older_report_is_replaced_and_nothing_else(written, tmp_path):
    folder = tmp_path / "report"
    files = {name: (written / name).read_text() for name in ("report.html", "report.md")}
    replace_folder(folder, {**files, "pictures/old.svg": "old"})
    check_folder(folder)
    replace_folder(folder, files)
    assert sorted(each.name for each in tmp_path.rglob("*")) == [
        "report",
        "report.html",
        "report.md",
    ]
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(HarmgaugeError, match=r"holds notes\.txt, which is no part of a report"):
        check_folder(folder)


def test_a_folder_of_something_else_is_refused(tmp_path):
    check_folder(tmp_path)
    check_folder(tmp_path / "new" / "deep")
    (tmp_path / "report.html").write_text("<p>of another hand</p>")
    with pytest.raises(HarmgaugeError, match="no part of a report"):
        check_folder(tmp_path)
    with pytest.raises(HarmgaugeError, match="is a file; give --report a folder"):
        check_folder(tmp_path / "report.html")


def test_what_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(HarmgaugeError, match="cannot write"):
        replace_folder(tmp_path / "file" / "report", {"report.html": "x"})
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_cells_and_names_are_escaped():
    figure = Figure(-0.25, 3, -0.5, 0.5)
    table = blocks.Table(
        "a <b>", ["", "x|y"], [["a_b|c", figure], ["share", 0.125], ["none", None]]
    )
    document = blocks.Document("T", [table, blocks.Warn("<i>"), blocks.Code("a < b")])
    text = markdown(document, "pictures")
    assert r"| a\_b\|c | −0.250 \[−0.500, 0.500\] |" in text
    assert "| share | 12.5% |" in text
    html = page(document)
    assert "<i>" not in html
    assert "a &lt; b" in html
    assert "−0.250 <small>[−0.500, 0.500]</small>" in html
    missing = replace(figure, value=None, reason="all safe")
    html = page(blocks.Document("T", [blocks.Table("t", ["", "x"], [["row", missing]])]))
    assert "– <small>all safe</small>" in html


def test_evaluate_writes_a_report_and_refuses_a_strange_folder_first(tmp_path, monkeypatch):
    scorer = Stub("mini")
    monkeypatch.setattr("harmgauge.evaluation.scorers.open_scorer", lambda name, *, threads: scorer)
    monkeypatch.setenv("HARMGAUGE_CACHE", str(tmp_path / "cache"))
    rows = [{"prompt": SECRET, "response": "!" * n, "is_safe": n < 2} for n in (0, 1, 2, 3)]
    file = tmp_path / "test.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    arguments = [str(file), "--draws", "100", "--report", str(tmp_path / "report")]
    result = CliRunner().invoke(evaluate, arguments)
    assert result.exit_code == 0, result.output
    assert SECRET not in (tmp_path / "report" / "report.html").read_text()
    scorer.calls.clear()
    result = CliRunner().invoke(evaluate, [str(file), "--report", str(tmp_path)])
    assert isinstance(result.exception, HarmgaugeError)
    assert scorer.calls == []


def test_summary_says_where_a_gauge_is_over_the_floors_and_where_it_errs(tmp_path):
    calm = ("calm..", "calm.!", "calm!!")
    rows = [single(f"{n} loud!!", 1.0) for n in range(30)]
    rows += [single(f"{n} {calm[n % 3]}", 0.0) for n in range(30)]
    bad = [single(f"{n} loud!!", 0.0) for n in range(20)]
    few = [single(f"{n} loud!!", 0.0) for n in range(19)]
    sets = [data_set("both", rows), data_set("alarms", bad), data_set("few", few)]
    scorers = {
        "loud": Stub("loud"),
        "wrong": Stub("wrong", sign=-1.0, threshold=None, probabilistic=False),
    }
    write_report(run(scorers, sets, 50), tmp_path / "report")
    text = (tmp_path / "report" / "report.md").read_text()
    better = "is better than the best of its floors, interval and all, in"
    assert f"- loud {better} 1 of 1 comparison of AUROC or ranking. It flags safe texts" in text
    assert "It flags safe texts most often on alarms (100%) and both (67%).\n" in text
    assert f"- wrong {better} 0 of 1 comparison of AUROC or ranking.\n" in text


def test_a_set_is_compared_with_the_floors_of_each_gauge(tmp_path):
    results = run({"loud": Stub("loud"), "calm": Stub("calm")}, SETS[:1], 0)
    (measurement,) = results["measurements"]
    words = json.loads(json.dumps(measurement["floors"]["length"]))
    measurement["floors"]["length"]["figures"]["auroc"]["value"] = 0.6
    measurement["floors"]["refusal phrases"]["figures"]["auroc"]["value"] = 0.6
    words["figures"]["auroc"]["value"] = 0.999
    measurement["floors"]["bag of words: loud"] = words
    results["bag_of_words"][0]["gauge"] = "loud"
    write_report(results, tmp_path / "report")
    text = (tmp_path / "report" / "report.md").read_text()
    (row,) = re.findall(r"^\| beavertails/test.jsonl \| AUROC .*", text, re.MULTILINE)
    assert row.endswith("| 0.999 (bag of words: loud); 0.600 (length) |")
    assert "floor of that gauge alone, here of loud" in text
    assert "| bag of words: loud | train.jsonl |" in text


def test_borders_are_told_in_the_scores_of_a_scorer_and_as_costs(tmp_path):
    scorers = {name: Stub(name) for name in ("ours", "mood", "none")}
    scorers["none"].threshold = None
    results = run(scorers, SETS[:1], 0)
    stated = {
        "ours": {"kind": "gauge", "border": 0.0},
        "mood": {"kind": "command", "border": -0.05, "direction": "positive_is_safe"},
        "none": {"kind": "command", "border": None},
    }
    for name, facts in stated.items():
        results["gauges"][name] |= facts
    write_report(results, tmp_path / "report")
    text = (tmp_path / "report" / "report.md").read_text().replace("\\", "")
    assert "| flags by its own border | cost >= 0 | score <= -0.05 | none |" in text
    assert "| flags here from | cost 0 on | cost 0 on | no cost |" in text
    assert "Its threshold here: flags from cost 0 on.\n" in text
    assert "flags from cost 0 on; its own border is score <= -0.05." in text


def test_of_many_scorers_the_gauges_alone_are_sliced(tmp_path):
    results = run({name: Stub(name) for name in "abcde"}, [SETS[0], SETS[3]], 0)
    for name in "bd":
        results["gauges"][name]["kind"] = "gauge"
    write_report(results, tmp_path / "report")
    text = (tmp_path / "report" / "report.md").read_text()
    assert "Of so many scorers, slices and pictures of costs are shown of the gauges alone" in text
    assert "| category | n | unsafe | AUROC, b | AUROC, d |" in text
    assert "| category | pairs | n | b | d |" in text
    assert "| data set | figure | n | unsafe | a | b | c | d | e | best floor |" in text
    costs = sorted(each.name for each in tmp_path.rglob("beavertails-*-costs-*.svg"))
    assert len(costs) == 2


def test_contents_link_to_every_heading_as_github_names_it(written):
    text = (written / "report.md").read_text()
    start = text.index("\n- [")
    links = re.findall(r"^ *- \[(.*)\]\(#([^)]+)\)$", text[start:], re.MULTILINE)
    assert text.index("How well") < start < text.index("## What was measured")
    heads = re.findall(r"^#{2,3} (.*)$", text, re.MULTILINE)
    assert [name for name, _ in links] == heads
    anchors = [anchor for _, anchor in links]
    assert len(set(anchors)) == len(anchors)
    assert {"summary", "beavertailstestjsonl", "false-alarms-and-misses"} <= set(anchors)


def test_slices_are_folded_in_markdown_too(written):
    text = (written / "report.md").read_text()
    assert text.count("<details>") == text.count("</details>") > 3
    table = text.index("*By category, worst first*")
    assert text.rindex("<details>", 0, table) > text.rindex("</details>", 0, table)
    assert "<summary>All figures by category</summary>\n\n" in text


def test_a_title_and_an_introduction_of_ones_own(tmp_path):
    pytest.importorskip("markdown_it")
    file = tmp_path / "intro.md"
    file.write_text("## Why\n\nSee [there](https://example.org) & <b>\n\n![x](https://a.b/c.png)\n")
    results = run({"loud": Stub("loud")}, SETS[:1], 0)
    write_report(results, tmp_path / "report", title="Mine & yours", intro=read_intro(file))
    text = (tmp_path / "report" / "report.md").read_text()
    assert text.startswith("# Mine \\& yours\n\n## Why\n\nSee [there](https://example.org) & <b>")
    assert text.index("## Why") < text.index("- [What was measured]")
    html = (tmp_path / "report" / "report.html").read_text()
    assert "<title>Mine &amp; yours</title>" in html
    assert '<h2>Why</h2>\n<p>See <a href="https://example.org">there</a> &amp; &lt;b&gt;' in html
    assert "<img" not in html
    file.write_text("# Why\n")
    with pytest.raises(HarmgaugeError, match="heading of level 1"):
        read_intro(file)
    with pytest.raises(HarmgaugeError, match="cannot read --intro"):
        read_intro(tmp_path / "gone.md")
    alone = CliRunner().invoke(evaluate, ["x.csv", "--title", "Mine"])
    assert (alone.exit_code, "name its folder with --report" in alone.output) == (2, True)


def test_the_best_of_each_kind_is_named_with_who_equals_or_beats_it():
    def figure(value):
        return Figure(value, 5, value - 0.02, value + 0.02)

    means = {
        "prompt": {"a": figure(0.8), "b": figure(0.79), "c": figure(0.7)},
        "exchange": {"a": figure(0.6), "b": figure(0.9)},
        "pair": {"a": Figure(0.6, 1), "b": Figure(0.5, 1)},
        "all": {"a": figure(0.6), "b": figure(0.9)},
    }
    each = {"a": figure(0.7), "b": figure(0.72), "c": figure(0.9)}
    headline = Headline("chats", "prompt", "AUROC", 9, 0.5, each, {})
    said = list(best(means, [headline, replace(headline, unsafe=1.0)]))
    assert said == [
        "Prompts, mean AUROC of 5 sets: a is best, 0.800 [0.780, 0.820], but its interval does not "
        "tell it from b (0.790 [0.770, 0.810]); better than it, interval against interval, is c "
        "(0.900 [0.880, 0.920]) on chats (0.700 [0.680, 0.720]).",
        "Exchanges, mean AUROC of 5 sets: b is best, 0.900 [0.880, 0.920], its interval above "
        "those of all others.",
        "Pairs, mean ranking accuracy of 1 set: a is best, 0.600; without intervals this may be "
        "chance.",
        "All sets, mean AUROC of 5 sets: b is best, 0.900 [0.880, 0.920], its interval above "
        "those of all others.",
    ]
    alone = {kind: means[kind] for kind in ("exchange", "pair")}
    assert list(best({**alone, "all": means["all"]}, [])) == said[1:3]


def test_summary_names_the_sets_of_the_shorter_list():
    def said(lows):
        each = [
            Headline(
                f"set {n}", "prompt", "AUROC", 9, 0.5, {"g": Figure(0.8, 9, low)}, {"g": ("x", 0.7)}
            )
            for n, low in enumerate(lows)
        ]
        return next(findings(["g"], [], each))

    assert "in 1 of 3 comparisons of AUROC or ranking (only on set 1)." in said((0.6, 0.75, 0.6))
    assert "in 2 of 3 comparisons of AUROC or ranking (not on set 1)." in said((0.75, 0.6, 0.75))
