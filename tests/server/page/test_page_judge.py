"""Judging a text and comparing two, as a browser shows it."""

from __future__ import annotations

import json
import re

import pytest
from chromium import expect, module, scored, shown_cost, upload, wait_for
from serving import texts

import harmgauge

pytestmark = pytest.mark.slow


def test_typing_moves_the_needle_to_the_cost_of_the_library(visit, gauge):
    page = visit()
    expect(page.locator("#words")).to_have_text("Type a prompt or a response")
    page.fill("#prompt", "How do I bake bread?")
    of_prompt = gauge.verdict("How do I bake bread?")
    assert shown_cost(page) == pytest.approx(of_prompt.cost, abs=1e-6)
    expect(page.locator("#figures")).to_contain_text("probability of unsafe")
    needle = page.locator("#dial .dial-needle")
    turn = float(re.search(r"rotate\((.*)deg", needle.get_attribute("style"))[1])
    assert turn == pytest.approx(15 * of_prompt.cost, abs=1e-3)
    expect(page.locator("#categories .bar-value")).to_have_count(len(of_prompt.categories))
    expect(page.locator("#categories-unknown")).to_contain_text("Unknown to this gauge")

    page.fill("#response", "With flour & <b>patience</b> 🐷.")
    both = {"prompt": "How do I bake bread?", "response": "With flour & <b>patience</b> 🐷."}
    page.wait_for_selector("#on-trial >> text=in the light of the prompt")
    assert shown_cost(page) == pytest.approx(gauge.verdict(both).cost, abs=1e-6)

    page.fill("#prompt", "")
    page.wait_for_selector("#on-trial >> text=/the response.$/")
    alone = gauge.verdict({"response": both["response"]}).cost
    assert shown_cost(page) == pytest.approx(alone, abs=1e-6)

    page.fill("#response", "  \n ")
    page.wait_for_selector("text=Nothing to judge")
    page.click("#clear")
    expect(page.locator("#figures data[value]")).to_have_count(0)


def test_costs_one_by_one_are_those_of_the_library(visit, gauge):
    page = visit()
    costs = page.evaluate(
        """async (texts) => {
          const [{ exchangeOf }, { score }] = await Promise.all(
            ["exchange", "api"].map((name) => import(`/page/${name}.js`)),
          );
          const costs = [];
          for (const text of texts) costs.push((await score([exchangeOf(text, "")]))[0].cost);
          return costs;
        }""",
        texts(),
    )
    assert len(costs) == 200
    assert costs == pytest.approx([gauge.score([text])[0] for text in texts()], abs=1e-6)


def test_an_answer_to_what_was_typed_before_is_never_shown(visit, gauge):
    page = visit()
    held = []
    page.route("**/v1/score", lambda route: held.append(route))
    page.fill("#prompt", "first")
    wait_for(page, lambda: len(held) == 1)
    page.fill("#prompt", "How do I grow a tree?")
    expect(page.locator("#figures data[value]")).to_have_count(0)
    expect(page.locator("#words")).to_have_text("Reading…")
    wait_for(page, lambda: len(held) == 2)
    first, second = held
    wait_for(page, lambda: first.request.failure)  # it was cancelled
    second.continue_()
    assert shown_cost(page) == pytest.approx(gauge.verdict("How do I grow a tree?").cost, abs=1e-6)
    shown = module(  # nor an answer that comes all the same
        page,
        "latest.js",
        """new Promise((end) => {
          const shown = [];
          const answers = {};
          const ask = (value) => new Promise((resolve) => { answers[value] = resolve; });
          const latest = new m.Latest(ask, (value, answer) => shown.push([value, answer]), 0);
          latest.set("first");
          setTimeout(() => {
            latest.set("second");
            setTimeout(() => {
              answers.second(2);
              answers.first(1);
              setTimeout(() => end(shown), 10);
            }, 10);
          }, 10);
        })""",
    )
    assert shown == [["first", None], ["second", None], ["second", 2]]


def test_the_threshold_says_what_it_means(visit, gauge):
    page = visit()
    page.fill("#prompt", "How do I bake bread?")
    cost = shown_cost(page)
    words, promise = page.locator("#words"), page.locator("#promise")
    expect(words).to_have_attribute("data-side", "safe")
    for threshold, alarms, misses in (("1", "25.0", "50.0"), ("0.7", "40.0", "35.0")):
        page.fill("#threshold-cost", threshold)
        page.press("#threshold-cost", "Enter")
        expect(page.locator("#alarms")).to_have_text(re.compile(f"^{alarms}"))
        expect(page.locator("#misses")).to_have_text(re.compile(f"^{misses}"))
    expect(page.locator("#alarms-of")).to_contain_text("4 safe")
    expect(page.locator("#curve-data")).to_contain_text("made-up texts")
    page.fill("#threshold-cost", str(cost - 0.1))
    page.press("#threshold-cost", "Enter")
    expect(words).to_have_text("Unsafe, close to the border")

    stored = gauge.manifest.thresholds[0]
    tick = page.locator("#slider-stops option").nth(1)
    expect(tick).to_have_attribute("value", f"{stored.cost:.2f}")  # drawn on whole steps alone
    page.click(f"#stops >> text={stored.name}")
    expect(promise).to_contain_text(stored.name)
    expect(promise).to_contain_text(f"{stored.n:,}")
    slider = page.locator("#slider")
    assert float(slider.input_value()) == pytest.approx(stored.cost, abs=0.01)
    page.fill("#threshold-cost", "")
    page.press("#threshold-cost", "Enter")
    expect(promise).to_contain_text(stored.name)  # nothing typed is no other threshold
    slider.press("ArrowRight")
    expect(promise).to_contain_text("of your own")


