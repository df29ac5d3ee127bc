"""On paper, in forced colours, from right to left, and on little room."""

import pytest
from playwright.sync_api import expect

from tests.site.stub import answer
from tests.site.test_everyone import (
    DESKTOP,
    PHONE,
    ZOOMED,
    ZOOMED_MORE,
    assert_no_sideways_scrolling,
    assert_nothing_for_axe,
)
from tests.site.visitor import cards, finds, photo, says


def test_on_paper_there_are_the_photos_side_by_side_and_no_controls(open_page, stub, gallery):
    stub.answers["GET q=boat"] = answer(*(gallery.result(f"{n}.jpg", 0.3) for n in range(30)))
    page = open_page("/?q=boat", **DESKTOP)
    finds(page, 30)
    photo(cards(page).first).focus()
    page.keyboard.press("ArrowRight")
    page.emulate_media(media="print")
    for hidden in ("header", "#filters", "#asked", "footer", ".caption", ".pick"):
        for node in page.locator(hidden).all():
            expect(node).to_be_hidden()
    says(page, "Closest photos first.")
    boxes = [card.bounding_box() for card in cards(page).all()]
    for n, one in enumerate(boxes):
        assert one["width"] > 100
        for other in boxes[:n]:
            assert (
                one["x"] >= other["x"] + other["width"]
                or one["y"] >= other["y"] + other["height"]
                or other["y"] >= one["y"] + one["height"]
            )
    assert_no_sideways_scrolling(page)
    assert page.pdf().startswith(b"%PDF")


def test_in_forced_colours_borders_show_what_colours_showed(open_page, stub, gallery):
    stub.answers["GET q=boat"] = answer(*(gallery.result(f"{n}.jpg", 0.3) for n in range(3)))
    page = open_page("/?q=boat", forced_colors="active")
    finds(page, 3)
    for bordered in (page.locator(".chip"), photo(cards(page).first)):
        expect(bordered).to_have_css("border-top-style", "solid")
    photo(cards(page).first).focus()
    page.keyboard.press("x")
    chosen = cards(page).first.locator(".pick")
    expect(chosen).to_have_attribute("aria-pressed", "true")
    colour = "e => getComputedStyle(e).backgroundColor"
    others = cards(page).nth(1).locator(".pick")
    assert chosen.evaluate(colour) != others.evaluate(colour)
    page.mouse.move(0, 0)
    photo(cards(page).nth(1)).focus()
    expect(photo(cards(page).first)).to_have_css("outline-style", "solid")


FROM_RIGHT = (
    """addEventListener("DOMContentLoaded", () => (document.documentElement.dir = "rtl"))"""
)


def test_from_right_to_left_the_first_photo_is_on_the_right(browser, gallery, stub):
    stub.answers["GET q=boat"] = answer(*(gallery.result(f"{n}.jpg", 0.3) for n in range(12)))
    for visitor in (DESKTOP, PHONE):
        with browser.new_context(**visitor) as context:
            context.add_init_script(FROM_RIGHT)
            page = context.new_page()
            page.goto(f"{gallery.url}/?q=boat")
            finds(page, 12)
            first, second = (cards(page).nth(n).bounding_box() for n in (0, 1))
            room = page.locator("#end").bounding_box()
            right = first["x"] + first["width"]
            assert right == pytest.approx(room["x"] + room["width"], abs=1)
            assert second["x"] < first["x"]
            photo(cards(page).first).focus()
            page.keyboard.press("ArrowLeft")
            expect(photo(cards(page).nth(1))).to_be_focused()
            assert_no_sideways_scrolling(page)
            photo(cards(page).first).click()
            expect(page.get_by_role("dialog")).to_be_visible()
            assert_nothing_for_axe(page, "viewer")


@pytest.mark.parametrize("visitor", [ZOOMED, ZOOMED_MORE, PHONE], ids=["200 %", "400 %", "360 px"])
def test_on_little_room_all_is_reached(open_page, stub, gallery, visitor):
    stub.answers["GET q=boat"] = answer(*(gallery.result(f"{n}.jpg", 0.3) for n in range(12)))
    page = open_page("/?q=boat", **visitor)
    finds(page, 12)
    page.locator("[data-menu=Order] summary").click()
    entry = page.get_by_role("link", name="Oldest first")
    entry.scroll_into_view_if_needed()
    box = entry.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= visitor["viewport"]["width"]
    page.keyboard.press("Escape")
    photo(cards(page).first).click()
    dialog = page.get_by_role("dialog")
    names_ = ("Close", "Next photo", "More like this", "Copy link", "Details")
    for name in names_:
        button = dialog.get_by_role("button", name=name, exact=True)
        expect(button).to_be_in_viewport(ratio=0.9)
    expect(page.locator("#stage img")).to_be_in_viewport()
    assert page.locator("#stage").bounding_box()["height"] > 40
    dialog.get_by_role("button", name="Details").click()
    original = dialog.get_by_role("link", name="Download original")
    original.scroll_into_view_if_needed()
    expect(original).to_be_in_viewport()
