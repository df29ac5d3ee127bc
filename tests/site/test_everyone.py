"""For everyone: a keyboard, a screen reader, a phone, 200 %, the dark, and no motion."""

import re

import pytest
from playwright.sync_api import expect

from tests.site.conftest import WORDS, picture
from tests.site.stub import answer, problem, status
from tests.site.visitor import cards, choose, finds, names, photo, says, search, similar

PHONE = {"viewport": {"width": 360, "height": 640}, "has_touch": True, "is_mobile": True}
DESKTOP = {"viewport": {"width": 1280, "height": 800}}
ZOOMED = {"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2}  # 1280 at 200 %
ZOOMED_MORE = {"viewport": {"width": 320, "height": 200}, "device_scale_factor": 4}
VISITORS: dict[str, dict] = {
    "desktop": DESKTOP,
    "desktop, dark": {**DESKTOP, "color_scheme": "dark"},
    "phone": PHONE,
    "phone, dark": {**PHONE, "color_scheme": "dark"},
    "200 %": ZOOMED,
    "400 %": ZOOMED_MORE,
    "forced colours": {**DESKTOP, "forced_colors": "active"},
}


def assert_nothing_for_axe(page, where):
    from axe_playwright_python.sync_playwright import Axe  # brings axe-core 4.12

    # preload: it would fetch the stylesheets again, which a policy forbids
    results = Axe().run(page, options={"resultTypes": ["violations"], "preload": False})
    assert results.violations_count == 0, f"{where}: {results.generate_report()}"


def assert_no_sideways_scrolling(page):
    # not innerWidth: on a phone it grows with the page
    root = "document.documentElement"
    assert page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth")


@pytest.mark.parametrize("visitor", VISITORS)
def test_axe_finds_nothing_in_any_state_and_nothing_sticks_out(
    visitor, open_page, stub, gallery, tmp_path
):
    odd = ["x" * 800 + ".jpg", "שלום.jpg", "two\nlines.jpg", "<b>.jpg"]
    results = [gallery.result(name, 0.3) for name in [*odd, *(f"{n}.jpg" for n in range(8))]]
    stub.answers["GET q=boat"] = answer(*results)
    stub.answers["GET q=nothing"] = answer()
    stub.answers["GET q=bad"] = problem(500, "internal error")
    stub.answers["POST /embed"] = 200, {"embedding": [1.0], "dim": 1, "picture": "abc"}
    stub.answers["GET q=boat&picture=abc"] = answer(*results)
    page = open_page(**VISITORS[visitor])
    says(page, "500 photos can be searched.")

    def check(where):
        assert_nothing_for_axe(page, where)
        assert_no_sideways_scrolling(page)

    check("start")
    page.locator("#about summary").click()
    check("about")
    page.locator("#about summary").click()
    search(page, "boat")
    finds(page, 12)
    check("results")
    photo(cards(page).first).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    box = page.get_by_role("dialog").bounding_box()
    size = page.viewport_size
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= size["width"]
    assert box["y"] + box["height"] <= size["height"]
    check("viewer")
    page.keyboard.press("Escape")
    expect(photo(cards(page).first)).to_be_focused()
    page.keyboard.press("x")
    expect(page.get_by_role("region", name="Selection")).to_be_visible()
    check("selection")
    page.keyboard.press("Escape")
    page.locator("[data-menu=Order] summary").click()
    expect(page.get_by_role("link", name="Oldest first")).to_be_visible()
    check("menu")
    page.keyboard.press("Escape")
    search(page, "nothing")
    finds(page, 0)
    check("nothing")
    search(page, "boat")
    finds(page, 12)
    choose(page, picture(tmp_path / "mine.png", "red"))
    finds(page, 12)
    check("picture")
    search(page, "bad")
    says(page, re.compile("."))
    check("error")


def test_axe_finds_nothing_on_the_page_that_search_answers_with(browse, stack):
    page = browse(f"{stack.search}?q={WORDS}", **PHONE)
    expect(page.locator("#results li")).to_have_count(24)
    assert_nothing_for_axe(page, "results")
    assert_no_sideways_scrolling(page)
    page.goto(f"{stack.search}?q=")
    assert_nothing_for_axe(page, "error")


def test_on_a_phone_the_keyboard_goes_away_and_failures_are_in_sight(open_page, stub, gallery):
    state = status(500)
    state["photos"]["failed"] = 2
    stub.answers["GET /status"] = 200, state
    stub.answers["GET q=boat"] = answer(gallery.result("1.jpg", 0.3))
    page = open_page(**PHONE)
    expect(page.get_by_label("Search your photos")).to_be_focused()
    page.keyboard.type("boat")
    page.keyboard.press("Enter")
    finds(page, 1)
    expect(page.get_by_label("Search your photos")).not_to_be_focused()
    width = """e => {
      const range = document.createRange();
      const text = e.firstChild;
      range.setStart(text, 0);
      range.setEnd(text, text.data.indexOf("failed") + 6);
      return range.getBoundingClientRect().right;
    }"""
    assert page.locator("#about summary").evaluate(width) < 340


def test_a_narrow_phone_has_two_columns(open_page, stub, gallery):
    stub.answers["GET q=boat"] = answer(*(gallery.result(f"{n}.jpg", 0.3) for n in range(4)))
    page = open_page("/?q=boat", **PHONE)
    finds(page, 4)
    left, right = (cards(page).nth(n).bounding_box() for n in (0, 1))
    assert left["y"] == right["y"]
    assert_no_sideways_scrolling(page)


FOCUSED = """() => {
  const it = document.activeElement;
  return it.getAttribute("aria-label") ?? it.labels?.[0]?.textContent ?? it.textContent.trim();
}"""


def test_everything_is_done_with_the_keyboard_alone(open_page, stub, gallery):
    parts = [[gallery.result(f"{p}-{n}.jpg", 0.3) for n in range(2)] for p in range(2)]
    stub.answers["GET q=boat"] = answer(*parts[0], *parts[1])
    stub.answers["GET like=0-1.jpg"] = answer(*parts[1])
    page = open_page()
    page.mouse.move(0, 0)
    expect(page.get_by_label("Search your photos")).to_be_focused()
    page.keyboard.type("boat")
    page.keyboard.press("Enter")
    finds(page, 4)
    expect(page.get_by_label("Search your photos")).to_be_focused()
    reached = []
    for _ in range(13):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(FOCUSED))
        outline = "(e => getComputedStyle(e).outlineStyle)(document.activeElement)"
        if reached[-1] != "Search by picture":  # its label has the outline
            assert page.evaluate(outline) == "solid"
    assert reached == [
        *("Search by picture", "Search", "Wanted. Make it unwanted", "Edit boat", "Remove boat"),
        *("Start over", "Date", "Folder", "Shape", "Format", "Order"),
        *("0-0.jpg", "0-1.jpg"),  # one stop for each photo
    ]
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="0-1.jpg")
    expect(dialog.get_by_role("button", name="Close")).to_be_focused()
    seen = set()
    for _ in range(12):  # it goes round inside of the dialog, and through the browser itself
        page.keyboard.press("Tab")
        seen.add(page.evaluate(FOCUSED))
    buttons = {"Previous photo", "Next photo", "More like this", "Less like this", "Copy link"}
    assert {"Download original", "Details", *buttons} <= seen
    page.keyboard.press("Escape")
    expect(photo(cards(page).nth(1))).to_be_focused()
    page.keyboard.press("l")  # more like this
    finds(page, 2)
    expect(photo(cards(page).first)).to_be_focused()


