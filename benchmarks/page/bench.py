"""The measurements, each with visitors of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from playwright.sync_api import Browser, Page, Response, Route

DESKTOP: Any = {"viewport": {"width": 1440, "height": 900}}
REPEATS = 3  # the best counts: other processes only add time
MANY, VERY_MANY = 1_000, 5_000
SETTLED = 400  # milliseconds
# Move, open, next, back, close, select, select all up to here, clear; then type.
KEYS = (
    *("ArrowRight", "ArrowDown", "ArrowDown", "Enter", "ArrowRight", "ArrowLeft", "Escape"),
    *("x", "ArrowRight", "Shift+X", "Escape", "/", "b", "o", "a", "t"),
)
# Event Timing rounds to 8 ms and reports what takes 16 ms or more.
WATCH = """
window.seen = { shift: 0, events: [] };
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) seen.shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });
new PerformanceObserver((list) => {
  for (const it of list.getEntries()) if (it.interactionId) seen.events.push(it.duration);
}).observe({ type: "event", durationThreshold: 16, buffered: true });
"""
# Milliseconds until the frame in which the photos are back, at their place.
BACK = """([count, place]) => new Promise((resolve) => {
  const begin = performance.now();
  const look = () => {
    const isThere = document.querySelectorAll("#results li").length === count;
    if (!isThere || Math.abs(scrollY - place) > 5) return requestAnimationFrame(look);
    requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - begin)));
  };
  history.back();
  look();
})"""


class MainThread:
    """The CPU time of the page's main thread. Other processes hardly add to it."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._session = page.context.new_cdp_session(page)
        self._session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def of(self, action: Callable[[], Any]) -> float:
        """The milliseconds that `action` takes, with all that follows."""
        before = self._used()
        action()
        self._page.wait_for_timeout(SETTLED)
        return self._used() - before

    def _used(self) -> float:
        metrics = self._session.send("Performance.getMetrics")["metrics"]
        return 1000 * float(next(it["value"] for it in metrics if it["name"] == "TaskDuration"))


