"""For everyone: a keyboard, a screen reader, a phone, 200 %, the dark, and no motion."""

import re

import pytest
from playwright.sync_api import expect

from tests.site.conftest import WORDS, answer, picture, problem, status
from tests.site.visitor import cards, choose, names, photo, says, search, similar

PHONE = {"viewport": {"width": 360, "height": 640}, "has_touch": True, "is_mobile": True}
DESKTOP = {"viewport": {"width": 1280, "height": 800}}
ZOOMED = {"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2}  # 1280 at 200 %
VISITORS: dict[str, dict] = {
    "desktop": DESKTOP,
    "desktop, dark": {**DESKTOP, "color_scheme": "dark"},
    "phone": PHONE,
    "phone, dark": {**PHONE, "color_scheme": "dark"},
    "200 %": ZOOMED,
}


def assert_nothing_for_axe(page, where):
    from axe_playwright_python.sync_playwright import Axe  # brings axe-core 4.12

    # preload: it would fetch the stylesheets again, which a policy forbids
    results = Axe().run(page, options={"resultTypes": ["violations"], "preload": False})
    assert results.violations_count == 0, f"{where}: {results.generate_report()}"


def assert_no_sideways_scrolling(page):
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("visitor", VISITORS)
def test_axe_finds_nothing_in_any_state_and_nothing_sticks_out(
    visitor, open_page, stub, gallery, tmp_path
):
    odd = ["x" * 800 + ".jpg", "שלום.jpg", "two\nlines.jpg", "<b>.jpg"]
    results = [gallery.result(name, 0.3) for name in [*odd, *(f"{n}.jpg" for n in range(8))]]
    stub.answers["GET q=boat"] = answer(*results)
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
    says(page, "12 photos like “boat”.")
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
    choose(page, picture(tmp_path / "mine.png", "red"))
    says(page, "12 photos like “boat” and your picture.")
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
    says(page, "1 photo like “boat”.")
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
    says(page, "4 photos like “boat”.")
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
    says(page, "4 photos like “boat”.")
    expect(page.get_by_label("Search your photos")).to_be_focused()
    reached = []
    for _ in range(6):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(FOCUSED))
        outline = "(e => getComputedStyle(e).outlineStyle)(document.activeElement)"
        if reached[-1] != "Search by picture":  # its label has the outline
            assert page.evaluate(outline) == "solid"
    assert reached[:3] == [
        "Search",
        "Search by picture",
        "",
    ]  # "": a picture, whose name is its alt
    assert reached[3:6] == ["More like this: 0-0.jpg", "", "More like this: 0-1.jpg"]

    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="0-1.jpg")
    expect(dialog.get_by_role("button", name="Close")).to_be_focused()
    seen = set()
    for _ in range(8):  # it goes round inside of the dialog, and through the browser itself
        page.keyboard.press("Tab")
        seen.add(page.evaluate(FOCUSED))
    assert {"Original", "Previous photo", "Next photo", "More like this", "Copy link"} <= seen
    page.keyboard.press("Escape")
    expect(photo(cards(page).nth(1))).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    says(page, "2 photos like “0-1.jpg”.")
    expect(photo(cards(page).first)).to_be_focused()


def test_more_can_be_reached_with_the_keyboard_and_focus_goes_on(open_page, stub, gallery):
    first = [gallery.result(f"{n}.jpg", 0.3) for n in range(24)]
    stub.answers["GET q=boat"] = answer(*first, next_cursor="n")
    stub.answers["GET q=boat&cursor=n"] = answer(gallery.result("24.jpg", 0.1))
    page = open_page("/?q=boat", **PHONE)  # far enough to the end for nothing to be asked yet
    says(page, "24 photos like “boat”.")
    page.locator("#more").focus()
    says(page, "25 photos like “boat”.")
    expect(photo(cards(page).nth(24))).to_be_focused()


def test_a_screen_reader_hears_each_state_and_finds_names_for_all(page, stub, gallery):
    stub.answers["GET q=boat"] = answer(gallery.result("boat.jpg", 0.3))
    expect(page.get_by_role("search")).to_be_visible()
    live = page.locator("#status")
    expect(live).to_have_attribute("aria-live", "polite")
    search(page, "boat")
    says(page, "1 photo like “boat”.")
    expect(
        page.get_by_role("list", name="Photos").get_by_role("img", name="boat.jpg")
    ).to_be_visible()
    photo(cards(page).first).click()
    expect(page.get_by_role("dialog", name="boat.jpg")).to_be_visible()
    # the rest of the page is out of reach meanwhile, so the dialog has a live line of its own
    expect(page.get_by_role("dialog").get_by_role("status")).to_be_attached()


def test_a_name_from_right_to_left_has_its_own_direction(page, stub, gallery):
    stub.answers["GET q=boat"] = answer(
        gallery.result("שלום.jpg", 0.3), gallery.result("a.jpg", 0.2)
    )
    stub.answers["GET like=%D7%A9%D7%9C%D7%95%D7%9D.jpg"] = answer(gallery.result("a.jpg", 0.2))
    search(page, "boat")
    says(page, "2 photos like “boat”.")
    direction = "e => getComputedStyle(e).direction"
    assert page.locator("#results .name").first.evaluate(direction) == "rtl"
    assert page.locator("#results .name").last.evaluate(direction) == "ltr"
    similar(cards(page).first).click()
    says(page, "1 photo like “שלום.jpg”.")
    assert page.locator("#status bdi").evaluate(direction) == "rtl"


def test_nothing_moves_by_itself(open_page, stub, gallery):
    """There is no animation at all, so none has to be taken back for reduced motion."""
    stub.answers["GET q=boat"] = answer(gallery.result("boat.jpg", 0.3))
    page = open_page("/?q=boat", reduced_motion="reduce")
    says(page, "1 photo like “boat”.")
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
    says(page, re.compile("good matches for"))
    assert len(names(page)) >= 24
    photo(cards(page).first).tap()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_role("button", name="Next photo").tap()
    expect(page.locator("#viewed")).to_have_text(" ".join(names(page)[1].split()))
    page.get_by_role("button", name="Close").tap()
    expect(page.get_by_role("dialog")).to_be_hidden()
