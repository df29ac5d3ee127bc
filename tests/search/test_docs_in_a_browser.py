"""GET /docs in a browser: its policy lets its style through, and everybody can read it."""

import pytest

from tests.support.browser import chromium

PHONE, DESKTOP = {"width": 360, "height": 640}, {"width": 1280, "height": 800}


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_it_is_styled_asks_for_nothing_else_and_suits_everybody(browser, server, viewport, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = browser.new_page(viewport=viewport, color_scheme=scheme)
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"{server}/docs")
    assert page.evaluate("getComputedStyle(document.querySelector('table')).borderCollapse") == (
        "collapse"
    )
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    results = Axe().run(page, options={"resultTypes": ["violations"], "preload": False})
    assert results.violations_count == 0, results.generate_report()
    assert [url for url in asked if not url.endswith("/favicon.ico")] == [f"{server}/docs"]
    assert said == []
    page.close()
