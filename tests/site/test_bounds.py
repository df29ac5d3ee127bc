"""What the page weighs, when it is painted, and that nothing in it moves; its policy."""

import re
import threading
from functools import partial

import pytest
from playwright.sync_api import expect

from tests.site.conftest import WORDS, picture
from tests.site.stub import answer
from tests.site.test_everyone import PHONE
from tests.site.visitor import cards, finds, is_at, is_there, photo, says, search, wait_until
from tests.support.running_stack import get
from tests.support.waiting import wait_for

MAX_PAGE, MAX_REQUESTS = 70_000, 13  # with the icon
MAX_THUMBNAILS = 600_000


def test_the_page_is_light_and_asks_for_little(browser, stack):
    with browser.new_context() as context:
        page = context.new_page()
        loaded = []
        page.on("requestfinished", lambda it: "/thumbnails/" in it.url or loaded.append(it))
        page.goto(stack.page)
        says(page, re.compile("can be searched"))
        page.wait_for_load_state("networkidle")
        sizes = {request.url: len(request.response().body()) for request in loaded}
    assert len(loaded) <= MAX_REQUESTS, list(sizes)
    is_answer = f"{stack.page}/search/"
    own = {url: size for url, size in sizes.items() if not url.startswith(is_answer)}
    assert sum(own.values()) <= MAX_PAGE, own
    assert {url.split("/")[2] for url in sizes} == {stack.page.split("/")[2]}


def test_the_thumbnails_of_an_answer_are_light(stack):
    urls = [result["thumbnail_url"] for result in stack.results(q=WORDS)]
    assert len(urls) == 24
    sizes = [len(get(url).content) for url in urls]
    assert 24_000 < sum(sizes) <= MAX_THUMBNAILS


def test_it_is_painted_before_and_without_javascript(browse, gallery):
    for options in ({"java_script_enabled": False}, {}):
        page = browse("about:blank", **options)
        page.route(re.compile(r"\.js$"), lambda route: None)  # it never comes
        page.goto(gallery.url, wait_until="commit")
        expect(page.get_by_role("heading", name="clipsearch")).to_be_visible()
        expect(page.get_by_role("button", name="Search", exact=True)).to_be_visible()
        if not options:
            painted = "performance.getEntriesByName('first-contentful-paint').length"
            wait_for(partial(page.evaluate, painted), "the first paint")
        page.unroute_all(behavior="ignoreErrors")


def later(then, events):
    event = threading.Event()
    events.append(event)

    def wait():
        event.wait(30)
        return then

    return wait


@pytest.mark.parametrize("visitor", [{}, PHONE], ids=["desktop", "phone"])
def test_nothing_shifts_while_results_load_and_more_come(open_page, stub, gallery, visitor):
    events = []
    sizes = [(320, 240), (100, 300), (0, 0), (3000, 500)]
    parts = []
    for part in range(2):
        results = [gallery.result(f"{part}-{n}.jpg", 0.3) for n in range(24)]
        for n, result in enumerate(results):
            result["width"], result["height"] = sizes[n % 4]
        parts.append(results)
    parts[0][3] |= gallery.result("missing.jpg", 0.3, thumbnail=False)
    stub.answers["GET"] = answer(*(gallery.result(f"new-{n}.jpg", 0.3) for n in range(24)))
    stub.answers["GET q=boat"] = later(answer(*parts[0], next_cursor="n"), events)
    stub.answers["GET q=boat&cursor=n"] = later(answer(*parts[1]), events)
    page = open_page(**visitor)
    says(page, "500 photos can be searched.")
    is_there(page.locator("#results img"))
    search(page, "boat")
    says(page, "Searching…")
    page.wait_for_timeout(600)  # later than what is forgiven after a key was pressed
    events[0].set()
    says(page, "Closest photos first.")
    is_there(page.locator("#results img"))
    page.wait_for_timeout(200)
    events[1].set()
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    finds(page, 48)
    page.wait_for_timeout(300)
    assert page.evaluate("shifts") == []


def test_a_picture_has_its_place_before_it_comes(open_page, stub, gallery):
    results = [gallery.result(f"{n}.jpg", 0.3) for n in range(3)]
    for result, (width, height) in zip(results, [(320, 240), (100, 300), (0, 0)], strict=True):
        result |= {"width": width, "height": height}
    stub.answers["GET q=boat"] = answer(*results)
    page = open_page()
    page.route(re.compile("/(thumbnails|photos)/"), lambda route: None)
    search(page, "boat")
    finds(page, 3)
    boxes = [cards(page).nth(n).get_by_role("img").bounding_box() for n in range(3)]
    assert len({round(box["height"]) for box in boxes}) == 1
    assert boxes[0]["height"] > 100
    ratios = [box["width"] / box["height"] for box in boxes]
    assert ratios == pytest.approx([4 / 3, 1 / 3, 4 / 3], abs=0.02)
    page.unroute_all(behavior="ignoreErrors")