def test_arrows_move_through_the_photos_as_through_a_table(open_page, stub, gallery):
    wide = [gallery.result(f"{n}.jpg", 0.3, size=(320, 240)) for n in range(20)]
    stub.answers["GET q=boat"] = answer(*wide)
    page = open_page("/?q=boat", **DESKTOP)
    finds(page, 20)
    tops = [card.bounding_box()["y"] for card in cards(page).all()]
    across = tops.count(tops[0])
    assert 2 < across < 10
    photo(cards(page).first).focus()
    last = 19
    for key, number in (
        *(("ArrowRight", 1), ("ArrowDown", across + 1), ("ArrowLeft", across), ("ArrowUp", 0)),
        *(("ArrowUp", 0), ("ArrowLeft", 0), ("End", last), ("ArrowRight", last), ("Home", 0)),
    ):
        page.keyboard.press(key)
        expect(photo(cards(page).nth(number))).to_be_focused()


def test_a_slash_leads_to_the_field_and_a_question_mark_lists_the_keys(open_page, stub, gallery):
    stub.answers["GET q=boat"] = answer(gallery.result("boat.jpg", 0.3))
    page = open_page("/?q=boat")
    finds(page, 1)
    photo(cards(page).first).focus()
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys")
    expect(keys).to_contain_text("Search field")
    assert_nothing_for_axe(page, "keys")
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    page.keyboard.press("/")
    field = page.get_by_label("Search your photos")
    expect(field).to_be_focused()
    expect(field).to_have_value("")
    page.mouse.wheel(0, 10_000)
    expect(field).to_be_in_viewport()