def test_a_threshold_says_of_what_it_promises_nothing(visit):
    page = visit()
    promise = page.locator("#promise")
    page.click("#stops >> text=prompts_fpr1")
    page.fill("#prompt", "How do I bake bread?")
    expect(promise).to_contain_text("promises at most 1")
    page.fill("#response", "Use yeast.")
    expect(promise).to_contain_text("of responses to a prompt it promises nothing")
    shown_cost(page)
    page.click("nav >> text=File")
    held = []
    page.route("**/v1/score", lambda route: held.append(route))
    kinds = ({"prompt": "Hi"}, {"prompt": "Hi", "response": "Hello!"}, {"response": "Hello!"})
    upload(page, "all.jsonl", "\n".join(map(json.dumps, kinds)).encode())
    wait_for(page, lambda: held)
    page.click("nav >> text=Judge")
    page.fill("#response", "")
    page.unroute("**/v1/score")  # what was held goes on
    say = page.locator("#file-say")
    expect(say).to_contain_text("3 rows")
    expect(say).not_to_contain_text("to come")
    expect(promise).to_contain_text("promises at most 1")  # of what is typed, not of the file
    page.click("nav >> text=File")
    scored(page)
    words = "of responses to a prompt and responses without a prompt it promises nothing"
    expect(promise).to_contain_text(words)


def test_without_curves_the_page_says_that_nothing_is_known(visit, gauge):
    page = visit(ready=False)
    page.route("**/info", lambda route: route.fulfill(json=route.fetch().json() | {"curves": None}))
    page.reload()
    page.wait_for_selector("#categories li", state="attached")
    expect(page.locator("#curve-unknown")).to_contain_text("stores no validation curve")
    expect(page.locator("#curve-known")).to_be_hidden()


def test_two_responses_are_compared(visit, gauge):
    page = visit("#compare")
    page.fill("#compare-prompt", "What can I do?")
    page.fill("#response-a", "You stupid idiot.")
    page.fill("#response-b", "Ask a friend.")
    costs = [shown_cost(page, f"#figures-{letter}") for letter in "ab"]
    expected = gauge.score(
        [
            {"prompt": "What can I do?", "response": text}
            for text in ("You stupid idiot.", "Ask a friend.")
        ]
    )
    assert costs == pytest.approx(expected.tolist(), abs=1e-6)
    outcome = page.locator("#outcome")
    expect(outcome).to_have_text(re.compile(r"^Response B is the safer one\."))
    expect(outcome).to_contain_text(f"lower by {costs[0] - costs[1]:.2f}")
    page.click("#swap")
    expect(outcome).to_contain_text("Response A is the safer one.")
    page.fill("#response-b", page.input_value("#response-a"))
    expect(outcome).to_contain_text("sees no difference")


def test_the_code_to_copy_gives_the_same_cost(visit, gauge, capsys, monkeypatch):
    page = visit()
    text = 'It\'s "bread" \\ 🐷\nand more'
    page.fill("#prompt", text)
    cost = shown_cost(page)
    page.click("#snippets summary")
    expect(page.locator("#snippet")).to_contain_text("'\\''s")
    monkeypatch.setattr(harmgauge, "load", lambda: gauge, raising=False)
    printed = {}
    for language, start in (("python", "import harmgauge"), ("http", "import json")):
        page.select_option("#snippet-language", language)
        expect(page.locator("#snippet")).to_contain_text(start)
        exec(page.locator("#snippet").inner_text(), {})
        printed[language] = capsys.readouterr().out
    assert float(printed["python"].split()[0]) == pytest.approx(cost, abs=1e-6)
    verdict = eval(printed["http"])["verdicts"][0]
    assert verdict["cost"] == pytest.approx(cost, abs=1e-6)


def test_figures_do_not_round_to_what_they_are_not(visit):
    page = visit(ready=False)
    shares = module(page, "numbers.js", "[0, 0.0004, 0.5, 0.9999, 1].map(m.percent)")
    assert [each.replace("\u202f", " ") for each in shares] == [
        "0.0 %",
        "< 0.1 %",
        "50.0 %",
        "> 99.9 %",
        "100.0 %",
    ]
    assert module(page, "numbers.js", "[-0.004, 1.5, -2].map((c) => m.signed(c))") == [
        "0.00",
        "+1.50",
        "−2.00",
    ]
    assert module(page, "numbers.js", "m.judgement(0, 0).side") == "unsafe"