@pytest.mark.parametrize("size", [(1600, 1200), (900, 1600)], ids=["wide", "high"])
def test_the_larger_view_keeps_its_place_when_the_photo_follows_its_thumbnail(
    open_page, stub, gallery, size
):
    result = gallery.result("boat.jpg", 0.3, size=size)
    thumbnail = gallery.thumbnails / result["thumbnail_url"].rsplit("/", 1)[1]
    picture(thumbnail, "teal", (size[0] // 5, size[1] // 5))
    stub.answers["GET q=boat"] = answer(result)
    page = open_page("/?q=boat")
    held = []
    page.route(re.compile("/photos/"), lambda route: held.append(route))
    photo(cards(page).first).click()
    image = page.locator("#stage img")
    expect(image).to_have_js_property("naturalWidth", size[0] // 5)
    page.wait_for_timeout(100)
    before = image.bounding_box()
    wait_until(page, lambda: held, "the photo is asked for")
    held[0].continue_()
    expect(image).to_have_js_property("naturalWidth", size[0])
    assert image.bounding_box() == before
    expect(image).to_have_css("object-fit", "contain")


def test_only_photos_larger_than_a_thumbnail_are_enlarged_to_their_place(open_page, stub, gallery):
    panorama = gallery.result("panorama.jpg", 0.3, size=(480, 96)) | {"width": 5000, "height": 1000}
    small = gallery.result("icon.png", 0.3, size=(60, 40))
    stub.answers["GET q=boat"] = answer(small, panorama)
    page = open_page("/?q=boat", viewport={"width": 1440, "height": 900})
    image = cards(page).first.get_by_role("img")
    is_there(image)
    assert image.bounding_box()["width"] > 60
    expect(image).to_have_css("object-fit", "scale-down")
    image = cards(page).nth(1).get_by_role("img")
    is_there(image)
    assert image.bounding_box()["width"] > 480
    expect(image).to_have_css("object-fit", "contain")


STOPPED = """() => new Promise((resolve) => {
  document.addEventListener("securitypolicyviolation", (e) => resolve(e.effectiveDirective));
  %s
  setTimeout(() => resolve("nothing was stopped"), 5000);
})"""


@pytest.mark.parametrize(
    ("attempt", "directive"),
    [
        (
            "const s = document.createElement('script'); s.textContent = 'document.title = 1';"
            "document.head.append(s);",
            "script-src-elem",
        ),
        (
            "const s = document.createElement('style'); s.textContent = '* { display: none }';"
            "document.head.append(s);",
            "style-src-elem",
        ),
        ("document.body.setAttribute('style', 'display: none');", "style-src-attr"),
        ("document.body.setAttribute('onclick', 'alert(1)');", "script-src-attr"),
        ("fetch('http://127.0.0.1:9/').catch(() => 0);", "connect-src"),
    ],
    ids=["script", "style", "style attribute", "handler", "another server"],
)
def test_the_policy_forbids_what_the_page_does_not_bring(browser, gallery, attempt, directive):
    with browser.new_context() as context:  # not browse: here the browser is right to complain
        page = context.new_page()
        page.goto(gallery.url)
        says(page, re.compile("can be searched"))
        assert page.evaluate(STOPPED % attempt) == directive
        assert page.title() == "clipsearch"


def test_the_page_brings_a_policy_of_its_own_for_any_server(gallery):
    response = get(gallery.url)
    own = re.search(r'Content-Security-Policy" content="([^"]*)"', response.text)[1]
    for policy in (own, response.headers["content-security-policy"]):
        assert "default-src 'none'" in policy
        assert "script-src 'self'; style-src 'self'" in policy
        assert "unsafe" not in policy


def test_it_works_in_a_folder_of_a_server_under_its_full_name(browse, stub, tmp_path):
    """As https://storage.googleapis.com/BUCKET/index.html."""
    from cli.run.page import policy, site_files
    from cli.run.static import StaticServer
    from tests.site.conftest import LOCALHOST, SITE

    bucket = tmp_path / "bucket"
    bucket.mkdir()
    for file in SITE.iterdir():
        (bucket / file.name).write_bytes(file.read_bytes())
    for path, text in site_files(stub.url).items():
        (bucket / path[1:]).write_text(text)
    server = StaticServer(LOCALHOST, 0, {"/": tmp_path}, {}, policy(stub.url))
    try:
        stub.answers["GET q=boat"] = answer()
        page = browse(f"http://{LOCALHOST}:{server.server_address[1]}/bucket/index.html")
        says(page, "500 photos can be searched.")
        search(page, "boat")
        finds(page, 0)
        is_at(page, "/bucket/index.html?q=boat")
        page.go_back()
        says(page, "500 photos can be searched.")
        page.get_by_role("link", name="clipsearch").click()
        says(page, "500 photos can be searched.")
        is_at(page, "/bucket/index.html")
    finally:
        server.close()


def test_opened_as_a_file_its_form_is_answered_with_a_page(browser, stack):
    """No browser loads a module from a file; what works without JavaScript works there, too."""
    from tests.site.conftest import SITE

    text = (SITE / "index.html").read_text()
    assert 'action="http://127.0.0.1:8081/"' in text
    with browser.new_context() as context:
        page = context.new_page()
        page.goto((SITE / "index.html").as_uri())
        # as a person would write the address of the search function into the file
        page.locator("form").evaluate("(form, url) => { form.action = url; }", stack.search)
        page.get_by_label("Search your photos").fill(WORDS)
        page.keyboard.press("Enter")
        expect(page.locator("#status")).to_contain_text(f"good matches for “{WORDS}”.")
        expect(page.locator("#results li")).to_have_count(24)


def test_rows_fill_the_width_with_whole_photos(open_page, stub, gallery):
    sizes = [(4000, 3000), (3000, 4000), (4000, 2250), (9000, 1500), (1000, 9000), (3000, 3000)]
    results = []
    for n in range(30):
        width, height = sizes[n * n % 6]
        results.append(gallery.result(f"{n}.jpg", 0.3) | {"width": width, "height": height})
    stub.answers["GET q=boat"] = answer(*results)
    for width in (360, 1440, 2560):
        page = open_page("/?q=boat", viewport={"width": width, "height": 900})
        finds(page, 30)
        room = page.locator("#end").bounding_box()
        rows: dict[float, list] = {}
        for n, card in enumerate(cards(page).all()):
            box = card.bounding_box()
            rows.setdefault(box["y"], []).append(box)
            if results[n]["width"] > results[n]["height"] / 3:
                ratio = results[n]["width"] / results[n]["height"]
                assert box["width"] / box["height"] == pytest.approx(ratio, rel=0.03)
        aimed = min(240, max(128, room["width"] / 6.5))
        for row in list(rows.values())[:-1]:
            assert len({box["height"] for box in row}) == 1
            assert row[0]["x"] == pytest.approx(room["x"], abs=1)
            right = row[-1]["x"] + row[-1]["width"]
            if row[0]["height"] < 2 * aimed - 1:  # the highest that a row may be
                assert right == pytest.approx(room["x"] + room["width"], abs=1)
            assert row[0]["height"] <= 2 * aimed + 1


@pytest.mark.parametrize("visitor", [{}, PHONE], ids=["desktop", "phone"])
def test_the_start_page_and_an_answer_begin_with_no_empty_row(open_page, stub, gallery, visitor):
    """What a visitor may try stands where the chips come, and the photos stay where they are."""
    photos = [gallery.result(f"{n}.jpg", 0.3) for n in range(24)]
    stub.answers["GET q=boat"] = stub.answers["GET"] = answer(*photos)
    page = open_page(**visitor)
    says(page, "500 photos can be searched.")
    is_there(page.locator("#results img"))
    below = page.locator("header").bounding_box()["height"]
    assert page.locator("#suggestions").bounding_box()["y"] == pytest.approx(below, abs=1)
    top = cards(page).first.bounding_box()["y"]
    search(page, "boat")
    finds(page, 24)
    expect(page.locator("#suggestions")).to_be_hidden()
    assert page.locator("#asked").bounding_box()["y"] == pytest.approx(below, abs=1)
    assert cards(page).first.bounding_box()["y"] == top


MANY = 5000


def test_back_finds_the_place_among_5000_photos(open_page, stub, gallery):
    one = gallery.result("0.jpg", 0.3)
    results = [one | {"name": f"{n}.jpg", "width": 300 + n % 7 * 50} for n in range(MANY)]
    stub.answers["GET q=boat"] = answer(*results)
    stub.answers["GET like=4000.jpg"] = answer(one)  # "l" is for more like this
    page = open_page("/?q=boat")
    finds(page, MANY)
    cards(page).nth(4000).scroll_into_view_if_needed()
    place = page.evaluate("scrollY")
    assert place > 10_000
    photo(cards(page).nth(4000)).click()
    viewer = page.locator("#viewer[open]")  # by role takes long among so many
    expect(viewer).to_have_count(1)
    page.keyboard.press("Escape")
    expect(viewer).to_have_count(0)
    expect(photo(cards(page).nth(4000))).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("l")
    expect(cards(page)).to_have_count(1)
    page.go_back()
    finds(page, MANY)
    assert abs(page.evaluate("scrollY") - place) < 600
