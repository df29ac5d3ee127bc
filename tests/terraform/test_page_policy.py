"""The page in a browser with the policy of Terraform, as on Cloud Storage. All public buckets have
the same origin there, so 'self' would allow all of them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import ConsoleMessage, expect

from cli.run.page import DEFAULT_SEARCH_URL
from cli.run.static import StaticServer
from tests.support.browser import chromium
from tests.terraform.conftest import ROOT, Configuration

STATUS = {"model": "m", "space": "0" * 12, "commit": 0, "updated": None}
STATUS |= {"photos": {"objects": None, "indexed": 1, "failed": 0, "pending": None}}
STATUS |= {"reconciled": None, "failures": [], "damaged": []}


def test_the_page_works_under_the_policy_of_a_deployment(
    configuration: Configuration, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "site", tmp_path / "my-site")
    (tmp_path / "my-thumbnails").mkdir()
    Image.new("RGB", (4, 3), "red").save(tmp_path / "my-thumbnails" / "a.webp")
    pages: dict[str, str] = {}
    server = StaticServer("127.0.0.1", 0, {"/": tmp_path}, pages, "base-uri 'none'")
    try:
        base = f"http://127.0.0.1:{server.server_address[1]}"
        pages["/my-site/index.html"] = _page(configuration, base)
        pages["/my-site/config.js"] = f'export const SEARCH_URL = "{base}/search";\n'
        pages["/search/status"] = json.dumps(STATUS)
        pages["/search/embed"] = "{}"  # the page starts the function early
        pages["/search/"] = json.dumps(_answer(base))
        with chromium() as browser:
            page = browser.new_page()
            complaints: list[str] = []
            page.on("console", lambda message: complaints.append(message.text))
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.goto(f"{base}/my-site/index.html")
            expect(page.locator("#status")).to_contain_text("1 photo", timeout=60_000)
            page.fill("#words", "red")
            page.keyboard.press("Enter")
            image = page.locator("#results img")
            expect(image).to_have_js_property("naturalWidth", 4, timeout=60_000)
            # a script of another bucket is not run
            with page.expect_console_message(_is_about_the_policy, timeout=60_000):
                page.evaluate(
                    "document.head.append(Object.assign(document.createElement('script'),"
                    " {src: '/my-thumbnails/a.js'}))"
                )
            expect(page.locator("script[src*=my-thumbnails]")).to_have_count(1)
            page.close()
    finally:
        server.close()
    # Chromium logs this if the test is quicker than the page's own focus.
    complaints = [text for text in complaints if "Autofocus processing was blocked" not in text]
    assert len(complaints) == 1, complaints
    [refused] = complaints
    assert "/my-thumbnails/a.js" in refused
    assert "Content Security Policy" in refused


def _is_about_the_policy(message: ConsoleMessage) -> bool:
    return "Content Security Policy" in message.text


def _page(configuration: Configuration, base: str) -> str:
    addresses = {
        "local.site_url": f"{base}/my-site",
        "local.search_url": f"{base}/search",
        "local.photos_url": f"{base}/my-photos",
        "local.thumbnails_url": f"{base}/my-thumbnails",
    }
    listed = configuration.locals["policy"].split("[", 1)[1]
    policy = "; ".join(re.findall(r'"([^"]+)"', listed))
    policy = re.sub(r"\$\{(.+?)\}", lambda found: addresses[found[1]], policy)
    page = (ROOT / "site" / "index.html").read_text()
    tag = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    page = re.sub('<meta http-equiv="Content-Security-Policy"[^>]*>', tag, page)
    return page.replace(f'action="{DEFAULT_SEARCH_URL}/"', f'action="{base}/search/"')


def _answer(base: str) -> dict[str, object]:
    address = f"{base}/my-thumbnails/a.webp?X-Goog-Signature=1"
    photo = {"name": "a.jpg", "score": 0.5, "similarity": 50, "width": 4, "height": 3}
    photo |= {"url": f"{base}/my-photos/a.jpg", "thumbnail_url": address}
    index = {"space": "0" * 12, "commit": 0, "photos": 1}
    timing = {"load": 0, "encode": 0, "search": 0, "total": 1}
    return {"results": [photo], "next_cursor": None, "index": index, "timing_ms": timing}
