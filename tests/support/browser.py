"""Chromium for the tests of the page, from the system's packages."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

from benchmarks.screenshot import CHROMIUM_FLAGS, find_chromium


@contextmanager
def chromium(*flags: str) -> Iterator[Browser]:
    """A browser with more `flags`. Without Chromium the test is skipped, and fails in CI.

    Close it within one file of tests. While it is open, the thread has a running event loop, so
    neither asyncio.run nor a second browser works in it.
    """
    path = find_chromium()
    if path is None:
        line = "Chromium is not installed (Debian: apt-get install chromium)"
        if os.environ.get("CI") == "true":
            pytest.fail(line)
        pytest.skip(line)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            args=[*CHROMIUM_FLAGS, *flags],
            ignore_default_args=["--hide-scrollbars"],  # most desktops show them, in the page
        )
        try:
            yield browser
        finally:
            browser.close()
