"""What a visitor sees and does, in Chromium, before a stub of the search function."""

import re
import threading

import pytest
from playwright.sync_api import expect

from tests.site.conftest import answer, picture, png, problem, status


def search(page, words):
    page.get_by_label("What the photos show").fill(words)
    page.get_by_role("button", name="Search", exact=True).click()


def says(page, text):
    expect(page.get_by_role("status")).to_have_text(text)


def cards(page):
    return page.get_by_role("list", name="Photos").get_by_role("listitem")


def test_the_page_says_how_many_photos_there_are_and_asks_nothing_else(page, stub):
    says(page, "500 photos can be searched.")
    assert [(method, path) for method, path, _, _ in stub.asked] == [("GET", "/status")]


def test_words_find_photos_with_name_similarity_and_link(page, stub, gallery):
    results = [gallery.result("boat.jpg", 0.31415), gallery.result("a/car.jpg", 0.2)]
    stub.answers["GET q=a+red+car"] = answer(*results)
    search(page, " a red car ")
    says(page, "2 photos like “a red car”.")
    expect(cards(page)).to_have_count(2)
    first = cards(page).first
    expect(first).to_contain_text("boat.jpg")
    expect(first).to_contain_text("31.4")
    expect(first.get_by_role("link")).to_have_attribute("href", results[0]["url"])
    image = first.get_by_role("img", name="boat.jpg")
    expect(image).to_have_attribute("src", results[0]["thumbnail_url"])
    expect(image).to_have_attribute("width", "320")
    expect(image).to_have_attribute("height", "240")
    page.wait_for_function("document.querySelector('#results img').naturalWidth > 0")
    expect(page.get_by_role("button", name="More", exact=True)).to_be_hidden()


def test_enter_searches_too(page, stub, gallery):
    stub.answers["GET q=boat"] = answer(gallery.result("boat.jpg", 0.3))
    page.get_by_label("What the photos show").fill("boat")
    page.keyboard.press("Enter")
    says(page, "1 photo like “boat”.")


def test_more_adds_the_next_part_and_ends(page, stub, gallery):
    first = [gallery.result(f"{n}.jpg", 0.3) for n in range(3)]
    stub.answers["GET q=boat"] = answer(*first, next_cursor="abc_-1")
    stub.answers["GET q=boat&cursor=abc_-1"] = answer(gallery.result("3.jpg", 0.1))
    search(page, "boat")
    says(page, "3 photos like “boat”.")
    page.get_by_role("button", name="More", exact=True).click()
    says(page, "4 photos like “boat”.")
    expect(cards(page).nth(3)).to_contain_text("3.jpg")
    expect(cards(page).nth(3).get_by_role("link")).to_be_focused()
    expect(page.get_by_role("button", name="More", exact=True)).to_be_hidden()


def test_more_like_this_searches_by_name_and_empties_the_field(page, stub, gallery):
    stub.answers["GET q=boat"] = answer(gallery.result("a b/ü&1.jpg", 0.3))
    stub.answers["GET like=a+b%2F%C3%BC%261.jpg"] = answer(gallery.result("other.jpg", 0.9))
    search(page, "boat")
    page.get_by_role("button", name="More like a b/ü&1.jpg").click()
    says(page, "1 photo like “a b/ü&1.jpg”.")
    expect(cards(page)).to_have_count(1)
    expect(cards(page)).to_contain_text("other.jpg")
    expect(page.get_by_label("What the photos show")).to_have_value("")


def test_a_picture_is_sent_at_once_and_shown(page, stub, gallery, tmp_path):
    stub.answers["POST"] = answer(gallery.result("boat.jpg", 1.0))
    page.get_by_label("By picture").set_input_files(picture(tmp_path / "mine.png", "red"))
    says(page, "1 photo like your picture.")
    _, _, parameters, body = stub.asked[-1]
    assert parameters == {}
    assert b'name="image"; filename="mine.png"' in body
    assert b'name="q"' not in body
    expect(page.get_by_text("mine.png")).to_be_visible()
    page.wait_for_function("document.querySelector('#chosen img').naturalWidth > 0")


def test_a_picture_and_words_are_sent_together_until_the_picture_is_taken_away(
    page, stub, gallery, tmp_path
):
    stub.answers["POST"] = answer(gallery.result("boat.jpg", 0.7), next_cursor="next")
    stub.answers["GET q=blue"] = answer(gallery.result("sea.jpg", 0.3))
    page.get_by_label("What the photos show").fill("blue")
    page.get_by_label("By picture").set_input_files(picture(tmp_path / "mine.png", "red"))
    says(page, "1 photo like “blue” and your picture.")
    body = stub.asked[-1][3]
    assert b'name="q"\r\n\r\nblue' in body
    assert (tmp_path / "mine.png").read_bytes() in body

    page.get_by_role("button", name="More", exact=True).click()
    says(page, "2 photos like “blue” and your picture.")
    body = stub.asked[-1][3]
    assert b'name="cursor"\r\n\r\nnext' in body
    assert (tmp_path / "mine.png").read_bytes() in body

    page.get_by_role("button", name="Search without the picture").click()
    says(page, "1 photo like “blue”.")
    expect(page.get_by_text("mine.png")).to_be_hidden()