class Bench:
    def __init__(self, browser: Browser, page_url: str) -> None:
        self._browser, self._url = browser, page_url
        self._search = f"{page_url}/search/"

    @contextmanager
    def _page(self, **options: Any) -> Iterator[Page]:
        """A visitor with an empty cache."""
        with self._browser.new_context(**DESKTOP, **options) as context:
            context.add_init_script(WATCH)
            yield context.new_page()

    def measure(self) -> list[float]:
        """The values of GOALS, in this order."""
        own, answers, requests = self._weight()
        return [
            own / 1000,
            answers / 1000,
            requests,
            self._first_paint(True),
            self._first_paint(False),
            self._thumbnails() / 1000,
            self._shift(),
            *self._interactions(),
            *self._back(),
        ]

    def _weight(self) -> tuple[int, int, int]:
        """Bytes of the page's own files and of the answers, and requests; without the icon."""
        loaded: list[Response] = []
        with self._page() as page:
            page.on("response", lambda it: loaded.append(it))
            page.goto(self._url)
            page.wait_for_load_state("networkidle")
            loaded = [it for it in loaded if not re.search("/thumbnails/|icon", it.url)]
            sizes = {it.url: len(it.body()) for it in loaded}
            answers = sum(size for url, size in sizes.items() if url.startswith(self._search))
            return sum(sizes.values()) - answers, answers, len(loaded)

    def _first_paint(self, has_javascript: bool) -> float:
        found = []
        for _ in range(REPEATS):
            with self._page(java_script_enabled=has_javascript) as page:
                page.goto(self._url, wait_until="load")
                page.wait_for_timeout(500)
                paint = 'performance.getEntriesByName("first-contentful-paint")[0].startTime'
                found.append(page.evaluate(paint))
        return float(min(found))

    def _thumbnails(self) -> int:
        """Bytes of the first 24 photos."""
        loaded: list[Response] = []
        with self._page() as page:
            page.on("response", lambda it: loaded.append(it))
            page.goto(f"{self._url}/?sort=newest")
            self._is_shown(page, 24)
            images = page.locator("#results img").evaluate_all("all => all.map((e) => e.src)")
            for number in range(24):
                page.locator("#results li").nth(number).scroll_into_view_if_needed()
            page.wait_for_load_state("networkidle")
            sizes = {it.url: len(it.body()) for it in loaded if it.url in images[:24]}
            return sum(sizes[url] for url in images[:24])

    def _shift(self) -> float:
        with self._page() as page:
            self._answer_with(page, 24, more=24)
            page.goto(self._url)
            page.wait_for_load_state("networkidle")
            page.keyboard.type("many")
            page.keyboard.press("Enter")
            self._is_shown(page, 24)
            page.mouse.wheel(0, 10_000)
            self._is_shown(page, 48)
            page.wait_for_timeout(500)
            return float(page.evaluate("seen.shift"))

    def _interactions(self) -> tuple[float, float]:
        """Of keys and clicks: the slowest by Event Timing, and the one with most CPU time."""
        slowest, busiest = [], []
        for _ in range(REPEATS):
            with self._page() as page:
                self._answer_with(page, MANY)
                page.goto(f"{self._url}/?q=many")
                self._is_shown(page, MANY)
                page.locator("#results .photo").nth(3).focus()
                page.wait_for_timeout(1000)
                cpu = MainThread(page)
                used = [cpu.of(partial(page.keyboard.press, key)) for key in KEYS]
                menu = page.locator("[data-menu=Order] summary")
                used.append(cpu.of(menu.click))
                busiest.append(max(used))
                slowest.append(max(page.evaluate("seen.events"), default=16))
        return float(min(slowest)), float(min(busiest))

    def _back(self) -> tuple[float, float]:
        """Until the photos are there again, and the CPU time for that."""
        found, busy = [], []
        for _ in range(REPEATS):
            with self._page() as page:
                self._answer_with(page, VERY_MANY)
                page.goto(f"{self._url}/?q=many")
                self._is_shown(page, VERY_MANY)
                page.locator("#results li").nth(4000).scroll_into_view_if_needed()
                page.locator("#results .photo").nth(4000).focus()
                place = page.evaluate("scrollY")
                page.keyboard.press("l")  # more like this
                self._is_shown(page, 24)
                page.wait_for_timeout(1000)
                cpu = MainThread(page)
                went = [0.0]

                def back(page: Page = page, place: int = place, went: list[float] = went) -> None:
                    went[0] = page.evaluate(BACK, [VERY_MANY, place])

                busy.append(cpu.of(back))
                found.append(went[0])
        return float(min(found)), float(min(busy))

    def _answer_with(self, page: Page, count: int, more: int = 0) -> None:
        """Search answers with `count` results, and then with `more`; to a photo with 24."""
        query: Any = {"limit": 100, "stack": 0}
        answer = page.request.get(self._search, params=query).json()

        def answered(first: int, number: int, cursor: str | None) -> Callable[[Route], None]:
            known = answer["results"]
            results = [
                known[n % len(known)]
                | {"name": f"{n}.jpg", "width": 300 + n % 7 * 50, "height": 300}
                for n in range(first, first + number)
            ]
            body = json.dumps({**answer, "results": results, "next_cursor": cursor})
            headers = {"Access-Control-Allow-Origin": "*", "Content-Type": "application/json"}
            return lambda route: route.fulfill(body=body, headers=headers)

        page.route(f"{self._search}?q=many", answered(0, count, "more" if more else None))
        page.route(f"{self._search}?q=many&cursor=more", answered(count, more, None))
        page.route(f"{self._search}?like=*", answered(0, 24, None))

    def _is_shown(self, page: Page, count: int) -> None:
        page.locator('#results[aria-busy="false"] li').nth(count - 1).wait_for(state="attached")
