"""Take the pictures of the page in docs/: `make screenshot`, while `make run` runs.

python -m benchmarks.screenshot http://127.0.0.1:8080 docs
"""

from __future__ import annotations

import argparse
import io
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Error, Page, sync_playwright

QUESTION = "two blue mushrooms"
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}  # CSS pixels
PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 740},
    "has_touch": True,
    "is_mobile": True,
}
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
# no GPU, and no requests of the browser itself
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]


def find_chromium() -> str | None:
    return next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)


def take(page_url: str, folder: Path, chromium: str, question: str = QUESTION) -> None:
    """Search for `question` and save the pictures of docs/ as PNG files in `folder`.

    Raises playwright.sync_api.Error.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        page = _searched(browser, page_url, question, **DESKTOP)
        _save(page, folder / "screenshot.png")
        page = _searched(browser, page_url, question, **DESKTOP, color_scheme="dark")
        _enlarge(page, 0)
        _save(page, folder / "dark.png")
        page = _searched(browser, page_url, question, **PHONE)
        _save(page, folder / "phone.png")
        page = _searched(browser, page_url, question, **PHONE, color_scheme="dark")
        _enlarge(page, 0)
        _save(page, folder / "phone-dark.png")
        page = browser.new_page(**PHONE)
        page.goto(page_url)
        page.get_by_text("can be searched").wait_for()
        _save(page, folder / "phone-start.png")
        browser.close()


def _searched(browser: Browser, page_url: str, question: str, **options: Any) -> Page:
    page = browser.new_page(**options)
    page.goto(page_url)
    page.get_by_role("searchbox").fill(question)
    page.keyboard.press("Enter")
    page.locator("#status", has_text=re.compile(r"good match|Nothing matches|Closest")).wait_for()
    page.wait_for_load_state("networkidle")
    return page


def _enlarge(page: Page, number: int) -> None:
    page.locator("#results .photo").nth(number).click()
    page.locator("#viewer[open]").wait_for()
    page.wait_for_load_state("networkidle")


def _save(page: Page, path: Path) -> None:
    """With 256 colours, so that the repository stays small."""
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(1000)  # photos are decoded and painted after they came
    with Image.open(io.BytesIO(page.screenshot())) as image:
        colours = image.convert("RGB")
        palette = colours.quantize(256, Image.Quantize.MAXCOVERAGE)
        dithered = colours.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
        dithered.save(path, optimize=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("page", nargs="?", default="http://127.0.0.1:8080")
    parser.add_argument("folder", nargs="?", type=Path, default=Path("docs"))
    parser.add_argument("--question", default=QUESTION, help="what to search for")
    options = parser.parse_args()
    chromium = find_chromium()
    if chromium is None:
        print("Chromium is not installed; on Debian: apt-get install chromium", file=sys.stderr)
        return 2
    try:
        take(options.page, options.folder, chromium, options.question)
    except Error as error:
        print(f"{options.page}: {str(error).splitlines()[0]}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
