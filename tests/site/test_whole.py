"""What a visitor does before the whole stack: the page, both functions and real pictures."""

import io
import re
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.site.conftest import DRAWN, HOSTILE, WORDS, add_photo, mushrooms
from tests.site.visitor import (
    as_file,
    asked,
    cards,
    choose,
    names,
    photo,
    says,
    search,
    similar,
    wait_until,
)
from tests.support.pictures import encoded
from tests.support.running_stack import get
from tests.support.waiting import PATIENCE, wait_for

# What the page says above results of the demo model, also for a photo.
SAID = re.compile(r"^(About )?([\d,]+ good match(es)?|Nothing matches well\. Closest photos:)$")
ALL = DRAWN + len(HOSTILE)
NARROW: dict = {"viewport": {"width": 360, "height": 740}}


def found(page, *chips):
    """The names on the page once the answer is there; to what the chips say, if given."""
    if chips:
        expect(page.locator("#asked .words")).to_have_text(list(chips))
    expect(page.locator("#results")).to_have_attribute("aria-busy", "false")
    says(page, SAID)
    return names(page)


def test_words_a_suggestion_and_a_shared_link_find_the_same(visit):
    page = visit()
    says(page, f"{ALL} photos can be searched.")
    page.get_by_role("link", name=WORDS).click()
    first = found(page)[:24]
    assert set(first[: len(HOSTILE)]) == set(HOSTILE)
    assert page.title() == f"{WORDS} · clipsearch"
    other = visit(page.url.rsplit("/", 1)[1])  # a browser of its own
    assert found(other)[:24] == first
    assert asked(other) == [f"+ {WORDS}"]


def test_back_and_forward_show_each_search_again_without_asking(visit):
    page = visit()
    search(page, WORDS)
    first = found(page, WORDS)
    search(page, "a red car at night")
    second = found(page, "a red car at night")
    assert first[:24] != second[:24]
    name = second[3]
    similar(cards(page).nth(3)).click()
    found(page, name)
    asked_for = []
    page.on("request", lambda request: asked_for.append(request.url))
    page.go_back()
    assert found(page, "a red car at night")[:24] == second[:24]
    page.go_back()
    assert found(page, WORDS)[:24] == first[:24]
    page.go_forward()
    found(page, "a red car at night")
    page.go_back()
    page.go_back()
    expect(page.get_by_role("list", name="Suggestions")).to_be_visible()
    assert [url for url in asked_for if "q=" in url and "cursor" not in url] == []


def show_more(page, number):
    """Until there is a photo `number`."""
    while cards(page).count() <= number:
        more = page.get_by_role("button", name="Show more")
        if more.is_visible():
            more.click()
        page.wait_for_timeout(20)


def test_who_comes_back_from_elsewhere_finds_answer_and_place_as_they_were(visit, stack):
    page = visit(f"?q={WORDS}")
    found(page)
    show_more(page, 24)
    cards(page).nth(20).scroll_into_view_if_needed()
    before = names(page)
    place = page.evaluate("scrollY")
    assert place > 0
    page.goto(f"{stack.search}health")
    page.go_back()
    found(page)
    assert names(page)[: len(before)] == before
    wait_for(lambda: abs(page.evaluate("scrollY") - place) < 50, "it is scrolled")


def test_going_back_leads_to_the_place_and_the_photo_that_was_left(visit):
    page = visit(f"?q={WORDS}")
    found(page)
    show_more(page, 60)
    card = cards(page).nth(60)
    card.scroll_into_view_if_needed()
    name = names(page)[60]
    photo(card).focus()  # may scroll, too
    place = page.evaluate("scrollY")
    page.keyboard.press("l")
    found(page, name)
    assert page.evaluate("scrollY") == 0
    show_more(page, 25)
    cards(page).nth(20).scroll_into_view_if_needed()
    second = page.evaluate("scrollY")
    page.wait_for_timeout(300)  # scrolling has ended
    page.go_back()
    found(page, WORDS)
    assert abs(page.evaluate("scrollY") - place) < 5
    expect(photo(cards(page).nth(60))).to_be_focused()
    page.go_forward()
    found(page, name)
    assert abs(page.evaluate("scrollY") - second) < 5


