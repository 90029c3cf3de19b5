"""The page as a browser shows it, driven in headless Chromium against the real server."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
from dataclasses import make_dataclass

import pytest
from serving import live, texts

import harmgauge
from harmgauge.verdict import sigmoid

pytestmark = pytest.mark.slow

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
CHROMIUM = os.environ.get("HARMGAUGE_CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
if CHROMIUM is None:
    pytest.skip(
        "no Chromium: install it, or name one in HARMGAUGE_CHROMIUM", allow_module_level=True
    )

PATIENCE = 60_000
"""milliseconds that the browser gets, since CI may be busy"""

expect = sync_api.expect  # waits: what follows an action may come a moment after it
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")
def gauge():
    return harmgauge.load(threads=1)


CURVE = {
    "data": "made-up texts",
    "safe": 4,
    "unsafe": 4,
    "cost": (-2.0, -1.0, 0.5, 1.0, 3.0),
    "false_alarms": (1.0, 0.75, 0.5, 0.25, 0.0),
    "misses": (0.0, 0.0, 0.25, 0.5, 0.75),
}


@pytest.fixture(scope="module")
def address(gauge):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            gauge,
            "curves",
            lambda: {"prompt": make_dataclass("Curve", CURVE)(**CURVE)},
            raising=False,
        )
        with live(gauge, max_exchanges=40) as server:
            yield f"{server.url}/"


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, address):
    """Opens a page; in the end none has complained on the console or called another host."""
    contexts, complaints, hosts = [], [], set()

    def visit(view="", *, address=address, ready=True, **options):
        context = browser.new_context(reduced_motion="reduce", **options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text))
        page.on(
            "request", lambda request: hosts.add(re.sub(r"^(\w+://[^/]+/).*", r"\1", request.url))
        )
        page.allowed = address
        page.goto(address + view)
        if ready:
            page.wait_for_selector("#categories li", state="attached")
        return page

    visit.complaints = complaints
    yield visit
    for context in contexts:
        context.close()
    assert not complaints
    assert all(host.startswith(("http://127.0.0.1:", "blob:")) for host in hosts), hosts


def shown_cost(page, root="#figures"):
    return float(page.locator(f"{root} data[value]").get_attribute("value"))


def wait_for(page, condition):
    """Let the page run until something holds on this side."""
    for _ in range(PATIENCE // 50):
        if condition():
            return
        page.wait_for_timeout(50)
    pytest.fail("the page did not do it in time")


def module(page, name, expression):
    """Evaluate an expression on one of the page's modules, `m`."""
    return page.evaluate(f"import('/page/{name}').then((m) => {expression})")


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


ROWS = 1000


def chats(count=ROWS):
    rows = [[f"How do I bake bread number {i}?", "With flour."] for i in range(count)]
    rows[0] = ['=HYPERLINK("x")', 'a "quoted", comma']
    rows[1] = ["two\nlines 🐷", "+1 for this"]
    rows[2] = [" @cmd", "-5"]
    rows[3] = ["only a prompt"]
    buffer = io.StringIO()
    csv.writer(buffer).writerows([["prompt", "response"], *rows])
    return rows, ("\ufeff" + buffer.getvalue()).encode()


def upload(page, name, content):
    page.set_input_files(
        "#file-input", files=[{"name": name, "mimeType": "text/plain", "buffer": content}]
    )


def scored(page):
    page.wait_for_selector("#download-csv:enabled", timeout=4 * PATIENCE)
    page.wait_for_selector("#cancel", state="hidden")


def download(page, kind):
    with page.expect_download() as started:
        page.click(f"#download-{kind}")
    return started.value.path().read_text("utf-8")


