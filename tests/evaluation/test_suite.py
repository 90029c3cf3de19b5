import json
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("pydantic")

from harmgauge.data.templates.family import families
from harmgauge.errors import DataError, RecipeError
from harmgauge.evaluation.data_set import Contents, DataSet
from harmgauge.evaluation.identity import Identity, pair_by_template
from harmgauge.evaluation.published import published_sets
from harmgauge.evaluation.suite import BUILT_IN, SuiteFile, read_suite
from harmgauge.settings import read_mapping, validate
from harmgauge.training.recipe import read_recipe

RECIPES = (
    "mini-fourth",
    "mini-fifth",
    "mini-sixth",
    "mini",
    "midi-first",
    "midi-second",
    "midi-third",
    "midi",
    "mini-research-first",
    "mini-research-second",
    "mini-research-third",
    "mini-research",
)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_suite_says_how_its_files_are_read(tmp_path):
    write(tmp_path / "data" / "a" / "test.csv", "text,flag,who\none,yes,elf\ntwo,no,elf\n")
    suite = write(
        tmp_path / "mine.yaml",
        "{name: mine, sets: [{path: a/test.csv, name: first, kind: prompt, note: mind this,"
        'columns: {prompt: text, label: flag}, labels: {"yes": 1, "no": 0},'
        "identity: {column: who, terms: {elves: [elf], orcs: [orc]}}}, {path: b/test.csv}]}",
    )
    found = read_suite(str(suite), tmp_path / "data")
    (data,) = found.sets
    assert (found.name, found.missing) == ("mine", ["b/test.csv"])
    assert (data.shown, data.kind, data.note) == ("first", "prompt", "mind this")
    assert data.identity == Identity("who", {"elves": ["elf"], "orcs": ["orc"]})
    assert [row.items[0].unsafe for row in data.table.rows] == [1.0, 0.0]
    assert [meta["who"] for meta in data.sample.meta] == ["elf", "elf"]
    elsewhere = replace(data, identity=Identity("whom", {"elves": ["elf"]}))
    with pytest.raises(DataError, match="no row has the column 'whom'"):
        _ = elsewhere.sample


def test_entries_of_one_name_are_files_of_one_set(tmp_path):
    root = tmp_path / "data"
    write(root / "a" / "valid.csv", "text,flag\none,yes\ntwo,yes\nthree,no\n")
    write(root / "b" / "valid.jsonl", json.dumps({"prompt": "four"}) + "\n")
    suite = write(
        tmp_path / "mine.yaml",
        "{name: mine, sets: [{path: a/valid.csv, name: asked, kind: prompt, note: mind this,"
        'columns: {prompt: text, label: flag}, labels: {"yes": 1, "no": null}},'
        "{path: c/valid.jsonl}, {path: b/valid.jsonl, name: asked, label: 0}]}",
    )
    (data,) = read_suite(str(suite), root).sets
    contents = Contents.of(data)
    assert (contents.data, contents.kind, contents.note) == ("asked", "prompt", "mind this")
    assert (contents.rows, contents.left_out, contents.n, contents.unsafe) == (4, 1, 3, 2)
    assert contents.one_class is None
    assert contents.source == "asked"
    assert data.sample.ids == ["a/valid.csv:1", "a/valid.csv:2", "b/valid.jsonl:1"]
    assert [meta["file"] for meta in data.sample.meta] == ["a/valid.csv"] * 2 + ["b/valid.jsonl"]
    before = data.facts
    assert None not in before.values()
    write(root / "b" / "valid.jsonl", json.dumps({"prompt": "five"}) + "\n")
    (changed,) = read_suite(str(suite), root).sets
    assert changed.sha256 != data.sha256
    assert changed.facts["read as"] == before["read as"]
    (root / "b" / "valid.jsonl").unlink()
    with pytest.raises(DataError, match="none of the 2 sets"):
        read_suite(str(suite), root)