def test_more_like_this_is_a_link_for_a_new_tab_too(visit):
    page = visit(f"?q={WORDS}")
    name = found(page)[2]
    with page.context.expect_page() as opened:
        similar(cards(page).nth(2)).click(modifiers=["Control"])
    found(opened.value, name)
    found(page, WORDS)


def test_reloading_asks_again(visit):
    page = visit(f"?q={WORDS}")
    found(page)
    with page.expect_request(lambda request: "?q=" in request.url and ":8" not in request.url):
        page.reload()
    assert set(found(page)[: len(HOSTILE)]) == set(HOSTILE)


def test_a_search_by_picture_is_a_link_too(visit, stack):
    page = visit()
    data = mushrooms(1)
    choose(page, as_file(data, "mine.jpg", "image/jpeg"))
    first = found(page, "mine.jpg")
    assert first[0] == HOSTILE[1]
    other = visit(page.url.rsplit("/", 1)[1])
    assert found(other)[:24] == first[:24]
    expect(other.get_by_text("A picture", exact=True)).to_be_visible()

    page.get_by_label("Search your photos").fill("at night")
    page.keyboard.press("Enter")
    says(page, "Closest photos first.")  # several terms have no numbers for matches
    assert names(page)[:24] != first[:24]
    page.go_back()
    found(page, "mine.jpg")
    expect(page.get_by_text("mine.jpg")).to_be_visible()


def test_a_link_to_a_picture_that_another_model_has_seen_says_so(visit, stack):
    seen = httpx.post(
        f"{stack.search}embed", files={"image": mushrooms(1)}, timeout=PATIENCE
    ).json()
    old = "A" * 8 + seen["picture"][8:]  # the space comes first
    page = visit(f"?picture={old}")
    says(page, "This picture link belongs to another model. Choose the picture again.")
    expect(cards(page)).to_have_count(0)
    choose(page, as_file(mushrooms(1), "mine.jpg", "image/jpeg"))
    assert found(page, "mine.jpg")[0] == HOSTILE[1]


def test_a_picture_scaled_down_finds_what_the_whole_one_finds(visit, stack):
    large = Image.open(io.BytesIO(mushrooms(1))).resize((3000, 3000), Image.Resampling.BICUBIC)
    data = encoded(large, "JPEG", quality=95)
    page = visit()
    with page.expect_request(re.compile("/embed")) as sent:
        choose(page, as_file(data, "large.jpg", "image/jpeg"))
    found(page, "large.jpg")
    assert sent.value.sizes()["requestBodySize"] < 200_000 < len(data)
    whole = stack.results_like(data)
    assert names(page)[:5] == [result["name"] for result in whole[:5]]