def test_a_file_is_scored_sorted_filtered_and_downloaded(visit, gauge):
    page = visit("#file", viewport={"width": 1280, "height": 800})
    rows, content = chats()
    upload(page, "chats.csv", content)
    scored(page)
    expect(page.locator("#file-say")).to_contain_text("1,000 rows")
    expect(page.locator("#file-say")).to_contain_text("1 not judged")

    blurred = page.locator("#table-body .blurred[aria-hidden=true]")
    expect(page.locator("#table-body .texts")).to_have_count(50)
    expect(blurred).to_have_count(50)
    page.locator("#table-body button").first.click()
    expect(blurred).to_have_count(49)
    page.check("#show-texts")
    expect(blurred).to_have_count(0)

    by_cost, place = page.locator("th:has(#sort-cost)"), page.locator("#page-place")
    expect(by_cost).to_have_attribute("aria-sort", "descending")
    costs = shown_costs(page)
    assert costs == sorted(costs, reverse=True)
    page.click("#sort-cost")
    expect(by_cost).to_have_attribute("aria-sort", "ascending")
    costs = shown_costs(page)
    assert costs == sorted(costs)
    page.click("#page-after")
    expect(place).to_have_text("51–100 of 1,000 rows")
    page.fill("#search", "NUMBER 77")
    expect(place).to_have_text("1–11 of 11 rows")
    page.fill("#search", "")
    page.select_option("#only", "unjudged")
    expect(page.locator("#table-body")).to_contain_text("The row has 1 cell, the header has 2.")

    table = list(
        csv.DictReader(io.StringIO(download(page, "csv").removeprefix("\ufeff"), newline=""))
    )
    assert len(table) == ROWS
    assert [table[0]["prompt"], table[0]["response"]] == ["'" + rows[0][0], rows[0][1]]
    assert [table[1]["prompt"], table[1]["response"]] == [rows[1][0], "'+1 for this"]
    assert [table[2]["prompt"], table[2]["response"]] == ["' @cmd", "-5"]
    assert table[3]["cost"] == ""
    assert "header has 2" in table[3]["error"]
    assert {row["direction"] for row in table} == {"positive_is_unsafe"}
    some = [0, 1, 2, 4, 500, 999]
    expected = gauge.score([dict(zip(("prompt", "response"), rows[i], strict=True)) for i in some])
    assert [float(table[i]["cost"]) for i in some] == pytest.approx(expected.tolist(), abs=1e-6)

    lines = [json.loads(line) for line in download(page, "jsonl").splitlines()]
    assert lines[0]["prompt"] == rows[0][0]
    assert lines[0]["probability"] == pytest.approx(sigmoid(lines[0]["cost"]))
    assert lines[0]["unsafe"] is (lines[0]["cost"] >= 0)
    page.check("#only-shown")
    assert len(download(page, "jsonl").splitlines()) == 1


def shown_costs(page):
    cells = page.locator("#table-body td:nth-child(2)").all_inner_texts()
    return [float(each.replace("−", "-")) for each in cells]


def test_json_lines_with_bad_rows_and_columns_to_choose(visit, gauge):
    page = visit("#file")
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}]
    lines = [
        json.dumps({"said": "How do I bake bread?", "cost": 7}),
        "{broken",
        json.dumps({"said": 3}),
        json.dumps({"talk": messages}),
    ]
    upload(page, "chats.jsonl", "\n".join(lines).encode())
    page.wait_for_selector("text=Which columns hold the texts?")
    expect(page.locator("#start")).to_be_disabled()
    page.select_option("#column-prompt", label="said")
    page.select_option("#column-messages", label="talk")
    page.click("#start")
    scored(page)
    rows = [json.loads(line) for line in download(page, "jsonl").splitlines()]
    assert rows[0]["input_cost"] == 7
    assert rows[0]["cost"] == pytest.approx(gauge.verdict("How do I bake bread?").cost, abs=1e-6)
    assert rows[1]["error"] == "Line 2 is not valid JSON."
    assert rows[2]["error"] == "The prompt is no text but a number."
    assert rows[3]["cost"] == pytest.approx(gauge.verdict(messages).cost, abs=1e-6)

    page.select_option("#column-messages", label="none")  # what was scored no longer holds
    page.click("#start")
    scored(page)
    again = [json.loads(line) for line in download(page, "jsonl").splitlines()]
    assert again[0]["cost"] == pytest.approx(rows[0]["cost"], abs=1e-4)  # in another batch
    assert again[3]["error"] == "There is nothing in the columns to judge."


