"""The page in a real browser: before the whole stack, and before a stub of the search function
where a test needs states that come seldom."""

import hashlib
import threading
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from cli.demo_photos import draw_demo_photos
from cli.run.page import SITE, policy, site_files
from cli.run.static import StaticServer
from model_export.demo.scenes import Group, Scene, draw
from tests.site.stub import StubSearch
from tests.support.browser import chromium
from tests.support.pictures import encoded
from tests.support.ports import free_port
from tests.support.running_stack import RunningStack

LOCALHOST = "127.0.0.1"
PATIENCE = 9_000  # milliseconds; a machine may be busy with something else

expect.set_options(timeout=PATIENCE)


class Gallery:
    """The page's address and the folders of pictures behind it."""

    def __init__(self, folder, search_url, suggestions=()):
        self.photos, self.thumbnails = folder / "photos", folder / "thumbnails"
        self.photos.mkdir()
        self.thumbnails.mkdir()
        self.server = StaticServer(
            LOCALHOST,
            0,
            {"/": SITE, "/photos/": self.photos, "/thumbnails/": self.thumbnails},
            site_files(search_url, suggestions),
            policy(search_url),
        )
        self.url = f"http://{LOCALHOST}:{self.server.server_address[1]}"

    def result(self, name, score, colour="teal", thumbnail=True, size=(320, 240)):
        """A result of the contract's shape, and the files that it points to."""
        file = hashlib.sha256(name.encode()).hexdigest()[:16]
        picture(self.photos / f"{file}.png", colour, size)
        if thumbnail:
            picture(self.thumbnails / f"{file}.webp", colour, size)
        return {
            "name": name,
            "url": f"{self.url}/photos/{file}.png",
            "thumbnail_url": f"{self.url}/thumbnails/{file}.webp",
            "score": score,
            "similarity": round(100 * score, 4),
            "width": size[0],
            "height": size[1],
        }


def picture(path, colour, size=(320, 240)):
    Image.new("RGB", size, colour).save(path)
    return path


@pytest.fixture(scope="module")
def browser():
    """One for each file. While Playwright is open, an event loop runs in this thread, and tests of
    other folders that call asyncio.run would fail."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def stub():
    stub = StubSearch()
    yield stub
    stub.close()


@pytest.fixture
def held():
    """An answer that waits for its event."""
    events = []

    def held(then):
        event = threading.Event()
        events.append(event)

        def wait():
            event.wait(30)
            return then

        return event, wait

    yield held
    for event in events:
        event.set()


@pytest.fixture
def gallery(tmp_path, stub):
    gallery = Gallery(tmp_path, stub.url, ["a red car", "boats & <b>"])
    yield gallery
    gallery.server.close()


# Every shift counts, also right after a key was pressed.
WATCH_SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    const moved = entry.sources.map((it) => it.node?.id || it.node?.className || it.node?.nodeName);
    window.shifts.push([entry.value, ...moved]);
  }
}).observe({ type: "layout-shift", buffered: true });
"""


@pytest.fixture
def browse(browser):
    """Opens an address; at the end nothing may have complained that was not expected. What the
    content security policy stops is a complaint."""
    contexts, complaints = [], []

    def heard(message):
        # the browser logs every answer of 4xx and 5xx, which some tests are about
        if message.type == "error" and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    def browse(address, **options):
        context = browser.new_context(**options)
        context.add_init_script(WATCH_SHIFTS)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", heard)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        return page

    yield browse
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def open_page(browse, gallery):
    return lambda address="", **options: browse(gallery.url + address, **options)


@pytest.fixture
def page(open_page):
    return open_page()


# --- the whole stack

WORDS = "two blue mushrooms"
DRAWN = 70
HOSTILE = [
    "<img src=x onerror=document.title=1>.jpg",
    "a#b?c%20d.jpg",
    "שלום.jpg",
    "/".join(["x" * 197 + "é"] * 4) + ".jpg",  # 800 characters
    "two\nlines.jpg",
]


def mushrooms(seed):
    """The bytes of a JPEG that shows WORDS."""
    scene = Scene((Group("mushroom", "blue", 2),), "day")
    return encoded(draw(scene, 480, np.random.default_rng(seed)), "JPEG", quality=90)


def add_photo(folder, name, data):
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


@contextmanager
def running(folder, photos, *options):
    """The whole stack over `photos` with the demo model; its state is in `folder`."""
    arguments = (photos, "--demo-model", "--state", folder / "run", "--port", free_port())
    stack = RunningStack(folder / "output", *arguments, *options)
    try:
        stack.wait_until_ready()
        stack.photos = photos
        yield stack
    finally:
        stack.end()


@pytest.fixture(scope="session")
def stack(tmp_path_factory):
    """`make run` with demo pictures, and pictures of WORDS under hostile names."""
    folder = tmp_path_factory.mktemp("stack")
    photos = folder / "photos"
    draw_demo_photos(photos, DRAWN)
    for seed, name in enumerate(HOSTILE):
        add_photo(photos, name, mushrooms(seed))
    with running(folder, photos, "--suggestions", f"{WORDS}, a red car") as stack:
        yield stack


@pytest.fixture
def visit(browse, stack):
    """Opens the page of the stack."""
    return lambda address="", **options: browse(f"{stack.page}/{address}", **options)