@pytest.mark.parametrize("name", HOSTILE, ids=["markup", "address", "rtl", "long", "newline"])
def test_a_hostile_name_is_a_name(visit, name):
    page = visit(f"?q={WORDS}")
    found(page)
    card = cards(page).nth(names(page).index(name))
    image = card.get_by_role("img")
    assert image.get_attribute("alt") == name
    assert card.locator(".name").text_content() == name
    foreign = "document.querySelectorAll('#results img:not(.photo img)').length"
    assert page.evaluate(foreign) == 0  # none came from a name
    photo(card).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert page.locator("#viewed").text_content() == name
    link = page.get_by_role("link", name="Download original")
    original = link.get_attribute("href")
    assert link.get_attribute("download") == name.rsplit("/", 1)[-1]
    assert get(original).headers["content-type"] == "image/jpeg"
    expect(page.locator("#stage img")).to_have_js_property("src", original)
    expect(page.locator("#stage img")).to_have_js_property("naturalWidth", 480)
    page.get_by_role("dialog").get_by_role("button", name="More like this").click()
    expect(page.locator("#asked bdi")).to_have_count(1)
    expect(page.locator("#asked .words")).not_to_have_text(WORDS)
    assert page.locator("#asked bdi").text_content() == name.rsplit("/", 1)[-1]
    assert name not in found(page)
    assert page.title().startswith(" ".join(name.split())[:40])
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_scrolling_shows_every_photo_once_while_uploads_land(visit, stack):
    before = {result["name"] for result in stack.results(q=WORDS, limit=100)}
    page = visit(f"?q={WORDS}", viewport={"width": 800, "height": 400})
    found(page)
    new, kept = [f"upload-{n}.jpg" for n in range(3)], {}
    try:
        for n, name in enumerate(new):
            add_photo(stack.photos, name, mushrooms(10 + n))
        # the last ones are shown under new scores, before what is shown already
        last = [result["name"] for result in stack.results(q=WORDS, limit=100)][-2:]
        for n, name in enumerate(last):
            kept[name] = (stack.photos / name).read_bytes()
            add_photo(stack.photos, name, mushrooms(20 + n))
        # and one that is shown already comes again further down, where it is shown no more
        shown_already = names(page)[0]
        kept[shown_already] = (stack.photos / shown_already).read_bytes()
        add_photo(stack.photos, shown_already, encoded(Image.new("RGB", (480, 480)), "PNG"))
        wait_for(lambda: stack.names(q=WORDS)[0] != shown_already, "it is found further down")
        wait_for(lambda: stack.counts()[0] == len(before) + len(new), "the uploads are found")
        wait_for(lambda: last[0] in stack.names(q=WORDS), "the overwritten ones are found")

        def is_all_shown():
            page.mouse.wheel(0, 2000)
            more = page.get_by_role("button", name="Show more")
            if more.is_visible():
                more.click()
            return before - set(names(page)) <= set(last) and page.locator("#more").is_hidden()

        wait_until(page, is_all_shown, "every photo is shown")
        page.mouse.wheel(0, 100_000)
        expect(page.locator("#more")).to_be_hidden()
        shown = names(page)
        assert len(shown) == len(set(shown))
        assert set(shown) - before <= set(new)
    finally:
        for name in new:
            (stack.photos / name).unlink(missing_ok=True)
        for name, data in kept.items():
            add_photo(stack.photos, name, data)
        wait_for(lambda: stack.counts()[0] == len(before), "the uploads are gone")
        best = slice(len(HOSTILE))
        wait_for(lambda: set(stack.names(q=WORDS)[best]) == set(HOSTILE), "all is as it was")


def test_the_larger_view_is_walked_through_with_the_keyboard(visit):
    page = visit(f"?q={WORDS}")
    shown = found(page)
    photo(cards(page).nth(1)).focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    expect(dialog).to_have_accessible_name(" ".join(shown[1].split()))
    opened = page.evaluate("history.length")
    for key, number in (("ArrowRight", 2), ("ArrowRight", 3), ("ArrowLeft", 2), ("Home", 0)):
        page.keyboard.press(key)
        assert page.locator("#viewed").text_content() == shown[number]
    page.keyboard.press("ArrowLeft")
    assert page.locator("#viewed").text_content() == shown[0]
    page.keyboard.press("Home")
    for number in range(1, 31):  # on into what was not yet on the page
        expect(cards(page).nth(number)).to_be_attached()
        page.keyboard.press("ArrowRight")
    assert page.locator("#viewed").text_content() == names(page)[30]
    expect(dialog.get_by_text("Match", exact=True)).to_be_visible()
    assert page.evaluate("history.length") == opened  # one entry for the viewer
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(photo(cards(page).nth(30))).to_be_focused()


def test_the_link_of_a_photo_can_be_copied(visit, stack):
    page = visit(f"?q={WORDS}", permissions=["clipboard-read", "clipboard-write"])
    shown = found(page)
    photo(cards(page).nth(2)).click()
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator("#said")).to_have_text("Link copied.")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert dict(parse_qsl(urlsplit(copied).query)) == {"photo": shown[2]}
    assert copied.startswith(stack.page)
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_a_link_that_cannot_be_copied_is_shown(visit):
    page = visit(f"?q={WORDS}")
    found(page)
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(); }")
    photo(cards(page).nth(2)).click()
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator("#said")).to_contain_text("Copy this link yourself: http://127.0.0.1")