def test_a_csv_keeps_its_separator(visit):
    page = visit("#file")
    upload(page, "said.csv", b"prompt;note\r\nHi;x,y\r\n")
    scored(page)
    text = download(page, "csv")
    assert text.startswith("\ufeffprompt;note;cost;")
    assert '\nHi;"x,y";' in text


def test_a_row_that_the_server_refuses_fails_alone(visit, gauge):
    page = visit("#file")
    rows = [{"prompt": f"Hello {i}"} for i in range(9)]
    rows[4] = {"messages": ["no object"]}
    upload(page, "chats.jsonl", "\n".join(map(json.dumps, rows)).encode())
    scored(page)
    rows = [json.loads(line) for line in download(page, "jsonl").splitlines()]
    assert [row["error"] is None for row in rows] == [i != 4 for i in range(9)]
    visit.complaints[:] = [text for text in visit.complaints if "status of 4" not in text]


def test_a_file_can_be_cancelled_and_gone_on_with(visit):
    page = visit("#file")
    held = []
    page.route("**/v1/score", lambda route: held.append(route))
    upload(page, "chats.csv", chats(200)[1])
    page.wait_for_selector("#cancel")
    leave = "dispatchEvent(new Event('beforeunload', { cancelable: true }))"
    assert not page.evaluate(leave)  # the browser asks whether to
    page.click("#cancel")
    page.wait_for_selector("text=Cancelled.")
    page.unroute("**/v1/score")
    page.click("#start")
    scored(page)
    expect(page.locator("#file-say")).not_to_contain_text("to come")
    assert page.evaluate(leave)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "no rows"), (b"prompt\n\xff\xfe", "not UTF-8"), (b'prompt\n"open', "never closed")],
)
def test_a_file_that_cannot_be_read_says_why(visit, content, message):
    page = visit("#file")
    upload(page, "chats.csv", content)
    page.wait_for_selector(f"#file-say[data-problem=true] >> text=/^chats.csv: .*{message}/")


def test_the_network_may_go_and_come_back(visit, gauge):
    page = visit()
    page.context.set_offline(True)
    page.fill("#prompt", "How do I bake bread?")
    page.wait_for_selector("#banner >> text=cannot be reached")
    page.context.set_offline(False)
    assert shown_cost(page) == pytest.approx(gauge.verdict("How do I bake bread?").cost, abs=1e-6)
    expect(page.locator("#banner")).to_be_hidden()
    visit.complaints[:] = [text for text in visit.complaints if "INTERNET_DISCONNECTED" not in text]


@pytest.mark.parametrize(
    ("status", "code", "why"),
    [(429, "overloaded", "much to do"), (503, "not_ready", "loading its gauge")],
)
def test_a_busy_server_is_asked_again(visit, gauge, status, code, why):
    page = visit()
    error = json.dumps({"error": {"message": "later", "code": code}})
    answers = iter([{"status": status, "headers": {"Retry-After": "1"}, "body": error}])

    def answer(route):
        busy = next(answers, None)
        route.fulfill(**busy) if busy else route.continue_()

    page.route("**/v1/score", answer)
    page.fill("#prompt", "How do I bake bread?")
    page.wait_for_selector(f"#banner >> text={why}")
    assert shown_cost(page) == pytest.approx(gauge.verdict("How do I bake bread?").cost, abs=1e-6)
    visit.complaints[:] = [text for text in visit.complaints if f"status of {status}" not in text]


def test_answers_that_are_none_are_told(visit):
    page = visit()
    said = "m.score([{ prompt }]).catch(({ message }) => message)"
    long = f"((prompt) => {said})('a'.repeat(2e6))"  # which the server would hang up on
    assert "at most 1,048,576 bytes" in module(page, "api.js", long)
    page.route("**/v1/score", lambda route: route.fulfill(body="<p>Welcome to this hotel"))
    page.fill("#prompt", "Hello")
    expect(page.locator("#notes")).to_contain_text("answered with status 200, in a form")


HOSTILE = """"'><img src=x onerror="alert(1)"><script>alert(1)</script>"""


