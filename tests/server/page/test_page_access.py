"""For whom the page works: keyboard, screen reader, phone, paper, and texts that attack it."""

from __future__ import annotations

import csv
import io

import pytest
from chromium import chats, expect, scored, shown_cost, upload, wait_for

pytestmark = pytest.mark.slow


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
