"""One photo in the whole window, with keys, mouse and fingers, before a stub of search."""

import re

import pytest
from playwright.sync_api import expect

from tests.site.stub import answer, problem
from tests.site.test_everyone import DESKTOP, PHONE
from tests.site.visitor import asked, cards, finds, is_at, is_there, photo, says, wait_until

FACTS = {
    "taken": "2023-07-14T18:03:22+02:00",
    "uploaded": "2023-07-15T06:00:00Z",
    "bytes": 3_400_000,
    "format": "jpeg",
    "colour": "#336699",
    "place": {"latitude": 48.85837, "longitude": 2.29448},
    "match": "good",
    "confidence": 0.834,
}


@pytest.fixture
def boats(stub, gallery):
    """Three photos of boats; the first has all facts."""
    results = [gallery.result(f"2023/Italy/{n}.jpg", 0.3, size=(1600, 1200)) for n in range(3)]
    results[0] |= FACTS
    stub.answers["GET q=boat"] = answer(*results)
    return results


@pytest.fixture
def viewer(open_page, boats):
    """Opens the first photo in it; returns the page."""

    def viewer(**options):
        page = open_page("/?q=boat", **options)
        finds(page, 3)
        photo(cards(page).first).click()
        expect(page.locator("#stage img")).to_have_js_property("src", boats[0]["url"])
        return page

    return viewer


def is_viewed(page, number):
    expect(page.get_by_role("dialog")).to_be_visible()  # hidden, it keeps the last photo's name
    expect(page.locator("#viewed")).to_have_text(f"2023/Italy/{number}.jpg")
    is_at(page, f"&photo=2023%2FItaly%2F{number}.jpg")