def test_a_click_for_a_new_tab_is_left_to_the_browser(visit):
    page = visit(f"?q={WORDS}")
    found(page)
    with page.context.expect_page() as opened:
        photo(cards(page).first).click(modifiers=["Control"])
    expect(opened.value.get_by_role("dialog")).to_be_visible()
    assert "&photo=" in opened.value.url
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_the_status_line_counts_the_photos(visit, stack):
    page = visit()
    summary = page.locator("#about summary")
    expect(summary).to_have_text(
        re.compile(rf"^{ALL} photos · demo model: knows drawn scenes only · updated ")
    )
    says(page, f"{ALL} photos can be searched.")
    summary.click()
    expect(page.locator("#about li").first).to_have_text(f"{ALL} files in {stack.photos}")
    assert get(f"{stack.page}/progress.json").json() == {"files": ALL, "waiting": 0}


def test_without_javascript_the_form_is_answered_with_a_page_in_the_same_style(visit, stack):
    page = visit(java_script_enabled=False)
    here = page.locator("body").evaluate("e => getComputedStyle(e).backgroundColor")
    page.get_by_label("Search your photos").fill(WORDS)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{stack.page}/search/?q={WORDS.replace(' ', '+')}")
    expect(page.locator("#status")).to_contain_text(f"“{WORDS}”")
    expect(page.locator("#results li")).to_have_count(24)
    assert page.locator("body").evaluate("e => getComputedStyle(e).backgroundColor") == here
    grid = page.locator("#results").evaluate("e => getComputedStyle(e).display")
    assert grid == "flex"
    names = page.locator("#results .name").all_text_contents()
    assert set(names[: len(HOSTILE)]) == set(HOSTILE)
    page.get_by_role("link", name="More", exact=True).click()
    expect(page.locator("#results li")).to_have_count(24)
    page.get_by_role("link", name="More like this").first.click()
    expect(page.locator("#status")).to_contain_text(".jpg”")
    page.locator("input[type=file]").set_input_files(as_file(mushrooms(1), "m.jpg", "image/jpeg"))
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator("#status")).to_contain_text("your picture")
    expect(page.locator("#results .name").first).to_have_text(HOSTILE[1])
    assert "?picture=" in page.url
    first = set(page.locator("#results .name").all_text_contents())
    page.get_by_role("link", name="More", exact=True).click()
    expect(page.locator("#results .name").first).not_to_have_text(HOSTILE[1])
    assert not first & set(page.locator("#results .name").all_text_contents())
    page.go_back()
    expect(page.locator("#results .name").first).to_have_text(HOSTILE[1])
    page.get_by_role("link", name="clipsearch").click()
    expect(page).to_have_url(f"{stack.page}/index.html")


def test_without_javascript_a_shared_link_leads_to_its_photos(visit, stack):
    page = visit(f"?q={WORDS}&sort=newest&photo=x.jpg", java_script_enabled=False, **NARROW)
    expect(page.locator("[data-menu=Date]")).to_be_hidden()
    page.get_by_role("link", name="Show them on a page without JavaScript").click()
    expect(page).to_have_url(f"{stack.page}/search/?q={WORDS.replace(' ', '+')}&sort=newest")
    expect(page.locator("#status")).to_contain_text(f"“{WORDS}”, newest first")
    assert page.locator("#picture").bounding_box()["width"] > 150
    page = visit(
        f"?photo={HOSTILE[1].replace('%', '%25').replace('#', '%23')}", java_script_enabled=False
    )
    page.get_by_role("link", name="Show them on a page without JavaScript").click()
    expect(page.locator("#results .name")).to_have_text([HOSTILE[1]])


def test_without_javascript_a_picture_goes_with_words(visit, stack):
    page = visit(java_script_enabled=False)
    page.get_by_label("Search your photos").fill("at night")
    choose(page, as_file(mushrooms(1), "mine.jpg", "image/jpeg"))
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator("#status")).to_have_text("24 photos like “at night” and your picture.")
