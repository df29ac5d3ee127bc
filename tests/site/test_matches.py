"""What the page says of the number of photos, and how it parts them."""

from playwright.sync_api import expect

from tests.site.stub import answer, in_turn, problem
from tests.site.visitor import cards, finds, photo, says, search


def test_no_photo_is_said_and_leaves_nothing_of_the_last_answer(page, stub, gallery):
    stub.answers["GET q=boat"] = answer(gallery.result("boat.jpg", 0.3))
    stub.answers["GET q=nothing"] = answer()
    search(page, "boat")
    finds(page, 1)
    search(page, "nothing")
    finds(page, 0)
    expect(cards(page)).to_have_count(0)
    expect(page.locator("#more")).to_be_hidden()


def test_the_number_of_good_matches_is_said_and_stays_on_later_pages(page, stub, gallery):
    for count, estimated, line in (
        (1, False, "1 good match"),
        (2, False, "2 good matches"),
        (12345, True, "About 12,345 good matches"),
        (0, False, "Nothing matches well. Closest photos:"),
    ):
        matches = {"count": count, "estimated": estimated}
        good = {"match": "good" if count else "none"}
        first = answer(gallery.result("1.jpg", 0.3) | good, next_cursor="n", matches=matches)
        stub.answers["GET q=boat"] = first
        last = gallery.result("2.jpg", 0.2) | {"match": "none"}
        stub.answers["GET q=boat&cursor=n"] = answer(last, matches=None)
        search(page, "boat")
        if not count:
            page.get_by_role("button", name="Show more").click()
        expect(cards(page)).to_have_count(2)
        says(page, line)
        stub.answers["GET q=car"] = answer(gallery.result("3.jpg", 0.2), matches=None)
        search(page, "car")
        finds(page, 1)  # of a model without the numbers


def test_a_line_parts_good_matches_from_others_and_below_it_a_button_shows_more(
    page, stub, gallery
):
    matches = ["good"] * 3 + ["maybe"] * 2
    results = [
        gallery.result(f"{n}.jpg", 0.3) | {"match": match, "confidence": 0.83 - n / 10}
        for n, match in enumerate(matches)
    ]
    found = {"count": 3, "estimated": False}
    stub.answers["GET q=boat"] = answer(*results, next_cursor="n", matches=found)
    none = gallery.result("none.jpg", 0.1) | {"match": "none", "confidence": 0.01}
    stub.answers["GET q=boat&cursor=n"] = answer(none, matches=None)
    search(page, "boat")
    says(page, "3 good matches")
    line = page.get_by_role("heading", name="Less certain")
    expect(line).to_be_visible()
    good = page.get_by_role("list", name="Good matches").get_by_role("listitem")
    expect(good).to_have_count(3)
    assert good.last.bounding_box()["y"] < line.bounding_box()["y"]
    others = page.get_by_role("list", name="Less certain matches")
    assert others.bounding_box()["y"] > line.bounding_box()["y"]
    page.mouse.wheel(0, 10_000)
    page.wait_for_timeout(200)
    assert len(cards(page).all()) == 5  # nothing comes by itself
    page.get_by_role("button", name="Show more").click()
    expect(cards(page)).to_have_count(6)
    expect(others.locator(".name")).to_have_text(["3.jpg", "4.jpg", "none.jpg"])
    photo(cards(page).first).click()
    expect(page.locator("#details")).to_contain_text("Match0.83")


def test_all_good_matches_are_selected_also_those_that_are_not_loaded_yet(page, stub, gallery):
    def part(first, last, match):
        return [gallery.result(f"{n}.jpg", 0.3) | {"match": match} for n in range(first, last)]

    found = {"count": 40, "estimated": False}
    stub.answers["GET q=boat"] = answer(*part(0, 24, "good"), next_cursor="n", matches=found)
    rest = answer(*part(24, 40, "good"), *part(40, 50, "none"), next_cursor="m")
    stub.answers["GET q=boat&cursor=n"] = problem(500, "internal error")  # nothing by itself
    stub.answers["GET q=boat&cursor=n&limit=100"] = in_turn(problem(500, "internal error"), rest)
    search(page, "boat")
    says(page, "40 good matches")
    photo(cards(page).first).focus()
    page.keyboard.press("x")
    every = page.get_by_role("button", name="Select all good matches")
    every.click()
    expect(page.locator("#trouble")).to_have_text("Internal error. Retry")
    expect(page.locator("#selection > p")).to_have_text("1 selected")
    every.click()
    expect(page.locator("#selection > p")).to_have_text("40 selected")
    expect(page.locator(".chosen")).to_have_count(40)


def test_a_pile_opens_in_place_and_closes(page, stub, gallery):
    near = [gallery.result(f"{name}.jpg", 0.3) | {"also": []} for name in ("1b", "1c")]
    leader = gallery.result("1.jpg", 0.3) | {"also": near}
    stub.answers["GET q=boat"] = answer(leader, gallery.result("2.jpg", 0.2))
    search(page, "boat")
    finds(page, 2)
    pile = page.get_by_role("button", name="3 nearly the same: 1.jpg")
    expect(pile).to_have_attribute("aria-expanded", "false")
    pile.click()
    expect(cards(page).locator(".name")).to_have_text(["1.jpg", "1b.jpg", "1c.jpg", "2.jpg"])
    expect(pile).to_have_attribute("aria-expanded", "true")
    photo(cards(page).first).click()
    expect(page.locator("#viewed")).to_have_text("1.jpg")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#viewed")).to_have_text("1b.jpg")
    page.keyboard.press("Escape")
    pile.click()
    expect(cards(page).locator(".name")).to_have_text(["1.jpg", "2.jpg"])


def test_a_list_says_how_many_photos_it_has(open_page, stub, gallery):
    stub.answers["GET folder=a%2F&sort=newest"] = answer(gallery.result("a/1.jpg", 0.3), total=1234)
    page = open_page("/?folder=a%2F&sort=newest")
    says(page, "1,234 photos, newest first")
