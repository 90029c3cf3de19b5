import json
import math
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from tokenizers import Tokenizer

from harmgauge import (
    BundleError,
    Exchange,
    ExchangeError,
    HarmgaugeWarning,
    RecipeError,
    load,
    scoring,
)
from harmgauge.calibration import Calibration, logit
from harmgauge.gauge import Gauge
from harmgauge.runtime import load_runtime
from harmgauge.runtime.batches import BATCH_TOKENS
from harmgauge.windows import Windower
from tiny import WORDS

LONG = " ".join(WORDS * 6)


@pytest.fixture(scope="module")
def texts():
    """Texts of many lengths, some of several windows."""
    random = np.random.default_rng(0)
    return [" ".join(random.choice(WORDS, n)) for n in random.integers(1, 60, 40)]


class Spy:
    """A runtime that notes the shape of every call."""

    mode = "spy"

    def __init__(self, runtime=None, outputs=1):
        self.runtime, self.outputs, self.shapes = runtime, outputs, []

    def raw_scores(self, ids, mask):
        self.shapes.append(ids.shape)
        if self.runtime is None:
            return np.full((len(ids), self.outputs), np.nan, np.float32)
        return self.runtime.raw_scores(ids, mask)


def spied(tiny_gauge, tiny_bundle, spy):
    tokenizer = Tokenizer.from_file(str(tiny_bundle / "tokenizer.json"))
    return Gauge(tiny_gauge.manifest, tokenizer, spy)


def test_costs_are_one_each_in_order_and_distinct(tiny_gauge):
    costs = tiny_gauge.score(["hello", "a cat", Exchange("hello", "a dog")])
    assert costs.shape == (3,)
    assert costs.dtype == np.float64
    assert len(set(costs)) == 3


def test_nothing_and_one(tiny_gauge):
    assert tiny_gauge.score([]).shape == (0,)
    assert tiny_gauge.verdicts([]) == []
    assert tiny_gauge.raw_scores([]).shape == (0, 1)
    assert tiny_gauge.score(["hello"]).shape == (1,)
    assert tiny_gauge.score(text for text in ["hello"]).shape == (1,)


@pytest.mark.parametrize("value", ["hello", b"hello", Exchange("hello"), {"prompt": "hello"}])
def test_a_single_exchange_is_not_taken_for_a_list(tiny_gauge, value):
    with pytest.raises(ExchangeError, match="must be a list"):
        tiny_gauge.score(value)


@pytest.mark.parametrize("bundle", ["tiny_bundle", "decoder_bundle"])
def test_a_cost_does_not_depend_on_company_or_order(request, texts, bundle):
    loaded = load(request.getfixturevalue(bundle))
    together = loaded.score(texts)
    np.testing.assert_allclose(together, [loaded.score([t])[0] for t in texts], atol=1e-4)
    order = np.random.default_rng(1).permutation(len(texts))
    np.testing.assert_allclose(loaded.score([texts[i] for i in order]), together[order], atol=1e-4)
    assert together.std() > 0.1


def test_chunks_do_not_change_costs(monkeypatch, tiny_gauge, texts):
    texts = [*texts, "", None]
    whole = tiny_gauge.score(texts)
    monkeypatch.setattr(scoring, "_CHUNK_TOKENS", 50)
    np.testing.assert_allclose(tiny_gauge.score(texts), whole, atol=1e-4)


def test_any_number_of_threads_may_share_a_gauge(tiny_gauge, texts):
    expected = tiny_gauge.score(texts)
    with ThreadPoolExecutor(16) as pool:
        for costs in pool.map(lambda _: tiny_gauge.score(texts), range(64)):
            np.testing.assert_allclose(costs, expected, atol=1e-6)


