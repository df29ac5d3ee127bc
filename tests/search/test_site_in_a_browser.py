"""The page that search serves itself, in a browser: its policy lets everything through."""

from playwright.sync_api import expect

from tests.search.conftest import Gallery
from tests.support.browser import chromium
from tests.support.function_server import running_function
from tests.support.pictures import png
from tests.terraform.conftest import ROOT

PATIENCE = 60_000  # milliseconds
THUMBNAILS = "http://thumbnails.test/mine"


def test_one_address_has_page_and_search(tiny_bundle, filled_folder, tmp_path):
    settings = Gallery(filled_folder, tiny_bundle).environment | {
        "CLIPSEARCH_SITE": str(ROOT / "site"),
        "CLIPSEARCH_THUMBNAILS_URL": THUMBNAILS,
    }
    with running_function("search", settings, tmp_path / "log") as address, chromium() as browser:
        address = address.replace("127.0.0.1", "localhost")  # no address of its own is built in
        page = browser.new_page()
        said, asked = [], []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        thumbnail = {"body": png("red"), "content_type": "image/png"}
        page.route(f"{THUMBNAILS}/**", lambda route: route.fulfill(**thumbnail))
        page.goto(f"{address}/")
        assert page.url == f"{address}/page/"
        expect(page.locator("#status")).to_contain_text("4 photos", timeout=PATIENCE)
        page.fill("#words", "red")
        page.keyboard.press("Enter")
        expect(page).to_have_url(f"{address}/page/?q=red", timeout=PATIENCE)
        images = page.locator("#results img")
        expect(images).to_have_count(4, timeout=PATIENCE)
        expect(images.first).not_to_have_js_property("naturalWidth", 0, timeout=PATIENCE)
        page.close()
    assert f"{address}/?q=red" in "".join(asked)
    assert not [text for text in said if "Autofocus processing was blocked" not in text]
    others = [url for url in asked if not url.startswith((address, THUMBNAILS, "data:", "blob:"))]
    assert others == []