def test_nothing_that_is_shown_is_read_as_html(visit):
    page = visit(ready=False)

    def info(route):
        told = route.fetch().json()
        told |= {"gauge": HOSTILE, "description": HOSTILE}
        told["categories"] += [HOSTILE, "constructor"]
        told["thresholds"][0] |= {"name": HOSTILE, "data": HOSTILE, "kinds": []}
        route.fulfill(json=told)

    page.route("**/info", info)
    page.reload()
    expect(page.locator(".bar-name").last).to_have_text("constructor")
    page.click("#stops >> text=onerror")
    expect(page.locator("#promise")).to_contain_text(HOSTILE)
    page.click("#snippets summary")
    page.fill("#prompt", HOSTILE)
    shown_cost(page)
    table = io.StringIO()
    csv.writer(table).writerows([["prompt", HOSTILE], [HOSTILE, "x"], [HOSTILE]])
    page.click("nav >> text=File")
    upload(page, HOSTILE.replace("/", "") + ".csv", table.getvalue().encode())
    scored(page)
    page.check("#show-texts")
    expect(page.locator("#table-body bdi").first).to_have_text(HOSTILE)
    expect(page.locator("img[src=x], script:not([src])")).to_have_count(0)


def test_a_key_is_asked_for_and_kept_and_the_threshold_is_the_servers(visit, gauge):
    with live(gauge, api_keys=("right",), threshold="prompts_fpr1") as server:
        page = visit(address=f"{server.url}/", ready=False)
        page.click("#key >> text=Cancel")
        page.fill("#prompt", "Hello")  # it needs one, too
        page.fill("#key-value", "wrong")
        page.press("#key-value", "Enter")
        page.wait_for_selector("#key-refused:visible")
        page.fill("#key-value", "schlüssel…")  # which no header can carry
        page.press("#key-value", "Enter")
        page.wait_for_selector("#key-refused:visible")
        page.fill("#key-value", "right")
        page.press("#key-value", "Enter")
        page.wait_for_selector("#categories li", state="attached")
        page.reload()
        page.fill("#prompt", "How do I bake bread?")
        shown_cost(page)
        expect(page.locator("#key")).to_be_hidden()
        expect(page.locator("#stops [aria-pressed=true]")).to_contain_text("prompts_fpr1")
    visit.complaints[:] = [text for text in visit.complaints if "status of 401" not in text]


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


def test_axe_finds_nothing_in_either_scheme(visit):
    from axe_playwright_python.sync_playwright import Axe

    for scheme in ("light", "dark"):
        page = visit(color_scheme=scheme)
        page.click("#examples button")
        shown_cost(page)
        page.evaluate(
            "document.querySelectorAll('details').forEach((each) => { each.open = true; })"
        )
        assert_clean(Axe().run(page))
        page.goto(page.allowed + "#compare")
        page.click("#compare-example")
        shown_cost(page, "#figures-b")
        assert_clean(Axe().run(page))
        page.goto(page.allowed + "#file")
        upload(page, "chats.csv", chats(60)[1])
        scored(page)
        page.locator("#table-body button").first.click()
        assert_clean(Axe().run(page))


def assert_clean(results):
    found = [
        (each["id"], [node["html"][:120] for node in each["nodes"][:3]])
        for each in results.response["violations"]
    ]
    assert found == []


def test_the_switch_changes_the_colours_and_remembers(visit):
    page = visit(color_scheme="light")
    body, background = page.locator("body"), "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.click("#theme")
    expect(page.locator("#theme")).to_have_attribute("aria-pressed", "true")
    expect(body).not_to_have_css("background-color", light)
    dark = page.evaluate(background)
    page.reload()
    expect(body).to_have_css("background-color", dark)