def test_identical_texts_are_scored_once(tiny_gauge, tiny_bundle):
    spy = Spy(load_runtime(tiny_bundle, tiny_gauge.manifest))
    loaded = spied(tiny_gauge, tiny_bundle, spy)
    costs = loaded.score(["hello", "cat", "hello", "hello"])
    assert sum(rows for rows, _ in spy.shapes) == 2
    assert costs[0] == costs[2] == costs[3] != costs[1]
    spy.shapes.clear()
    np.testing.assert_allclose(
        loaded.score(["hello", "cat", "hello", "hello"], deduplicate=False), costs, atol=1e-6
    )
    assert sum(rows for rows, _ in spy.shapes) == 4


def test_a_long_text_has_the_cost_of_its_worst_window(tiny_gauge, tiny_bundle):
    tokenizer = Tokenizer.from_file(str(tiny_bundle / "tokenizer.json"))
    windows = Windower(tokenizer, tiny_gauge.manifest.layout).windows(Exchange(LONG))
    raw = tiny_gauge.raw_scores_of_ids(windows)
    assert raw.shape == (len(windows), 1)
    assert len(windows) > 3
    assert raw.std() > 0
    np.testing.assert_allclose(tiny_gauge.raw_scores([LONG]), [raw.max(axis=0)], atol=1e-6)
    verdict = tiny_gauge.verdict(LONG)
    assert verdict.windows == len(windows)
    assert verdict.cost == pytest.approx(tiny_gauge.manifest.calibration.cost(raw).max(), abs=1e-4)


def test_harmless_filler_does_not_lower_a_cost_much(tiny_gauge):
    """Only the windows around the text differ, never how many there are."""
    costs = tiny_gauge.score([f"{'nice weather ' * n}please tell me" for n in (40, 400)])
    windows = [v.windows for v in tiny_gauge.verdicts(["nice weather " * n for n in (40, 400)])]
    assert windows[1] > 5 * windows[0]
    assert costs[1] >= costs[0] - 1.0


def test_a_megabyte_of_text_is_read_to_its_end(tiny_gauge, tiny_bundle):
    spy = Spy(load_runtime(tiny_bundle, tiny_gauge.manifest))
    text = "the cat sits on the mat " * 44_000 + "please tell me about rain"
    verdict = spied(tiny_gauge, tiny_bundle, spy).verdict(text)
    assert len(text) > 1_000_000
    assert math.isfinite(verdict.cost)
    assert verdict.windows > 6 * 44_000 / tiny_gauge.manifest.layout.max_tokens
    assert max(rows * length for rows, length in spy.shapes) <= BATCH_TOKENS
    worst = tiny_gauge.manifest.calibration.cost(
        tiny_gauge.raw_scores([f"{'the cat sits on the mat ' * 10}please tell me about rain"])
    )
    assert verdict.cost >= worst - 1  # the windows of the end differ a little


@pytest.mark.parametrize("text", ["", " \n", "\u200b", "\0"])
def test_blank_is_neither_safe_nor_unsafe(tiny_gauge, text):
    for value in (text, Exchange("hello", text)):
        verdict = tiny_gauge.verdict(value)
        assert (verdict.cost, verdict.unsafe, verdict.empty) == (0.0, None, True)
        assert verdict.error is None
        assert tiny_gauge.score([value])[0] == 0
        assert np.isnan(tiny_gauge.raw_scores([value])).all()


@pytest.mark.parametrize("value", [None, 3, b"x", "lone \ud800", {"prompt": 1}, [], {}])
def test_a_bad_row_is_kept_with_its_error(tiny_gauge, value):
    costs = tiny_gauge.score(["hello", value, "cat"])
    assert np.isnan(costs).tolist() == [False, True, False]
    np.testing.assert_allclose(costs[[0, 2]], tiny_gauge.score(["hello", "cat"]), atol=1e-6)
    verdict = tiny_gauge.verdict(value)
    assert verdict.error
    assert (verdict.cost, verdict.probability, verdict.unsafe, verdict.empty) == (None,) * 4
    json.dumps(verdict.to_dict())


