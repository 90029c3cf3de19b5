import json
from dataclasses import replace

import pytest

pytest.importorskip("pydantic")

from harmgauge.errors import DataError, RecipeError
from harmgauge.evaluation.data_set import DataSet
from harmgauge.evaluation.identity import Identity
from harmgauge.evaluation.published import published_sets
from harmgauge.evaluation.suite import BUILT_IN, SuiteFile, read_suite
from harmgauge.settings import read_mapping, validate


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
        "identity: {column: who, terms: {elves: [elf]}}}, {path: b/test.csv}]}",
    )
    found = read_suite(str(suite), tmp_path / "data")
    (data,) = found.sets
    assert (found.name, found.missing) == ("mine", ["b/test.csv"])
    assert (data.shown, data.kind, data.note) == ("first", "prompt", "mind this")
    assert data.identity == Identity("who", {"elves": ["elf"]})
    assert [row.items[0].unsafe for row in data.table.rows] == [1.0, 0.0]
    assert [meta["who"] for meta in data.sample.meta] == ["elf", "elf"]
    elsewhere = replace(data, identity=Identity("whom", {"elves": ["elf"]}))
    with pytest.raises(DataError, match="no row has the column 'whom'"):
        _ = elsewhere.sample


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
    with pytest.raises(DataError, match=r"none of the 15 files .* --data-root"):
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