def test_forced_colours_paper_and_scripts_from_right_to_left(visit):
    page = visit(forced_colors="active")
    behind = "(each) => getComputedStyle(each).backgroundColor"
    for root in ("nav a", "#stops button"):
        chosen = page.locator(f"{root}:is([aria-current], [aria-pressed=true])")
        other = page.locator(f"{root}:not([aria-current], [aria-pressed=true])").first
        assert chosen.evaluate(behind) != other.evaluate(behind)
    expect(page.locator(".bar").first).to_have_css("border-top-width", "1px")
    page.fill("#prompt", "שלום")
    expect(page.locator("#prompt")).to_have_css("direction", "rtl")
    page.emulate_media(media="print")
    expect(page.locator("nav")).to_be_hidden()
    expect(page.locator("#clear")).to_be_hidden()


def test_everything_is_reached_by_keyboard(visit):
    page = visit()
    focused = "document.activeElement.id || document.activeElement.textContent"
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.keyboard.press("Tab")  # Clear
    page.keyboard.press("Tab")
    expect(page.locator("#prompt")).to_be_focused()
    page.keyboard.type("Hello there")
    shown_cost(page)
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.append(page.evaluate(focused))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none" or seen[-1] in ("", "BODY")
        if seen[-1] == "The same in code":
            break
    assert {"response", "threshold-cost", "slider", "curve-kind"} <= set(seen)
    page.keyboard.press("Enter")
    expect(page.locator("#snippet")).to_be_visible()
    page.locator("nav a[href='#file']").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_title("Judge a file · harmgauge")
    page.locator("#file-input").focus()
    expect(page.locator("#file-input")).to_be_focused()


def test_a_phone_scrolls_down_only(visit):
    # A small phone; at four times the size, a desktop is as narrow.
    page = visit(viewport={"width": 320, "height": 640}, is_mobile=True, has_touch=True)
    for view in ("judge", "compare", "file"):
        page.goto(f"{page.allowed}#{view}")
        expect(page.locator(f"body[data-view={view}]")).to_be_visible()
        if view == "file":
            upload(page, "chats.csv", chats(60)[1])
            scored(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_the_live_region_speaks_once_after_typing(visit):
    page = visit()
    page.evaluate(
        """window.said = [];
        new MutationObserver(() => said.push(document.getElementById('live').textContent))
          .observe(document.getElementById('live'), { childList: true });"""
    )
    page.evaluate(
        """const prompt = document.getElementById('prompt');
        for (const letter of 'How do I bake bread?') {
          prompt.value += letter;
          prompt.dispatchEvent(new Event('input', { bubbles: true }));
        }"""
    )
    wait_for(page, lambda: page.evaluate("said.length") > 0)
    (said,) = page.evaluate("said")
    assert said.startswith("The prompt: ")


def read_csv(page, *pieces):
    return page.evaluate(
        """(pieces) => import('/page/csv.js').then(({ CsvReader }) => {
          const reader = new CsvReader();
          return [...pieces.flatMap((piece) => reader.push(piece)), ...reader.end()];
        })""",
        pieces,
    )


def test_csv_is_read_as_it_is_written(visit):
    page = visit(ready=False)
    rows = [["a", "b c"], ['say "hi"', "x,y"], ["two\r\nlines", ""], ["", '"'], ["🐷", " s "]]
    for end in ("\r\n", "\n", "\r"):
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator=end).writerows(rows)
        text = "\ufeff" + buffer.getvalue()
        assert read_csv(page, text) == rows
        assert read_csv(page, *text) == rows
        assert read_csv(page, text.rstrip("\r\n")) == rows
    assert read_csv(page, "a;b\n1,5;2\n\n3;4\n") == [["a", "b"], ["1,5", "2"], ["3", "4"]]
    assert read_csv(page, "a\tb\n1\t2") == [["a", "b"], ["1", "2"]]
    assert read_csv(page, 'text\n""\nx') == [["text"], [""], ["x"]]
    assert read_csv(page, "a,b\n1,\n") == [["a", "b"], ["1", ""]]