def test_a_text_of_which_nothing_is_read_is_an_error_and_not_safe(tiny_gauge):
    ethiopic = "\u1230\u120b\u121d!"
    unread, read = tiny_gauge.verdicts([ethiopic, "hello"])
    assert (unread.cost, unread.unsafe, unread.empty) == (None, None, None)
    assert "reads nothing" in unread.error
    assert read.error is None
    assert np.isnan(tiny_gauge.score([ethiopic, "hello"])).tolist() == [True, False]
    assert np.isnan(tiny_gauge.raw_scores([ethiopic])).all()
    with pytest.raises(ExchangeError, match="response 2 cannot be ranked: the gauge reads nothing"):
        tiny_gauge.rank("hello", ["thank you", ethiopic])


def test_text_with_nul_is_judged(tiny_gauge):
    assert tiny_gauge.verdict("hello\0cat").error is None


def test_a_score_that_is_no_number_is_an_error_and_not_safe(tiny_gauge, tiny_bundle):
    loaded = spied(tiny_gauge, tiny_bundle, Spy())
    verdict = loaded.verdict("hello")
    assert verdict.cost is None
    assert verdict.unsafe is None
    assert "finite" in verdict.error
    with pytest.raises(ExchangeError, match="response 1"):
        loaded.rank("hello", ["cat"])


def test_a_verdict_says_what_the_cost_means(tiny_gauge):
    verdict = tiny_gauge.verdict("hello")
    assert verdict.cost == tiny_gauge.score(["hello"])[0]
    assert verdict.probability == pytest.approx(1 / (1 + math.exp(-verdict.cost)))
    assert verdict.unsafe == (verdict.cost >= 0)
    assert verdict.direction == "positive_is_unsafe"
    assert (verdict.empty, verdict.windows, verdict.categories) == (False, 1, None)
    assert verdict.gauge == tiny_gauge.id
    name, digest = tiny_gauge.id.split("@")
    assert name == tiny_gauge.name == "tiny"
    assert len(digest) == 8


def test_the_threshold_is_a_cost_or_a_stored_name(tiny_gauge):
    cost = tiny_gauge.verdict("hello").cost
    assert tiny_gauge.verdict("hello", cost).unsafe is True
    assert tiny_gauge.verdict("hello", float(np.nextafter(cost, np.inf))).unsafe is False
    assert tiny_gauge.verdict("hello", "fpr1").threshold == 0.75
    with pytest.raises(RecipeError, match=r"no threshold 'fpr2'.*\(fpr1\)"):
        tiny_gauge.verdict("hello", "fpr2")
    for value in (math.nan, math.inf, -math.inf):  # JSON has none of them
        with pytest.raises(RecipeError, match="finite"):
            tiny_gauge.verdict("hello", value)


def test_another_prior_shifts_costs_and_stored_thresholds_alike(tiny_bundle, tiny_gauge):
    rare = load(tiny_bundle, prior=0.01)
    shift = logit(0.01) - logit(0.25)
    usual = tiny_gauge.score(["hello", ""])
    np.testing.assert_allclose(rare.score(["hello", ""]), [usual[0] + shift, 0], atol=1e-6)
    assert rare.threshold("fpr1") == pytest.approx(0.75 + shift)
    assert rare.threshold(None) == 0
    with pytest.raises(RecipeError, match="prior"):
        load(tiny_bundle, prior=1.0)


INPUTS = ["hello", Exchange(response="a cat"), Exchange("hello", "a cat"), "", None]
KINDS = np.array(["prompt", "response", "exchange", "prompt", ""])


@pytest.fixture
def by_kind(tiny_gauge, tiny_bundle):
    """The tiny gauge with a scale for prompts and one for exchanges."""
    scales = {
        "prompt": Calibration(-1.0, 2.0, 0.4, "made", 9),
        "exchange": Calibration(0.5, 0.25, 0.1, "made", 9),
    }
    stored = tiny_gauge.manifest.thresholds[0]
    apart = replace(stored, name="apart", cost_by_kind={"prompt": -2.0})
    manifest = replace(tiny_gauge.manifest, calibration_by_kind=scales, thresholds=(stored, apart))
    tokenizer = Tokenizer.from_file(str(tiny_bundle / "tokenizer.json"))
    runtime = load_runtime(tiny_bundle, manifest)
    return lambda prior=None: Gauge(manifest, tokenizer, runtime, prior=prior)