def test_rows_can_be_chosen_and_drawn(tmp_path):
    lines = [{"prompt": f"text {n}", "kind": "ab"[n % 2]} for n in range(40)]
    file = write(tmp_path / "rows.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    chosen = DataSet(str(file), label=1, where={"kind": "b"}, cap=7)
    assert {meta["kind"] for meta in chosen.sample.meta} == {"b"}
    assert len(chosen.sample.ids) == 7
    assert chosen.sample.ids == DataSet(str(file), label=1, where={"kind": "b"}, cap=7).sample.ids
    assert Contents.of(chosen).left_out == 33
    assert chosen.facts != replace(chosen, cap=8).facts
    with pytest.raises(DataError, match="no row has 'c' in the column 'kind'"):
        _ = replace(chosen, where={"kind": "c"}).table


def test_sets_that_cannot_be_joined_are_refused(tmp_path):
    row = json.dumps({"prompt": "hello"}) + "\n"
    write(tmp_path / "a" / "x.jsonl", row)

    def refused(*entries):
        suite = write(tmp_path / "s.yaml", f"{{name: s, sets: [{', '.join(entries)}]}}")
        with pytest.raises((DataError, RecipeError)) as caught:
            _ = read_suite(str(suite), tmp_path).sets[0].table
        return str(caught.value)

    one = "{path: a/x.jsonl, name: both, label: 0}"
    assert "note of both is stated twice" in refused(one, one.replace("label: 0", "note: n"))
    assert "two rows called a/x.jsonl:1" in refused(one, one)
    for identity in ("{column: c}", "{column: c, template: t, terms: {a: [b]}}"):
        assert "either by terms" in refused(f"{{path: a/x.jsonl, identity: {identity}}}")
    for terms in ("{}", "{a: [b]}", "{a: [b], c: []}"):
        identity = f"{{column: c, terms: {terms}}}"
        assert "two or more" in refused(f"{{path: a/x.jsonl, identity: {identity}}}")


def test_the_validation_suite_reads_the_validation_files_of_the_recipes():
    """The same files, and in each the same labels, part and share of rows."""
    path = Path("benchmarks/validation.yaml")
    suite = validate(SuiteFile, read_mapping(path, "suite", ""), path)
    stated = {(entry.path, entry.part, entry.label, entry.cap) for entry in suite.sets}
    recipes = [read_recipe(Path("recipes") / f"{name}.yaml") for name in RECIPES]
    # What a recipe takes from a file that it trains on as well, no suite can tell apart, and none
    # puts refusals in the stead of answers.
    sources = [s for recipe in recipes for s in recipe.data.valid]
    valid = [s for s in sources if not (s.apart_from or s.refused)]
    assert stated == {(s.path, s.part, s.label, s.cap) for s in valid}
    # Nothing trains on one family, so that all of it may measure.
    trained = {s.path for recipe in recipes for s in recipe.data.train}
    assert not any("held_out_tasks" in path for path in trained)
    made = {f"templates:{name}:valid" for name in families() if name != "held_out_tasks"}
    assert made | {"templates:held_out_tasks"} < {path for path, *_ in stated}
    kinds = {(s.path, s.kind) for s in valid if s.kind}
    assert kinds == {(entry.path, entry.where["kind"]) for entry in suite.sets if entry.where}
    assert not trained & {entry.path for entry in suite.sets}


@pytest.mark.parametrize("name", ["groups", "instructions"])
def test_a_suite_of_one_family_repeats_its_sets_of_the_validation_suite(name):
    sets = {}
    for suite in (name, "validation"):
        path = Path(f"benchmarks/{suite}.yaml")
        sets[suite] = validate(SuiteFile, read_mapping(path, "suite", ""), path).sets
    own = [each for each in sets[name] if each.path.startswith("templates:")]
    assert own == [each for each in sets["validation"] if each.name == name]
    if name == "groups":
        assert own == sets[name]


def test_groups_of_templates_are_compared_in_whole_templates(tmp_path):
    suite = write(
        tmp_path / "fair.yaml",
        "{name: fair, sets: ["
        '{path: "templates:identity_neutral:valid", name: groups, '
        "identity: {column: identity, template: template}},"
        '{path: "templates:hateful_mild:valid", name: groups}]}',
    )
    (data,) = read_suite(str(suite), tmp_path).sets
    contents = Contents.of(data)
    templates = {(meta["file"], meta["template"]) for meta in data.sample.meta}
    assert contents.prompts == len(templates) < contents.n
    paired = pair_by_template(data.sample, data.identity)
    assert len(paired.members) == contents.n  # every group is there in every template
    wrong = replace(data, identity=Identity("identity", template="pattern"))
    with pytest.raises(DataError, match="no row has the column 'pattern'"):
        _ = wrong.sample


def test_labels_may_be_numbers_and_booleans(tmp_path):
    write(tmp_path / "a.csv", "prompt,label\nhello,0\nrain,true\nsnow,2\n")
    labels = "labels: {0: 0, true: 1, 2.0: null}"
    suite = write(tmp_path / "s.yaml", f"{{name: s, sets: [{{path: a.csv, {labels}}}]}}")
    (data,) = read_suite(str(suite), tmp_path).sets
    assert [row.items[0].unsafe for row in data.table.rows] == [0, 1]
    assert data.table.left_out == 1


def test_mistakes_are_named(tmp_path):
    (tmp_path / "data").mkdir()
    with pytest.raises(DataError, match=r"no suite .hard.*standard"):
        read_suite("hard", tmp_path)
    with pytest.raises(RecipeError, match="cannot read suite"):
        read_suite(str(tmp_path / "none.yaml"), tmp_path)
    unknown = write(tmp_path / "u.yaml", "{name: u, sets: [{path: a.csv, kinds: prompt}]}")
    with pytest.raises(RecipeError, match="did you mean kind"):
        read_suite(str(unknown), tmp_path)
    column = write(tmp_path / "c.yaml", "{name: c, sets: [{path: a.csv, columns: {promt: q}}]}")
    with pytest.raises(RecipeError, match=r"sets\.0\.columns\.promt"):
        read_suite(str(column), tmp_path)
    label = write(tmp_path / "l.yaml", "{name: l, sets: [{path: a.csv, label: 3}]}")
    with pytest.raises(RecipeError, match=r"l\.yaml: sets\.0\.label"):
        read_suite(str(label), tmp_path)
    with pytest.raises(DataError, match=r"none of the 15 sets .* --data-root"):
        read_suite("standard", tmp_path / "data")


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        (
            "{name: f, sets: [{path: a.csv, columns: {prmpt: q}}]}",
            RecipeError,
            r"unknown key sets\.0\.columns\.prmpt; did you mean pro",
        ),
        ("{name: e, sets: []}", RecipeError, "sets is empty; give at least one"),
        (
            "name: b\nsets:\n  - path: a.csv\n   label: 0\n",
            RecipeError,
            r"s\.yaml is not valid YAML: line 4: [^\n]*$",
        ),
        (
            "name: 2026-13-01\nsets:\n  - path: a.csv\n",
            RecipeError,
            r"s\.yaml is not valid YAML: month must be in 1\.\.12",
        ),
        (
            "{name: n, sets: [{path: a.csv, identity: {column: a, terms: {1: [b]}}}]}",
            RecipeError,
            r"identity\.terms\.1: this key is no text; put it in quo",
        ),
        (
            "{name: p, sets: [{path: a.csv, published: toxichat}]}",
            RecipeError,
            "'toxichat'; did you mean toxicchat",
        ),
        (
            "{name: t, sets: [{path: a.csv}, {path: a.csv}]}",
            DataError,
            r"two sets are called a\.csv",
        ),
    ],
)
def test_mistakes_in_a_suite_are_named(tmp_path, text, error, words):
    with pytest.raises(error, match=words):
        read_suite(str(write(tmp_path / "s.yaml", text)), tmp_path)


def test_the_standard_suite_reads_every_set_its_own_way():
    path = BUILT_IN / "standard.yaml"
    suite = validate(SuiteFile, read_mapping(path, "suite", ""), path)
    assert {entry.published for entry in suite.sets} - {None} <= set(published_sets())
    assert {entry.kind for entry in suite.sets} == {"prompt", "response", "exchange", "pair"}
    by_path = {entry.path: entry for entry in suite.sets}
    assert by_path["cyber_frr/test.jsonl"].label == 0
    assert by_path["simple_safety_tests/test.jsonl"].label == 1
    assert by_path["hatecheck/test.jsonl"].identity.column == "target_ident"


def test_facts_tell_how_a_file_is_read_apart_but_not_where_it_lies(tmp_path):
    row = json.dumps({"prompt": "hello"}) + "\n"
    one, two = (write(tmp_path / where / "test.jsonl", row) for where in ("a", "b"))
    named = [DataSet(str(path), name="x", note=str(path)) for path in (one, two)]
    assert named[0].facts == named[1].facts
    assert DataSet(str(one), name="x", label=1.0).facts != named[0].facts
    write(two, row * 2)
    assert DataSet(str(two), name="x").facts != named[0].facts