def test_a_picture_that_this_browser_cannot_show_is_searched_all_the_same(
    page, stub, gallery, tmp_path
):
    file = tmp_path / "phone.heic"
    file.write_bytes(b"something a browser cannot show")
    stub.answers["POST"] = answer(gallery.result("boat.jpg", 0.7))
    page.get_by_label("By picture").set_input_files(file)
    says(page, "1 photo like your picture.")
    expect(page.get_by_text("phone.heic")).to_be_visible()
    expect(page.locator("#chosen img")).to_be_hidden()


def test_a_missing_thumbnail_falls_back_to_the_photo(page, stub, gallery):
    result = gallery.result("boat.jpg", 0.3, thumbnail=False)
    stub.answers["GET q=boat"] = answer(result)
    search(page, "boat")
    image = page.get_by_role("img", name="boat.jpg")
    expect(image).to_have_attribute("src", result["url"])
    page.wait_for_function("document.querySelector('#results img').naturalWidth > 0")


def test_no_photo_is_said_and_leaves_nothing_of_the_last_answer(page, stub, gallery):
    stub.answers["GET q=boat"] = answer(gallery.result("boat.jpg", 0.3), next_cursor="next")
    stub.answers["GET q=nothing"] = answer()
    search(page, "boat")
    says(page, "1 photo like “boat”.")
    search(page, "nothing")
    says(page, "No photos like “nothing”.")
    expect(cards(page)).to_have_count(0)
    expect(page.get_by_role("button", name="More", exact=True)).to_be_hidden()


def test_a_problem_is_said_in_its_own_words(page, stub, gallery):
    stub.answers["GET q=boat"] = answer(gallery.result("boat.jpg", 0.3))
    stub.answers["POST"] = problem(422, "damaged or cut off JPEG: image file is truncated")
    stub.answers["GET q=busy"] = problem(503, "too many requests are waiting already")
    stub.answers["GET q=broken"] = 502, b"<html>not ours</html>"
    search(page, "boat")
    says(page, "1 photo like “boat”.")
    search(page, "busy")
    says(page, "Too many requests are waiting already.")
    expect(page.get_by_role("status")).to_have_class("error")
    expect(cards(page)).to_have_count(0)
    search(page, "broken")
    says(page, "The search failed (502).")
    picture = {"name": "cut.jpg", "mimeType": "image/jpeg", "buffer": png("red")}
    page.get_by_label("By picture").set_input_files(picture)
    says(page, "Damaged or cut off JPEG: image file is truncated.")
    search(page, "boat")


def test_a_search_function_that_is_not_there_is_named(page, stub, gallery):
    says(page, "500 photos can be searched.")
    stub.close()
    search(page, "boat")
    says(page, f"The search function at {stub.url} cannot be reached.")


def test_a_search_for_nothing_asks_for_words(page, stub):
    says(page, "500 photos can be searched.")
    search(page, "  ")
    says(page, "Type what the photos show, or choose a picture.")
    assert len(stub.asked) == 1


def test_a_text_that_was_cut_is_said_to_be(page, stub, gallery):
    stub.answers["GET q=long"] = answer(gallery.result("boat.jpg", 0.3), truncated=True)
    search(page, "long")
    says(page, "1 photo like “long”. The text was too long and was cut.")


@pytest.fixture
def held(stub):
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


def test_searching_and_waking_up_are_said(page, stub, gallery, held):
    says(page, "500 photos can be searched.")
    release, stub.answers["GET q=boat"] = held(answer(gallery.result("boat.jpg", 0.3)))
    search(page, "boat")
    says(page, "Searching…")
    expect(page.get_by_role("list", name="Photos")).to_have_attribute("aria-busy", "true")
    expect(page.get_by_role("status")).to_contain_text("Waking up")
    release.set()
    says(page, "1 photo like “boat”.")
    expect(page.get_by_role("list", name="Photos")).to_have_attribute("aria-busy", "false")


def test_a_stale_answer_is_dropped(page, stub, gallery, held):
    release, stub.answers["GET q=old"] = held(answer(gallery.result("old.jpg", 0.3)))
    stub.answers["GET q=new"] = answer(gallery.result("new.jpg", 0.3))
    search(page, "old")
    says(page, "Searching…")
    search(page, "new")
    says(page, "1 photo like “new”.")
    with page.expect_response(re.compile("q=old")):
        release.set()
    page.wait_for_timeout(300)
    says(page, "1 photo like “new”.")
    expect(cards(page)).to_have_count(1)
    expect(cards(page)).to_contain_text("new.jpg")