@pytest.mark.parametrize("visitor", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_it_fills_the_window_and_back_closes_it(viewer, visitor):
    page = viewer(**visitor)
    is_viewed(page, 0)
    box = page.get_by_role("dialog").bounding_box()
    assert (box["x"], box["y"]) == (0, 0)
    root = "document.documentElement"  # without the scroll bar
    assert [box["width"], box["height"]] == page.evaluate(
        f"[{root}.clientWidth, {root}.clientHeight]"
    )
    page.go_back()
    expect(page.get_by_role("dialog")).to_be_hidden()
    is_at(page, "/?q=boat")
    page.go_forward()
    is_viewed(page, 0)
    page.keyboard.press("ArrowRight")
    is_viewed(page, 1)
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(photo(cards(page).nth(1))).to_be_focused()
    is_at(page, "/?q=boat")


def test_a_link_opens_a_photo_of_the_answer_and_one_that_is_not_in_it(
    open_page, stub, gallery, boats
):
    page = open_page("/?q=boat&photo=2023%2FItaly%2F1.jpg")
    is_viewed(page, 1)
    expect(page.locator("#position")).to_have_text("2 of 3")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    is_at(page, "/?q=boat")

    other = gallery.result("a/other.jpg", 0.1)
    stub.answers["GET photo=a%2Fother.jpg"] = answer(other)
    page = open_page("/?photo=a%2Fother.jpg")
    expect(page.locator("#stage img")).to_have_js_property("src", other["url"])
    expect(page.get_by_role("button", name="Next photo")).to_be_disabled()
    expect(page.get_by_role("button", name="Less like this")).to_be_hidden()
    page.keyboard.press("Escape")
    says(page, "500 photos can be searched.")

    stub.answers["GET photo=gone.jpg"] = answer()
    page = open_page("/?photo=gone.jpg")
    expect(page.locator("#said")).to_have_text("There is no photo “gone.jpg”.")


def test_its_panel_has_the_facts_and_leads_on(viewer, stub, boats):
    page = viewer(**DESKTOP)
    panel = page.locator("#details")
    for fact in (
        *("0.jpg", "2023/Italy/", "Friday, July 14, 2023 at 6:03", "1200", "JPEG · 3.4 MB"),
        *("48.8584, 2.2945", "0.83"),
    ):
        expect(panel).to_contain_text(fact)
    expect(panel.get_by_role("link", name="Download original")).to_have_attribute(
        "href", boats[0]["url"]
    )
    page.keyboard.press("i")
    expect(panel).to_be_hidden()
    page.get_by_role("button", name="Details").click()
    stub.answers["GET folder=2023%2FItaly%2F&sort=newest"] = answer(*boats[:2])
    page.get_by_role("button", name="Show in folder").click()
    says(page, "Newest photos first.")
    assert asked(page) == ["in 2023/Italy/"]
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.go_back()
    is_viewed(page, 0)


def test_buttons_keep_their_place_and_neighbours_are_loaded_ahead(viewer, stub, boats):
    page = viewer(**DESKTOP)
    following = page.get_by_role("button", name="Next photo")
    before = following.bounding_box()
    loaded = "(url) => performance.getEntriesByName(url).length > 0"
    wait_until(page, lambda: page.evaluate(loaded, boats[1]["url"]), "the next one is loaded")
    for number in (1, 2):
        following.click()
        is_viewed(page, number)
        assert following.bounding_box() == before
    expect(following).to_be_disabled()


def test_a_format_that_the_browser_cannot_show_leaves_the_thumbnail(open_page, stub, gallery):
    heic = gallery.result("a.heic", 0.3) | {"format": "heic"}
    (gallery.photos / heic["url"].rsplit("/", 1)[1]).write_bytes(b"ftypheic")
    other = gallery.result("b.heic", 0.3) | {"format": "heic"}
    preview = gallery.result("preview", 0.3)["url"]
    stub.answers["GET q=boat"] = answer(heic, other | {"preview_url": preview})
    page = open_page("/?q=boat&photo=a.heic", **DESKTOP)
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    page.reload()
    expect(page.locator("#said")).to_have_text(
        "This browser cannot show HEIC here. This is the thumbnail."
    )
    expect(page.locator("#stage img")).to_have_js_property("src", heic["thumbnail_url"])
    page.keyboard.press("ArrowRight")
    expect(page.locator("#stage img")).to_have_js_property("src", preview)
    expect(page.locator("#said")).to_have_text("")
    assert not {heic["url"], other["url"]} & set(requests)  # megabytes that nobody could see


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "gif", "avif", "bmp", None])
def test_a_format_that_browsers_show_is_shown_itself_unless_there_is_a_preview(
    open_page, stub, gallery, kind
):
    original = gallery.result("a", 0.3) | {"format": kind, "preview_url": None}
    large = gallery.result("b", 0.3) | {"format": kind}
    preview = gallery.result("preview", 0.3)["url"]
    stub.answers["GET q=boat"] = answer(original, large | {"preview_url": preview})
    page = open_page("/?q=boat&photo=a", **DESKTOP)
    expect(page.locator("#stage img")).to_have_js_property("src", original["url"])
    page.keyboard.press("ArrowRight")
    expect(page.locator("#stage img")).to_have_js_property("src", preview)


SCALE = "e => new DOMMatrix(getComputedStyle(e).transform).a"


def test_wheel_and_double_click_zoom_and_a_drag_moves(viewer):
    page = viewer(**DESKTOP)
    image = page.locator("#stage img")
    box = page.locator("#stage").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.wheel(0, -500)
    wait_until(page, lambda: image.evaluate(SCALE) > 1.5, "it is zoomed")
    at = image.bounding_box()
    page.mouse.down()
    page.mouse.move(x + 40, y + 30)
    page.mouse.up()
    moved = image.bounding_box()
    assert (moved["x"] - at["x"], moved["y"] - at["y"]) == pytest.approx((40, 30), abs=1)
    page.mouse.dblclick(x, y)
    assert image.evaluate(SCALE) == 1
    page.mouse.dblclick(x, y)
    assert image.evaluate(SCALE) == 2.5
    page.keyboard.press("ArrowRight")
    assert image.evaluate(SCALE) == 1


