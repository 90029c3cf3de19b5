"""Thresholds from training rest on safe texts that it has not seen."""

from __future__ import annotations

import numpy as np
import pytest

from harmgauge.bundle import sha256
from harmgauge.data.row import Item, Row
from harmgauge.exchange import Exchange
from harmgauge.training.examples import LoadedSource, SourceReport
from harmgauge.training.promises import safe_texts
from harmgauge.training.recipe import Source
from tiny import WORDS


def loaded(name, rows, file="hub:made/up", licence="CC0-1.0"):
    source = Source(path=str(file), licence=licence)
    return LoadedSource(source, rows, SourceReport(name, licence), str(file))


def row(name, prompt, response=None, unsafe=0.0):
    return Row(f"{name}:1", name, (Item(Exchange(prompt, response), unsafe),))


@pytest.fixture
def sources(tmp_path):
    file = tmp_path / "own.jsonl"
    file.write_text("{}\n")
    random = np.random.default_rng(0)
    made = [" ".join(random.choice(WORDS, 8)) for _ in range(320)]
    prompts = [row("asked", text) for text in made]
    seen = row("asked", "A cat, a dog!")
    answers = [row("said", text, "nice", label) for text in made[:50] for label in (0.0, 1.0)]
    answers += [row("said", text, "rain") for text in made[:60]]
    lone = Row("said:9", "said", (Item(Exchange(response="hello cat"), 0.0),))
    return [loaded("asked", [*prompts, seen], file, "MIT"), loaded("said", [*answers, lone])], file


def test_one_safe_text_a_prompt_that_was_not_seen(sources):
    found, file = sources
    seen = loaded("train", [row("train", "a cat a dog", "sits", 1.0)])
    prompts, responses = safe_texts(found, [seen])
    assert (found[0].report.leaked, found[0].report.used) == (1, 320)
    assert (found[1].report.leaked, found[1].report.unsafe) == (0, 50)
    assert len(prompts.texts.exchanges) == 320
    assert set(prompts.texts.kinds) == {"prompt"}
    assert len(responses.texts.exchanges) == 61
    assert set(responses.texts.kinds) == {"exchange", "response"}
    assert (prompts.data, responses.data) == ("asked", "said")
    assert (prompts.licences, responses.licences) == (("MIT",), ("CC0-1.0",))
    assert (prompts.sha256, responses.sha256) == ((sha256(file),), ())
    assert safe_texts([], [seen]) == []


def test_too_few_texts_are_told_before_the_run_and_leave_a_threshold_out(sources, tiny_gauge):
    prompts, responses = safe_texts(sources[0], [])
    assert str(prompts) == "prompts: 321 safe texts, one a prompt"
    assert str(responses) == (
        "responses: 61 safe texts, one a prompt; too few for responses_fpr1, which takes 299"
    )
    (five,), (entry,) = responses.find(tiny_gauge, tiny_gauge.manifest.scales)
    assert five.name == "responses_fpr5"
    assert five.kinds == ("response", "exchange")
    assert (entry["threshold"], entry["n"], entry["takes"]) == ("responses_fpr1", 61, 299)


def test_the_promise_holds_on_the_costs_of_the_texts(sources, tiny_gauge):
    prompts, _ = safe_texts(sources[0], [])
    (one, five), left_out = prompts.find(tiny_gauge, tiny_gauge.manifest.scales)
    assert left_out == []
    assert (one.name, one.false_positive_rate, one.confidence, one.n) == (
        *("prompts_fpr1", 0.01, 0.95),
        321,
    )
    costs = tiny_gauge.score(prompts.texts.exchanges)
    assert (costs >= one.cost).mean() < 0.01
    assert one.licences == five.licences == ("MIT",)
    assert 0 < (costs >= five.cost).mean() < 0.05
    assert one.promise.startswith("at most 1 % of safe texts like the 321 of asked")
