"""The page under another name of the machine: a NAS, or a container with a published port."""

import re

import httpx
import pytest
from playwright.sync_api import expect

from cli.demo_photos import draw_demo_photos
from tests.site.conftest import WORDS, add_photo, mushrooms, running
from tests.site.visitor import as_file, cards, choose, is_there, photo, says, search
from tests.support.browser import chromium
from tests.support.running_stack import get
from tests.support.waiting import PATIENCE

NAME = "photos.test"
OTHERS, FOUND = 5, "album/mushrooms #1.jpg"


@pytest.fixture(scope="module")
def browser():
    with chromium(f"--host-resolver-rules=MAP {NAME} 127.0.0.1") as browser:
        yield browser


@pytest.fixture(scope="module")
def open_stack(tmp_path_factory):
    """A stack that other machines can reach."""
    folder = tmp_path_factory.mktemp("open")
    draw_demo_photos(folder / "photos", OTHERS)
    add_photo(folder / "photos", FOUND, mushrooms(1))
    options = ("--host", "0.0.0.0", "--suggestions", WORDS)
    with running(folder, folder / "photos", *options) as stack:
        yield stack


@pytest.fixture
def under_its_name(open_stack):
    return open_stack.page.replace("127.0.0.1", NAME)


def test_words_and_a_picture_find_photos_that_show(browse, under_its_name):
    page = browse(under_its_name)
    says(page, f"{OTHERS + 1} photos can be searched.")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    search(page, WORDS)
    first = page.locator("#results .name").first
    expect(first).to_have_text(FOUND)
    is_there(cards(page).first.locator("img"))
    photo(cards(page).first).click()
    is_there(page.locator("#stage img"))
    expect(page.locator("#original")).to_have_attribute(
        "href", f"{under_its_name}/photos/album/mushrooms%20%231.jpg"
    )
    page.keyboard.press("Escape")
    choose(page, as_file(mushrooms(2), "a.jpg"))
    expect(page.locator("#asked img")).to_have_count(1)
    expect(page.locator("#results")).to_have_attribute("aria-busy", "false")
    expect(first).to_have_text(FOUND)
    elsewhere = [url for url in asked if not url.startswith((under_its_name, "blob:"))]
    assert elsewhere == []


def test_without_javascript_the_form_leads_to_photos_that_show(browse, under_its_name):
    page = browse(under_its_name, java_script_enabled=False)
    page.fill("#words", WORDS)
    page.press("#words", "Enter")
    is_there(page.locator("#results img"))
    assert page.url.startswith(f"{under_its_name}/search/?q=")
    expect(page.locator("h1 a")).to_have_css("text-decoration-line", "none")  # of style.css
    page.click("h1 a")
    expect(page.locator("#search")).to_be_visible()
    expect(page).to_have_url(f"{under_its_name}/index.html")


def test_only_the_page_is_open_to_other_machines(open_stack):
    """127.0.0.2 is this machine, and no address that a service on 127.0.0.1 listens at."""
    port = int(open_stack.page.rsplit(":", 1)[1])
    assert get(f"http://127.0.0.2:{port}/search/health").status_code == 200
    for closed in (port + 1, port + 2):
        with pytest.raises(httpx.ConnectError):
            get(f"http://127.0.0.2:{closed}/")


def test_it_says_that_everybody_may_see_the_photos(open_stack):
    assert "there is no password" in open_stack.wait_for_line("All who reach port ")
    assert f"{open_stack.page}/search/?q=" in open_stack.wait_for_line("try:   curl ")


def test_on_loopback_another_name_is_refused_and_websites_may_not_read_answers(stack, browser):
    with browser.new_context() as context:
        page = context.new_page()
        answer = page.goto(stack.page.replace("127.0.0.1", NAME))
        assert answer.status == 421
        expect(page.locator("body")).to_contain_text(re.compile(f"host '{NAME}' is not served"))
        page.goto(stack.page.replace("127.0.0.1", "localhost"))
        says(page, re.compile("can be searched"))
        expect(page).to_have_url(f"{stack.page}/")
    for url in (f"{stack.page}/search/", stack.search):
        origin = {"Origin": "https://attacker.example"}
        answer = httpx.get(f"{url}status", headers=origin, timeout=PATIENCE)
        assert "access-control-allow-origin" not in answer.headers