def test_json_keeps_its_columns_and_its_numbers(visit):
    page = visit(ready=False)
    rows = [
        {"constructor": "Hello", "id": 12345678901234567890, "share": 1.0},
        {"__proto__": "Hi", "cost": 1, "text": 1234567890123456789},
    ]
    columns = ["constructor", "id", "share", "__proto__", "cost", "text"]
    for name, content in {
        "a.jsonl": "\r\n".join(map(json.dumps, rows)),
        "lines.json": "\n\n".join(map(json.dumps, rows)),
        "list.json": json.dumps(rows, indent=1),
    }.items():
        read = page.evaluate(
            """async ([content, name]) => {
              const [{ readRows }, { csvPieces, jsonlPieces }, { exchangeOf }] = await Promise.all(
                ["rows", "download", "columns"].map((each) => import(`/page/${each}.js`)),
              );
              const { rows, columns } = await readRows(new File([content], name));
              const failure = (prompt) => {
                try {
                  return exchangeOf(rows[1].values, { prompt, response: null, messages: null });
                } catch ({ message }) {
                  return message;
                }
              };
              return {
                columns,
                csv: [...csvPieces(rows, columns, () => 0, ",")].join(""),
                jsonl: [...jsonlPieces(rows, () => 0)].join(""),
                failures: [failure("constructor"), failure("text")],
              };
            }""",
            [content, name],
        )
        assert read["columns"] == columns
        lines = [json.loads(line) for line in read["jsonl"].splitlines()]
        for line, row in zip(lines, rows, strict=True):
            assert row.items() <= {**line, "cost": 1}.items()
        assert lines[1]["input_cost"] == 1
        table = list(csv.reader(io.StringIO(read["csv"].removeprefix("\ufeff"))))
        assert table[1][:6] == ["Hello", "12345678901234567890", "1.0", "", "", ""]
        assert table[2][:6] == ["", "", "", "Hi", "1", "1234567890123456789"]
        assert read["failures"] == [
            "There is nothing in the columns to judge.",
            "The prompt is no text but a number.",
        ]


def test_no_cell_is_a_formula(visit):
    page = visit(ready=False)
    bad = [
        "=1+1",
        "+cmd",
        "-x",
        "@x",
        "\tx",
        "\rx",
        " =1",
        '"=1"',
        "'=1",
        "＝1",
        "-1+1",
        "- item",
    ]
    assert module(page, "csv.js", f"{json.dumps(bad)}.map((cell) => m.neutralised(cell))") == [
        f"'{cell}" for cell in bad
    ]
    good = ["", "x", "a=1", "-5", "+3.5", "-1.5e-7", "1-2", "a@b.c", "a\n-5\n- b\n+ c", "a, -b"]
    assert module(page, "csv.js", f"{json.dumps(good)}.map((cell) => m.neutralised(cell))") == good
    # Where another separator is expected, a cell begins in the midst of one.
    within = {"a;=1": "a;'=1", "a\t ＝1": "a\t' ＝1", 'a\r\n"-1+f(1)': "a\r\n'\"-1+f(1)"}
    within |= {"a\n- f(1)": "a\n'- f(1)", "a;@b;-5": "a;'@b;-5", "\n=1": "'\n'=1"}
    within = within.items()
    cells = json.dumps([cell for cell, _ in within])
    written = [cell for _, cell in within]
    assert module(page, "csv.js", f"{cells}.map((cell) => m.neutralised(cell))") == written
    assert module(page, "csv.js", "m.csvLine(['a,=1;=1'], ';')") == '"a,\'=1;=1"\r\n'
    assert module(page, "csv.js", "m.csvLine(['a\"b', '=x', ''])") == '"a""b",\'=x,\r\n'


def test_code_points_become_utf_16(visit):
    page = visit(ready=False)
    text = "a🐷é👩‍🚀z"
    offsets = [0, 1, 2, 3, len(text) - 1, len(text), 99]
    units = module(page, "spans.js", f"m.toUtf16({json.dumps(text)}, {offsets})")
    assert units == [len(text[:i].encode("utf-16-le")) // 2 for i in offsets]
    spans = [{"start": 3, "end": 6}, {"start": 1, "end": 2}]
    pieces = module(page, "spans.js", f"m.pieces({json.dumps(text)}, {json.dumps(spans)})")
    assert [(each["text"], each["span"] is not None) for each in pieces] == [
        ("a", False),
        ("🐷", True),
        ("é", False),
        ("👩‍🚀", True),
        ("z", False),
    ]


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
