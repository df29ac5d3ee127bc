"""Filters, order and selection, before the whole stack with photos of several years."""

import csv
import io
import json
import re
import zipfile
from collections import Counter

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.site.conftest import add_photo, running
from tests.site.test_everyone import assert_nothing_for_axe
from tests.site.visitor import cards, names, photo, wait_until
from tests.support.pictures import encoded

TAKEN = 0x9003  # DateTimeOriginal
COLOURS = ("crimson", "teal", "gold", "navy", "plum", "olive", "coral")
# name → when it was taken, and its size
PHOTOS = {
    "2022/Oslo/a.jpg": ("2022:12:31 23:59:59", (320, 240)),
    "2023/Rome/b.jpg": ("2023:07:14 18:03:22", (320, 240)),
    "2023/Rome/c.jpg": ("2023:07:15 08:00:00", (240, 320)),
    "2023/Pisa/d.jpg": ("2023:12:01 00:00:00", (240, 240)),
    "e.png": (None, (320, 240)),
}
BY_DATE = ["2023/Pisa/d.jpg", "2023/Rome/c.jpg", "2023/Rome/b.jpg", "2022/Oslo/a.jpg"]


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dated")
    photos = folder / "photos"
    for colour, (name, (taken, size)) in zip(COLOURS, PHOTOS.items(), strict=False):
        exif = Image.Exif()
        if taken:
            exif.get_ifd(0x8769)[TAKEN] = taken
        kind = "PNG" if name.endswith("png") else "JPEG"
        add_photo(photos, name, encoded(Image.new("RGB", size, colour), kind, exif=exif))
    with running(folder, photos) as stack:
        yield stack


def open_menu(page, name):
    menu = page.locator(f"[data-menu={name}]")
    menu.locator("summary").click()
    expect(menu.get_by_role("link").first).to_be_visible()
    return menu


def shows(page, *expected):
    expect(page.locator("#results .name")).to_have_text(list(expected))


def test_menus_count_the_photos_and_their_entries_filter(visit):
    page = visit("?sort=newest")
    expect(cards(page)).to_have_count(len(PHOTOS))
    dates = open_menu(page, "Date")
    expect(dates.get_by_role("link", name="2022 1")).to_be_visible()
    assert_nothing_for_axe(page, "an open menu")
    dates.get_by_role("link", name="2023 3").click()
    shows(page, *BY_DATE[:3])
    expect(page.locator("#asked .chip")).to_have_text([re.compile("2023")])
    open_menu(page, "Date").get_by_role("link", name="July 2").click()
    shows(page, *BY_DATE[1:3])
    expect(page.locator("#asked .words")).to_have_text(["July 2023"])
    open_menu(page, "Shape").get_by_role("link", name="portrait 1").click()
    shows(page, BY_DATE[1])
    page.go_back()
    shows(page, *BY_DATE[1:3])
    page.get_by_role("button", name="Remove July 2023").click()
    page.wait_for_url(lambda url: "after" not in url)


def test_folders_open_one_level_at_a_time_and_lead_up_again(visit):
    page = visit("?sort=newest")
    open_menu(page, "Folder").get_by_role("link", name="2023/ 3").click()
    shows(page, *BY_DATE[:3])
    open_menu(page, "Folder").get_by_role("link", name="Rome/ 2").click()
    shows(page, *BY_DATE[1:3])
    open_menu(page, "Folder").get_by_role("link", name="↑ 2023/").click()
    shows(page, *BY_DATE[:3])
    open_menu(page, "Folder").get_by_role("link", name="All folders").click()
    expect(cards(page)).to_have_count(len(PHOTOS))


def test_the_order_can_be_turned_round_and_formats_chosen(visit):
    page = visit("?format=jpeg&sort=newest")
    shows(page, *BY_DATE)
    open_menu(page, "Order").get_by_role("link", name="Oldest first").click()
    shows(page, *reversed(BY_DATE))
    formats = open_menu(page, "Format")
    expect(formats.get_by_role("link", name="JPEG 4")).to_have_attribute("aria-current", "true")
    formats.get_by_role("link", name="PNG 1").click()
    shows(page, "e.png")