def touch(page, *paths):
    """Fingers that go along `paths`, each a list of (x, y), all at once."""
    session = page.context.new_cdp_session(page)
    for step, kind in enumerate(["touchStart", *["touchMove"] * (len(paths[0]) - 1)]):
        points = [{"x": p[step][0], "y": p[step][1], "id": n} for n, p in enumerate(paths)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_fingers_swipe_and_pinch_and_tap_twice(viewer):
    page = viewer(**PHONE)
    image = page.locator("#stage img")
    touch(page, [(300, 300), (200, 302), (100, 305)])
    is_viewed(page, 1)
    touch(page, [(100, 300), (200, 302), (300, 305)])
    is_viewed(page, 0)
    touch(page, [(160, 300), (120, 300), (80, 300)], [(200, 300), (240, 300), (280, 300)])
    assert image.evaluate(SCALE) > 3
    touch(page, [(300, 300), (200, 300), (100, 300)])  # moves the zoomed photo
    is_viewed(page, 0)

    def is_whole_after_two_taps():
        for _ in range(2):
            page.touchscreen.tap(180, 300)
        return image.evaluate(SCALE) == 1

    wait_until(page, is_whole_after_two_taps, "two taps come soon enough after each other")
    touch(page, [(180, 200), (180, 350), (180, 500)])
    expect(page.get_by_role("dialog")).to_be_hidden()
    is_at(page, "/?q=boat")


# --- the start page


def test_the_start_page_shows_the_newest_photos_and_recent_searches(open_page, stub, gallery):
    newest = [gallery.result(f"{n}.jpg", 0.3) | {"similarity": None} for n in range(24)]
    stub.answers["GET"] = answer(*newest, next_cursor="n")
    stub.answers["GET q=boat"] = answer(newest[0])
    stub.answers["GET sort=newest"] = answer(*newest)
    page = open_page()
    expect(cards(page)).to_have_count(24)
    is_there(page.locator("#results img"))
    expect(page.get_by_role("heading", name="Newest photos")).to_be_visible()
    recent = page.get_by_role("list", name="Recent searches")
    expect(recent).to_be_hidden()
    page.get_by_label("Search your photos").fill("boat")
    page.keyboard.press("Enter")
    finds(page, 1)
    page.go_back()
    expect(cards(page)).to_have_count(24)
    expect(recent.get_by_role("link")).to_have_text(["boat"])
    recent.get_by_role("link", name="boat").click()
    finds(page, 1)
    page.get_by_role("link", name="clipsearch").click()
    page.get_by_role("button", name="Clear").click()
    expect(recent).to_be_hidden()
    page.get_by_role("link", name="Show all").click()
    says(page, "Newest photos first.")


def test_a_service_that_lists_nothing_leaves_the_suggestions(open_page, stub):
    stub.answers["GET"] = problem(400, "Nothing to look for: give q")
    page = open_page()
    says(page, "500 photos can be searched.")
    expect(page.get_by_role("list", name="Suggestions")).to_be_visible()
    expect(page.get_by_role("heading", name="Newest photos")).to_be_hidden()


def test_each_photo_has_its_colour_before_it_comes(open_page, stub, gallery):
    results = [gallery.result(f"{n}.jpg", 0.3) for n in range(2)]
    results[0]["colour"] = "#336699"
    stub.answers["GET q=boat"] = answer(*results)
    page = open_page("/?q=boat")
    expect(photo(cards(page).first)).to_have_css("background-color", "rgb(51, 102, 153)")
    neutral = page.locator("header input").first.evaluate(
        "e => getComputedStyle(e).backgroundColor"
    )
    expect(photo(cards(page).last)).to_have_css("background-color", neutral)


def test_name_and_date_are_there_on_hover_and_focus_only(open_page, stub, gallery):
    results = [gallery.result(f"{n}.jpg", 0.3) | FACTS for n in range(2)]
    stub.answers["GET q=boat"] = answer(*results)
    page = open_page("/?q=boat")
    finds(page, 2)
    captions = page.locator(".caption")
    page.mouse.move(0, 0)
    expect(captions.first).to_be_hidden()
    cards(page).first.hover()
    expect(captions.first).to_have_text(re.compile(r"0\.jpg\s*Jul 14, 2023"))
    expect(captions.first).to_be_visible()
    expect(captions.last).to_be_hidden()
    photo(cards(page).first).focus()
    page.keyboard.press("ArrowRight")
    expect(captions.last).to_be_visible()
    expect(page.get_by_role("img", name="0.jpg, Jul 14, 2023")).to_be_visible()