def test_a_stale_error_is_dropped(page, stub, gallery, held):
    release, stub.answers["GET q=old"] = held(problem(500, "something went wrong here"))
    stub.answers["GET q=new"] = answer(gallery.result("new.jpg", 0.3))
    search(page, "old")
    search(page, "new")
    says(page, "1 photo like “new”.")
    with page.expect_response(re.compile("q=old")):
        release.set()
    page.wait_for_timeout(300)
    says(page, "1 photo like “new”.")
    expect(cards(page)).to_have_count(1)


def test_names_and_messages_are_text_and_never_markup(page, stub, gallery):
    evil = '<img src=x onerror="document.title=1"><b>bold</b>.jpg'
    stub.answers["GET q=boat"] = answer(gallery.result(evil, 0.3))
    stub.answers["GET q=bad"] = problem(400, "<script>document.title=2</script>")
    search(page, "boat")
    expect(cards(page)).to_contain_text(evil)
    assert page.locator("#results b").count() == 0
    search(page, "bad")
    says(page, "<script>document.title=2</script>.")
    assert page.title() == "clipsearch"


STOPPED = """() => new Promise((resolve) => {
  document.addEventListener("securitypolicyviolation", (e) => resolve(e.effectiveDirective));
  const script = document.createElement("script");
  script.textContent = "document.title = 'taken over'";
  document.head.append(script);
  setTimeout(() => resolve("nothing was stopped"), 5000);
})"""


def test_the_policy_forbids_what_the_page_does_not_bring(browser, gallery):
    page = browser.new_page()  # not open_page: here the browser is right to complain
    page.goto(gallery.url)
    assert page.evaluate(STOPPED) == "script-src-elem"
    assert page.title() == "clipsearch"
    page.close()


def test_a_narrow_phone_needs_no_sideways_scrolling(open_page, stub, gallery):
    names = ["x" * 200 + ".jpg", *(f"{n}.jpg" for n in range(8))]
    stub.answers["GET q=boat"] = answer(
        *(gallery.result(name, 0.3) for name in names), next_cursor="next"
    )
    page = open_page(viewport={"width": 360, "height": 640})
    search(page, "boat")
    says(page, "9 photos like “boat”.")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    left, right = (cards(page).nth(n).bounding_box() for n in (0, 1))
    assert left["y"] == right["y"]  # two columns


def test_pictures_have_their_place_before_they_come(page, stub, gallery):
    """The height of the grid does not depend on which pictures have arrived."""
    sizes = [(320, 240), (100, 300), (0, 0)]
    results = [gallery.result(f"{n}.jpg", 0.3) for n in range(3)]
    for result, (width, height) in zip(results, sizes, strict=True):
        result |= {"width": width, "height": height}
    page.route(re.compile("/(thumbnails|photos)/"), lambda route: None)
    stub.answers["GET q=boat"] = answer(*results)
    search(page, "boat")
    says(page, "3 photos like “boat”.")
    boxes = [cards(page).nth(n).get_by_role("img").bounding_box() for n in range(3)]
    assert len({round(box["height"]) for box in boxes}) == 1
    assert boxes[0]["height"] > 100
    page.unroute_all(behavior="ignoreErrors")


def test_everything_can_be_reached_with_the_keyboard(page, stub, gallery, tmp_path):
    stub.answers["GET q=boat"] = answer(gallery.result("boat.jpg", 0.3), next_cursor="next")
    expect(page.get_by_label("What the photos show")).to_be_focused()
    page.keyboard.type("boat")
    page.keyboard.press("Enter")
    says(page, "1 photo like “boat”.")
    reached = []
    for _ in range(6):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                "(e => e.getAttribute('aria-label') ?? e.labels?.[0]?.textContent"
                " ?? e.textContent)(document.activeElement) || document.activeElement.tagName"
            )
        )
    assert reached[:2] == ["Search", "By picture"]
    assert "More like boat.jpg" in reached
    assert "More" in reached


def test_without_javascript_the_page_says_what_to_do(open_page):
    page = open_page(java_script_enabled=False)
    expect(page.get_by_text("This page needs JavaScript")).to_be_visible()


def test_one_photo_is_one_photo(open_page, stub):
    stub.answers["GET /status"] = 200, status(1)
    says(open_page(), "1 photo can be searched.")


def test_no_index_yet_is_said_when_the_page_opens(open_page, stub):
    stub.answers["GET /status"] = problem(503, "no model has been published yet")
    says(open_page(), "No model has been published yet.")
