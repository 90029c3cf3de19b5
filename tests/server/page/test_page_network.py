"""The page and a server that is busy, gone or asks for a key."""

from __future__ import annotations

import json

import pytest
from chromium import expect, module, shown_cost
from serving import live

pytestmark = pytest.mark.slow


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
