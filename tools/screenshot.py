"""Takes the README's picture of the page: `make screenshot`, while `make run` runs.

python -m tools.screenshot http://127.0.0.1:8080 docs/screenshot.png
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Error, sync_playwright

QUESTION = "two blue mushrooms"
WIDTH, HEIGHT = 1100, 760  # CSS pixels
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
# No GPU, and no requests of its own to the network.
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


def take(page_url: str, target: Path, chromium: str) -> None:
    """Search for QUESTION at `page_url` and save what is seen. playwright.sync_api.Error."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto(page_url)
        page.get_by_role("searchbox").fill(QUESTION)
        page.keyboard.press("Enter")
        page.get_by_text("photos like").wait_for()
        page.wait_for_load_state("networkidle")
        target.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=target)
        browser.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("page", nargs="?", default="http://127.0.0.1:8080")
    parser.add_argument("target", nargs="?", type=Path, default=Path("docs/screenshot.png"))
    options = parser.parse_args()
    chromium = find_chromium()
    if chromium is None:
        print("no chromium found; on Debian: apt-get install chromium", file=sys.stderr)
        return 2
    try:
        take(options.page, options.target, chromium)
    except Error as error:
        print(f"{options.page}: {str(error).splitlines()[0]}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