def test_each_kind_of_input_has_its_own_scale(by_kind, tiny_gauge):
    gauge = by_kind()
    raw = tiny_gauge.raw_scores(INPUTS)[:, 0]
    expected = gauge.manifest.scales.cost(raw, KINDS)
    np.testing.assert_allclose(gauge.score(INPUTS)[:3], expected[:3], atol=1e-6)
    assert [v.cost for v in gauge.verdicts(INPUTS)[3:]] == [0.0, None]
    assert gauge.score(INPUTS)[1] == pytest.approx(tiny_gauge.score(INPUTS)[1], abs=1e-6)
    messages = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "a cat"}]
    assert gauge.score([messages])[0] == pytest.approx(expected[2], abs=1e-3)
    responses = ["a cat", "rain", "please tell me"]
    assert [place for place, _ in gauge.rank("hello", responses)] == [
        place for place, _ in tiny_gauge.rank("hello", responses)
    ]


def test_a_prior_and_a_stored_threshold_move_with_each_kind(by_kind):
    usual, rare = by_kind(), by_kind(0.01)
    shifts = [logit(0.01) - logit(prior) for prior in (0.4, 0.25, 0.1)]
    np.testing.assert_allclose(rare.score(INPUTS)[:3] - usual.score(INPUTS)[:3], shifts)
    for name, costs in (("fpr1", [0.75, 0.75, 0.75]), ("apart", [-2.0, 0.75, 0.75])):
        before, after = usual.verdicts(INPUTS, name), rare.verdicts(INPUTS, name)
        assert [v.threshold for v in before[:3]] == costs
        np.testing.assert_allclose([v.threshold for v in after[:3]], np.add(costs, shifts))
        assert [v.unsafe for v in after[:3]] == [v.unsafe for v in before[:3]]
    assert rare.threshold("apart", "prompt") == pytest.approx(-2.0 + shifts[0])
    assert rare.threshold("apart") == pytest.approx(0.75 + shifts[1])
    assert {v.threshold for v in rare.verdicts(INPUTS, 0.5)} == {0.5}


def test_a_threshold_that_promises_nothing_of_a_text_is_not_silent(tiny_gauge, tiny_bundle):
    stored = tiny_gauge.manifest.thresholds[0]
    names = ("fpr1", "prompts_fpr1", "responses_fpr1")
    thresholds = tuple(replace(stored, name=name) for name in names)
    manifest = replace(tiny_gauge.manifest, thresholds=thresholds)
    tokenizer = Tokenizer.from_file(str(tiny_bundle / "tokenizer.json"))
    gauge = Gauge(manifest, tokenizer, load_runtime(tiny_bundle, manifest))
    with pytest.warns(HarmgaugeWarning, match="kind") as found:
        verdicts = gauge.verdicts([*INPUTS, Exchange("hello", "rain")], "prompts_fpr1")
    assert all(verdict.threshold == 0.75 for verdict in verdicts)
    said = [str(each.message) for each in found]
    assert ["kind response" in said[1], "kind exchange" in said[0], len(said)] == [True, True, 2]
    assert all("use fpr1 or responses_fpr1, or store one" in each for each in said)
    assert found[0].filename == __file__
    with pytest.warns(HarmgaugeWarning, match="kind prompt"):
        gauge.verdicts(INPUTS, "responses_fpr1")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Blank texts and those that cannot be judged get no verdict that a promise could be about.
        gauge.verdicts(["hello", Exchange(response=" "), None], "prompts_fpr1")
        gauge.verdicts(INPUTS, "fpr1")
        gauge.verdicts(INPUTS, 0.75)


def test_rank_puts_the_safest_first(tiny_gauge):
    responses = ["cat", "dog", "rain", "cat", "please tell me"]
    ranking = tiny_gauge.rank("hello", responses)
    costs = tiny_gauge.score([Exchange("hello", response) for response in responses])
    assert sorted(index for index, _ in ranking) == list(range(5))
    assert [cost for _, cost in ranking] == sorted(costs)
    places = [index for index, _ in ranking]
    assert places.index(0) + 1 == places.index(3)  # a tie keeps its order
    assert tiny_gauge.rank("hello", []) == []
    assert len(tiny_gauge.rank(None, ["cat"])) == 1


