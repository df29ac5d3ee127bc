"""Chromium for the tests of the page: what everyone who can install a package has."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

from benchmarks.screenshot import CHROMIUM_FLAGS, find_chromium


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser. Without one the test is skipped on a person's machine, and fails in CI.

    Keep it open within one file of tests at most: until it is closed, the thread has a running
    event loop, so neither asyncio.run nor a second browser works in it.
    """
    path = find_chromium()
    if path is None:
        line = "no Chromium here: install it (Debian, Ubuntu: apt-get install chromium)"
        if os.environ.get("CI") == "true":
            pytest.fail(line)
        pytest.skip(line)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            args=CHROMIUM_FLAGS,
            ignore_default_args=["--hide-scrollbars"],  # people have them, and they take room
        )
        try:
            yield browser
        finally:
            browser.close()
