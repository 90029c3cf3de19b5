"""Scores of functions, programs and files."""

import json
import sys
from itertools import count

import numpy as np
import pytest

from harmgauge.errors import DataError, HarmgaugeError, RecipeError
from harmgauge.evaluation.scorers import Batch
from harmgauge.evaluation.scorers.command import CommandSource
from harmgauge.evaluation.scorers.function import FunctionSource
from harmgauge.evaluation.scorers.stored import StoredSource
from harmgauge.exchange import Exchange


def batch(*texts, data="toy/t.jsonl"):
    ids = [f"t.jsonl:{n}" for n in range(1, len(texts) + 1)]
    return Batch(data, ids, [Exchange(text) for text in texts])


_MODULES = count()


@pytest.fixture
def function(tmp_path):
    """Makes a source of the function `score` with the body given."""

    def make(body):
        module = f"scorer_of_tests_{next(_MODULES)}"
        (tmp_path / f"{module}.py").write_text(f"def score(records):\n    {body}\n")
        return FunctionSource("mine", f"{module}:score", tmp_path)

    return make


def test_a_function_gets_records_and_gives_numbers(function):
    source = function("return [len(r['text']) if r['text'] else None for r in records]")
    texts = ["a" * (n % 7) for n in range(600)]  # more than one call
    scores = source.scores(batch(*texts), progress=False).values
    expected = [float(len(text)) if text else np.nan for text in texts]
    np.testing.assert_array_equal(scores, expected)
    assert source.scores(batch(), progress=False).values.shape == (0,)


def test_a_number_beyond_all_floats_counts_as_failed_as_infinity_does(function):
    scores = function("return [10**400, float('inf'), 1]").scores(
        batch("a", "b", "c"), progress=False
    )
    np.testing.assert_array_equal(scores.values, [np.nan, np.nan, 1.0])


def test_a_module_that_ends_the_program_when_imported_is_told(tmp_path):
    (tmp_path / "scorer_of_tests_that_exits.py").write_text("raise SystemExit(0)\n")
    with pytest.raises(RecipeError, match=r"_that_exits failed \(SystemExit\)"):
        FunctionSource("mine", "scorer_of_tests_that_exits:score", tmp_path)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return [1]", "gave 1 scores for 2 exchanges"),
        ("return 1", "must give a list of numbers, gave int"),
        ("return ['high', 'low']", "score 1 is str, not a number"),
        ("import numpy; return numpy.zeros((2, 1))", "score 1 is ndarray, not a number"),
        ("raise SystemExit(3)", "failed with SystemExit"),
        ("raise ValueError(records[0]['text'])", r"failed with ValueError .* from t.jsonl:1 on"),
    ],
)
def test_a_function_that_fails_is_told_without_a_text(function, body, said):
    with pytest.raises(HarmgaugeError, match=said) as caught:
        function(body).scores(batch("secret garden", "tree"), progress=False)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("no_such_module_of_mine:score", "there is no module no_such_module_of_mine"),
        ("json:score", "the module json has no score"),
        ("json:__name__", "json:__name__ is no function"),
    ],
)
def test_a_function_that_is_not_there_is_named(tmp_path, address, said):
    before = list(sys.path)
    with pytest.raises(RecipeError, match=said):
        FunctionSource("mine", address, tmp_path)
    assert sys.path == before


def test_two_modules_of_one_name_are_not_mixed_up(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "scorer_of_two.py").write_text("def score(records): return [1]\n")
    FunctionSource("mine", "scorer_of_two:score", tmp_path / "one")
    FunctionSource("mine", "scorer_of_two:score", tmp_path / "one")
    with pytest.raises(RecipeError, match="loaded already from another place; rename"):
        FunctionSource("mine", "scorer_of_two:score", tmp_path / "two")


def program(tmp_path, body):
    (tmp_path / "score.py").write_text(f"import json, sys\n{body}\n")
    return CommandSource("theirs", [sys.executable, "score.py"], tmp_path)


EACH_LINE = "for line in sys.stdin: print(len(json.loads(line)['text']))"


def test_a_program_answers_line_by_line(tmp_path):
    source = program(tmp_path, EACH_LINE)
    texts = ["rain", "line\nbreak\u2028", "", "grün 🌳"]
    assert source.scores(batch(*texts), progress=False).values.tolist() == [4, 11, 0, 6]
    assert source.scores(batch(), progress=False).values.shape == (0,)


@pytest.mark.parametrize(
    "body",
    [
        EACH_LINE,
        "for line in list(sys.stdin): print(len(json.loads(line)['text']))",
        "for line in sys.stdin: print(3000); sys.stderr.write('x' * 3000)",
    ],
    ids=["at once", "after all", "noisy"],
)
def test_much_text_does_not_block_a_program(tmp_path, body):
    texts = ["x" * 3000] * 400  # more than pipes hold, both ways
    scores = program(tmp_path, body).scores(batch(*texts), progress=False).values
    assert scores.tolist() == [3000] * 400