def test_a_menu_closes_with_escape_and_by_a_click_elsewhere(visit):
    page = visit("?sort=newest")
    menu = open_menu(page, "Format")
    page.keyboard.press("Escape")
    expect(menu).not_to_have_attribute("open", "")
    menu = open_menu(page, "Format")
    page.locator("#status").click()
    expect(menu).not_to_have_attribute("open", "")


# --- selection


def pick(card):
    card.hover()
    card.locator(".pick").click()


def selected(page, count):
    expect(page.locator("#selection > p")).to_have_text(f"{count} selected")


def saved(page, action):
    with page.expect_download() as coming:
        action()
    return coming.value.path().read_bytes()


def test_photos_are_selected_by_mouse_and_downloaded_as_a_zip(visit, stack):
    page = visit()
    page.context.add_init_script("delete window.showSaveFilePicker")  # the dialog of the system
    page.goto(f"{stack.page}/?sort=newest")
    pick(cards(page).first)
    selected(page, 1)
    assert_nothing_for_axe(page, "a selection")
    photo(cards(page).nth(2)).click(modifiers=["Shift"])
    selected(page, 3)
    chosen = names(page)[:3]
    data = saved(page, lambda: page.get_by_role("button", name="Download").click())
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        found = {name: archive.read(name) for name in archive.namelist()}
    assert found == {name: (stack.photos / name).read_bytes() for name in chosen}


def test_lists_have_the_facts_of_the_selected_photos(visit):
    page = visit("?format=jpeg&sort=newest")
    pick(cards(page).first)
    page.get_by_role("button", name="Select all 4 shown").click()
    selected(page, 4)
    page.get_by_text("Copy or save a list").click()
    as_json = json.loads(saved(page, page.get_by_role("button", name="Save as JSON").click))
    assert [row["name"] for row in as_json] == BY_DATE
    assert as_json[1]["taken"] == "2023-07-15T08:00:00"
    text = saved(page, page.get_by_role("button", name="Save as CSV").click).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["name"] for row in rows] == BY_DATE
    assert Counter(row["format"] for row in rows) == {"jpeg": 4}
    page.get_by_role("button", name="Clear", exact=True).click()
    expect(page.locator("#selection")).to_be_hidden()


def test_keys_select_and_a_new_search_ends_the_selection(visit):
    page = visit("?sort=newest")
    photo(cards(page).first).focus()
    page.keyboard.press("x")
    selected(page, 1)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+X")
    selected(page, 2)
    page.keyboard.press("Escape")
    expect(page.locator("#selection")).to_be_hidden()
    page.keyboard.press("x")
    selected(page, 1)
    open_menu(page, "Format").get_by_role("link", name="PNG 1").click()
    shows(page, "e.png")
    expect(page.locator("#selection")).to_be_hidden()


def test_a_long_press_selects_and_a_tap_adds(browser, visit):
    page = visit("?sort=newest", has_touch=True, viewport={"width": 390, "height": 844})
    expect(cards(page)).to_have_count(len(PHOTOS))
    box = cards(page).first.bounding_box()
    touch = page.context.new_cdp_session(page)
    at = [{"x": box["x"] + 20, "y": box["y"] + 20}]
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": at})
    selected(page, 1)
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    wait_until(page, lambda: page.locator(".selecting").count() == 1, "the selection")
    photo(cards(page).nth(1)).tap()
    selected(page, 2)


def test_a_photo_that_cannot_be_read_comes_as_a_link(visit, stack):
    page = visit()
    page.context.add_init_script("delete window.showSaveFilePicker")
    page.context.route("**/photos/e.png", lambda route: route.abort())
    page.goto(f"{stack.page}/?format=png")
    pick(cards(page).first)
    page.get_by_role("button", name="Download").click()
    link = page.locator("#selection").get_by_role("link", name="e.png")
    expect(link).to_have_attribute("href", re.compile("/photos/e.png$"))


def test_menus_count_all_photos_where_nothing_matches_well(visit):
    page = visit("?q=three+purple+boats+at+night")
    expect(page.locator("#status")).to_contain_text("Nothing matches well")
    dates = open_menu(page, "Date")
    dates.get_by_role("link", name="2023 3").click()
    expect(cards(page)).to_have_count(3)
