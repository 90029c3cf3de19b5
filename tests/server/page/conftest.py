from __future__ import annotations

import re
from dataclasses import make_dataclass

import pytest
from chromium import CHROMIUM, PATIENCE, sync_api
from serving import live

import harmgauge


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
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