def test_a_program_may_fail_on_single_texts(tmp_path):
    source = program(tmp_path, "print('null'); print('nan'); print('inf'); print('0.5')")
    scores = source.scores(batch("a", "b", "c", "d"), progress=False).values
    np.testing.assert_array_equal(scores, [np.nan, np.nan, np.nan, 0.5])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("print(1)", "gave 1 scores for 2 exchanges"),
        ("print('ready'); print(1)", "line 1 of its program's output is no number"),
        ("import nothing_there", "status 1 after 0 of 2 scores; .*No module named"),
        ("sys.exit(3)", "status 3 after 0 of 2 scores; it said nothing on stderr"),
        ("float(sys.stdin.readline())", "quotes a text and is not shown"),
        ("sys.exit('bad: ' + sys.stdin.readline()[25:40])", "quotes a text and is not shown"),
    ],
)
def test_a_program_that_fails_is_told_without_a_text(tmp_path, body, said):
    with pytest.raises(HarmgaugeError, match=said) as caught:
        program(tmp_path, body).scores(batch("the secret garden of roses", "tree"), progress=False)
    assert "secret" not in str(caught.value)


def test_nor_is_a_text_told_in_the_escapes_in_which_it_was_handed_over(tmp_path):
    scorer = program(tmp_path, "sys.exit('bad line: ' + sys.stdin.readline())")
    with pytest.raises(HarmgaugeError, match="quotes a text and is not shown"):
        scorer.scores(batch("розы и тюльпаны в нашем саду"), progress=False)


def test_a_program_that_is_not_there_is_named(tmp_path):
    for first in ("./nothing", "no-such-program-of-mine"):
        with pytest.raises(RecipeError, match=r"cannot run .*No such file"):
            CommandSource("theirs", [first], tmp_path).scores(batch("a"), progress=False)


def stored(tmp_path, rows, name="s.jsonl"):
    path = tmp_path / name
    if name.endswith("csv"):
        path.write_text("\n".join(rows))
    else:
        path.write_text("\n".join(map(json.dumps, rows)))
    return StoredSource("stored", path)


def test_stored_scores_are_found_by_id_or_number(tmp_path):
    source = stored(tmp_path, ["id,score", "t.jsonl:2,0.5", "1,-3", "3,"], "s.csv")
    scored = source.scores(batch("a", "b", "c", "d"), progress=False)
    np.testing.assert_array_equal(scored.values, [-3, 0.5, np.nan, np.nan])
    assert scored.counts == {"missing": 2, "unused": 0}  # a blank one, and a row that is not there
    pair = Batch("toy/p.jsonl", ["p.jsonl:4/0", "p.jsonl:4/1"], [Exchange("a")] * 2)
    rows = [{"id": "4/1", "score": 1}, {"id": "p.jsonl:4/0", "score": 2}]
    assert stored(tmp_path, rows).scores(pair, progress=False).values.tolist() == [2, 1]


def test_stored_scores_without_data_are_of_one_data_file(tmp_path):
    source = stored(tmp_path, [{"id": 1, "score": 1}])
    for _ in range(2):
        assert source.scores(batch("a"), progress=False).values.tolist() == [1]
    with pytest.raises(DataError, match=r"no column data, so it covers one .* other/t\.jsonl"):
        source.scores(batch("a", data="other/t.jsonl"), progress=False)


def test_stored_scores_of_several_data_files(tmp_path):
    rows = [
        {"data": "toy/t.jsonl", "id": 1, "score": 1},
        {"data": "toy/t.jsonl", "id": 7, "score": 7},  # a row that is left out there
        {"data": "other/t.jsonl", "id": 1, "score": 2},
    ]
    source = stored(tmp_path, rows)
    known = source.scores(batch("a"), progress=False)
    assert (known.values.tolist(), known.counts) == ([1], {"missing": 0, "unused": 1})
    assert source.scores(batch("a", data="other/t.jsonl"), progress=False).values.tolist() == [2]
    unknown = source.scores(batch("a", data="third/t.jsonl"), progress=False)
    assert np.isnan(unknown.values).all()
    assert unknown.counts == {"missing": 1, "unused": 0}


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ([1, 1, "t.jsonl:1"], "0 have an id that is no row measured there and 2 one that stood"),
        ([1, 9], "1 have an id that is no row measured there and 0 one"),
        (["other.jsonl:1"], "1 have an id that is no row"),
    ],
)
def test_ids_that_do_not_fit_are_counted(tmp_path, ids, said):
    source = stored(tmp_path, [{"id": id, "score": 0} for id in ids])
    with pytest.raises(DataError, match=said):
        source.scores(batch("a", "b"), progress=False)


def test_scores_named_for_the_data_must_have_its_ids(tmp_path):
    source = stored(tmp_path, [{"data": "toy/t.jsonl", "id": "row one", "score": 0}])
    with pytest.raises(DataError, match=r"ids look like t\.jsonl:1"):
        source.scores(batch("a"), progress=False)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"id": 7}, "row 1, id 7, has no column score"),
        ({"id": "t.jsonl:7", "score": "high"}, r"id t\.jsonl:7, has a score that is no number"),
        ({"score": 1}, "row 1 has no column id"),
    ],
)
def test_a_file_without_scores_is_refused(tmp_path, row, said):
    with pytest.raises(DataError, match=said):
        stored(tmp_path, [row])
