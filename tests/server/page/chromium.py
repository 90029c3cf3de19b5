"""Driving the page in headless Chromium."""

from __future__ import annotations

import csv
import io
import os
import shutil

import pytest

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