def test_rank_refuses_what_has_no_place(tiny_gauge):
    with pytest.raises(ExchangeError, match="response 2 cannot be ranked"):
        tiny_gauge.rank("hello", ["cat", None])
    with pytest.raises(ExchangeError, match="list of strings"):
        tiny_gauge.rank("hello", "cat")


def test_further_outputs_are_categories(tiny_gauge, tiny_bundle):
    class Two:
        outputs = 2
        mode = "fake"

        def raw_scores(self, ids, mask):
            return np.tile(np.array([[1.0, -2.0]], np.float32), (len(ids), 1))

    scale = Calibration(bias=1.0, temperature=2.0, prior=0.5, data="made", n=9)
    manifest = replace(
        tiny_gauge.manifest,
        outputs=("cost", "violence"),
        categories={"violence": scale},
        calibration=replace(scale, bias=0.0),
    )
    tokenizer = Tokenizer.from_file(str(tiny_bundle / "tokenizer.json"))
    verdict = Gauge(manifest, tokenizer, Two()).verdict("hello")
    assert verdict.categories == {"violence": pytest.approx(0.5)}  # -2 / 2 + 1
    rarer = Gauge(manifest, tokenizer, Two(), prior=0.1).verdict("hello")
    share = verdict.categories["violence"] / verdict.probability
    assert rarer.categories["violence"] / rarer.probability == pytest.approx(share)
    sure = replace(manifest, categories={"violence": replace(scale, bias=9.0)})
    verdict = Gauge(sure, tokenizer, Two()).verdict("hello")
    assert verdict.categories["violence"] == verdict.probability
    far = replace(manifest, calibration=replace(scale, bias=-5000.0))
    assert Gauge(far, tokenizer, Two()).verdict("hello").categories == {"violence": 0.0}
    kind = replace(manifest, calibration_by_kind={"prompt": replace(scale, bias=-1.0, prior=0.2)})
    prompt, rare = (Gauge(kind, tokenizer, Two(), prior=p).verdict("hello") for p in (None, 0.01))
    # The cost of prompts is 1 / 2 - 1, of which a category is never more probable.
    assert prompt.categories["violence"] == pytest.approx(1 / (1 + math.exp(0.5)))
    assert rare.categories["violence"] / rare.probability == pytest.approx(1)
    with pytest.raises(BundleError, match="1 outputs"):
        Gauge(manifest, tokenizer, Spy())


def test_progress_is_shown_where_asked_for(tiny_gauge, capsys):
    tiny_gauge.score(["hello", LONG, "", None], progress=True)
    assert "4/4" in capsys.readouterr().err
    tiny_gauge.score(["hello"])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "bundle", ["tiny_bundle", pytest.param("decoder_bundle", marks=pytest.mark.slow)]
)
def test_a_new_process_gives_the_same_costs(request, bundle, texts):
    folder = request.getfixturevalue(bundle)
    code = (
        "import json, sys, harmgauge\n"
        "texts = json.load(sys.stdin)\n"
        "print(json.dumps(harmgauge.load(sys.argv[1]).score(texts).tolist()))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        input=json.dumps(texts[:5]),
        capture_output=True,
        text=True,
        check=True,
    )
    np.testing.assert_allclose(json.loads(result.stdout), load(folder).score(texts[:5]), atol=1e-5)


def test_scoring_loads_nothing_of_training(tiny_bundle):
    code = (
        "import sys, harmgauge\n"
        "harmgauge.load(sys.argv[1]).score(['hello'])\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(tiny_bundle)], capture_output=True, text=True, check=True
    )
    heavy = {"torch", "transformers", "onnx", "sklearn", "scipy", "pyarrow", "tqdm", "yaml"}
    assert heavy.isdisjoint(result.stdout.split())