def test_more_can_be_reached_with_the_keyboard_and_focus_goes_on(open_page, stub, gallery):
    first = [gallery.result(f"{n}.jpg", 0.3) | {"match": "none"} for n in range(24)]
    none = {"count": 0, "estimated": False}
    stub.answers["GET q=boat"] = answer(*first, next_cursor="n", matches=none)
    stub.answers["GET q=boat&cursor=n"] = answer(gallery.result("24.jpg", 0.1))
    page = open_page("/?q=boat", **PHONE)
    says(page, "Nothing matches well. Closest photos:")
    page.get_by_role("button", name="Show more").focus()
    page.keyboard.press("Enter")
    expect(photo(cards(page).nth(24))).to_be_focused()


def test_a_screen_reader_hears_each_state_and_finds_names_for_all(page, stub, gallery):
    stub.answers["GET q=boat"] = answer(gallery.result("boat.jpg", 0.3))
    expect(page.get_by_role("search")).to_be_visible()
    live = page.locator("#status")
    expect(live).to_have_attribute("aria-live", "polite")
    search(page, "boat")
    finds(page, 1)
    expect(
        page.get_by_role("list", name="Photos").get_by_role("img", name="boat.jpg")
    ).to_be_visible()
    photo(cards(page).first).click()
    expect(page.get_by_role("dialog", name="boat.jpg")).to_be_visible()
    # the rest of the page is out of reach meanwhile, so the dialog has live lines of its own
    expect(page.get_by_role("dialog").get_by_role("status")).to_be_attached()


def test_a_screen_reader_hears_group_count_and_position(open_page, stub, gallery):
    results = [
        gallery.result(f"{n}.jpg", 0.3) | {"match": "good" if n < 3 else "maybe"} for n in range(5)
    ]
    matches = {"count": 3, "estimated": False}
    stub.answers["GET q=boat"] = answer(*results, matches=matches)
    page = open_page("/?q=boat")
    says(page, "3 good matches")
    for label, count in (("Good matches", 3), ("Less certain matches", 2)):
        items = page.get_by_role("list", name=label, exact=True).get_by_role("listitem")
        expect(items).to_have_count(count)
        for item in items.all():
            expect(item.get_by_role("link")).to_have_count(1)
    photo(cards(page).first).click()
    for line, text in (("#viewed", "0.jpg"), ("#position", "1 of 5")):
        expect(page.locator(line)).to_have_attribute("aria-live", "polite")
        expect(page.locator(line)).to_have_text(text)
    page.keyboard.press("ArrowRight")
    expect(page.locator("#position")).to_have_text("2 of 5")


def test_a_name_from_right_to_left_has_its_own_direction(page, stub, gallery):
    stub.answers["GET q=boat"] = answer(
        gallery.result("שלום.jpg", 0.3), gallery.result("a.jpg", 0.2)
    )
    stub.answers["GET like=%D7%A9%D7%9C%D7%95%D7%9D.jpg"] = answer(gallery.result("a.jpg", 0.2))
    search(page, "boat")
    finds(page, 2)
    direction = "e => getComputedStyle(e).direction"
    assert page.locator("#results .name").first.evaluate(direction) == "rtl"
    assert page.locator("#results .name").last.evaluate(direction) == "ltr"
    similar(cards(page).first).click()
    finds(page, 1)
    assert page.locator("#asked bdi").evaluate(direction) == "rtl"


def test_nothing_moves_by_itself(open_page, stub, gallery):
    """There is no animation at all, so none has to be taken back for reduced motion."""
    stub.answers["GET q=boat"] = answer(gallery.result("boat.jpg", 0.3))
    page = open_page("/?q=boat", reduced_motion="reduce")
    finds(page, 1)
    photo(cards(page).first).click()
    assert page.evaluate("document.getAnimations().length") == 0
    moving = """() => [...document.querySelectorAll("*")].filter((e) => {
      const style = getComputedStyle(e);
      return style.transitionDuration !== "0s" || style.animationName !== "none"
        || style.scrollBehavior !== "auto";
    }).length"""
    assert page.evaluate(moving) == 0


def test_dark_is_dark_and_light_is_light(open_page):
    colours = []
    for scheme in ("light", "dark"):
        page = open_page(color_scheme=scheme)
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        colours.append(sum(map(int, re.findall(r"\d+", colour))) / 3)
    assert colours[0] > 200
    assert colours[1] < 60


def test_with_a_phone_the_whole_stack_is_searched(visit):
    page = visit(f"?q={WORDS}", **PHONE)
    says(page, re.compile("good matches"))
    assert len(names(page)) >= 24
    photo(cards(page).first).tap()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_role("button", name="Next photo").tap()
    expect(page.locator("#viewed")).to_have_text(" ".join(names(page)[1].split()))
    page.get_by_role("button", name="Close").tap()
    expect(page.get_by_role("dialog")).to_be_hidden()
