"""Each state of a search is said in words, before a stub of the search function that is in it."""

import pytest
from playwright.sync_api import expect

from cli.costs.assumptions import REQUESTS_OF_A_PAGE
from tests.site.stub import answer, in_turn, problem, status
from tests.site.visitor import as_file, cards, choose, finds, photo, says, search, wait_until


def test_searching_and_waking_up_are_said(page, stub, gallery, held):
    says(page, "500 photos can be searched.")
    page.clock.install()
    release, stub.answers["GET q=boat"] = held(answer(gallery.result("boat.jpg", 0.3)))
    search(page, "boat")
    says(page, "Searching…")
    photos = page.locator("#results")
    expect(photos).to_have_attribute("aria-busy", "true")
    page.clock.run_for(2_000)
    expect(page.locator("#status")).to_contain_text("Starting up")
    release.set()
    finds(page, 1)
    expect(photos).to_have_attribute("aria-busy", "false")


def test_what_will_be_replaced_is_pale_and_what_is_added_to_is_not(page, stub, gallery, held):
    stub.answers["GET q=boat"] = answer(gallery.result("1.jpg", 0.3), next_cursor="n")
    more, stub.answers["GET q=boat&cursor=n"] = held(answer(gallery.result("2.jpg", 0.2)))
    other, stub.answers["GET q=car"] = held(answer(gallery.result("3.jpg", 0.2)))
    search(page, "boat")
    expect(page.locator("#trouble")).to_have_text("Loading more…")
    photos = page.locator("#results")
    expect(photos).to_have_attribute("aria-busy", "true")
    expect(photos.locator("ul")).to_have_css("opacity", "1")
    more.set()
    finds(page, 2)
    search(page, "car")
    says(page, "Searching…")
    expect(photos.locator("ul")).to_have_css("opacity", "0.6")
    other.set()
    finds(page, 1)
    expect(photos.locator("ul")).to_have_css("opacity", "1")


def test_busy_is_said_and_asked_again_after_what_retry_after_says(page, stub, gallery):
    page.clock.install()
    busy = problem(503, "too many requests are waiting", **{"Retry-After": "1000"})
    stub.answers["GET q=boat"] = in_turn(busy, answer(gallery.result("boat.jpg", 0.3)))
    search(page, "boat")
    says(page, "Too many requests are waiting. Trying again in 1000 s…")
    page.clock.fast_forward(500_000)
    assert [q for _, _, q, _ in stub.asked].count({"q": "boat"}) == 1
    page.clock.fast_forward(500_000)
    finds(page, 1)
    assert [q for _, _, q, _ in stub.asked].count({"q": "boat"}) == 2


def test_it_gives_up_in_the_end(page, stub, gallery):
    page.clock.install()
    busy = problem(503, "too many requests are waiting", **{"Retry-After": "30"})
    stub.answers["GET q=boat"] = busy
    search(page, "boat")
    for _ in range(4):
        says(page, "Too many requests are waiting. Trying again in 30 s…")
        asked = len(stub.asked)
        page.clock.run_for(30_000)
        wait_until(page, lambda: len(stub.asked) > asked, "it asks again")  # noqa: B023
    says(page, "Too many requests are waiting. Retry")
    expect(page.locator("#status")).to_have_class("error")
    assert len([path for _, path, q, _ in stub.asked if path == "/" and q]) == 5


def test_who_asks_for_something_else_waits_for_nothing(page, stub, gallery):
    busy = problem(503, "too many requests are waiting", **{"Retry-After": "1000"})
    stub.answers["GET q=old"] = in_turn(busy, answer(gallery.result("old.jpg", 0.3)))
    stub.answers["GET q=new"] = answer(gallery.result("new.jpg", 0.3))
    page.clock.install()
    search(page, "old")
    says(page, "Too many requests are waiting. Trying again in 1000 s…")
    search(page, "new")
    finds(page, 1)
    page.clock.fast_forward(1_200_000)
    page.wait_for_timeout(100)
    finds(page, 1)
    assert [q["q"] for _, path, q, _ in stub.asked if "q" in q and path == "/"] == ["old", "new"]


def test_offline_is_said_and_the_search_goes_on_when_the_network_is_back(page, stub, gallery):
    says(page, "500 photos can be searched.")
    stub.answers["GET q=boat"] = answer(gallery.result("boat.jpg", 0.3))
    page.context.set_offline(True)
    search(page, "boat")
    says(page, "You are offline. The search continues when you are back online.")
    page.context.set_offline(False)
    finds(page, 1)


def test_a_search_function_that_is_not_there_is_asked_twice(page, stub, gallery):
    says(page, "500 photos can be searched.")
    stub.close()
    page.clock.install()
    search(page, "boat")
    gone = "Search is not reachable right now."
    says(page, f"{gone} Trying again in 2 s…")
    page.clock.run_for(2_000)
    says(page, f"{gone} Retry")
    expect(page.get_by_role("button", name="Retry")).to_be_visible()


def test_a_problem_is_said_in_its_own_words(page, stub, gallery):
    stub.answers["GET q=boat"] = answer(gallery.result("boat.jpg", 0.3))
    stub.answers["GET q=bad"] = problem(500, "internal error")
    stub.answers["GET q=broken"] = 502, b"<html>not ours</html>"
    search(page, "boat")
    finds(page, 1)
    search(page, "bad")
    says(page, "Internal error. Retry")
    expect(page.locator("#status")).to_have_class("error")
    expect(cards(page)).to_have_count(0)
    search(page, "broken")
    says(page, "The search failed (502). Retry")


def test_a_damaged_picture_and_what_is_none_are_said(page, stub):
    stub.answers["POST /embed"] = problem(422, "damaged or cut off JPEG: image file is truncated")
    choose(page, as_file(b"half", "cut.jpg", "image/jpeg"))
    says(page, "Damaged or cut off JPEG: image file is truncated.")
    asked = len(stub.asked)
    choose(page, as_file(b"words", "notes <b>.pdf", "application/pdf"))
    says(page, "“notes <b>.pdf” is not a picture.")
    assert len(stub.asked) == asked


def test_the_state_of_the_search_overwrites_no_error(open_page, stub, held):
    release, stub.answers["GET /status"] = held((200, status(3)))
    stub.answers["POST /embed"] = problem(422, "damaged or cut off JPEG: image file is truncated")
    page = open_page()
    choose(page, as_file(b"half", "cut.jpg", "image/jpeg"))
    says(page, "Damaged or cut off JPEG: image file is truncated.")
    release.set()
    expect(page.locator("#about summary")).to_contain_text("3 photos")
    says(page, "Damaged or cut off JPEG: image file is truncated.")


def test_a_picture_that_is_too_large_is_not_sent(page, stub, tmp_path):
    says(page, "500 photos can be searched.")
    stub.answers["POST /embed"] = problem(413, "the request is too large; …")
    large = tmp_path / "large.heic"
    with large.open("wb") as file:
        file.truncate(20_000_001)
    choose(page, large)
    says(page, "The picture is too large. Choose one of at most 20 MB.")
    assert [path for _, path, _, _ in stub.asked].count("/embed") == 0
    choose(page, as_file(bytes(1_000), "large.heic", "image/heic"))
    expect(page.locator("#status")).to_have_text(
        "The picture is too large. Choose one of at most 20 MB."
    )


def test_a_text_that_was_cut_is_said_to_be(page, stub, gallery):
    stub.answers["GET q=long"] = answer(gallery.result("boat.jpg", 0.3), truncated=True)
    search(page, "long")
    says(page, "Closest photos first. The text was too long and was cut.")


@pytest.mark.parametrize(
    "then", [answer(), problem(500, "internal error")], ids=["answer", "error"]
)
def test_a_slow_answer_that_was_overtaken_is_dropped(page, stub, gallery, held, then):
    release, stub.answers["GET q=old"] = held(then)
    stub.answers["GET q=new"] = answer(gallery.result("new.jpg", 0.3))
    search(page, "old")
    with page.expect_event("requestfailed", lambda request: "q=old" in request.url):
        search(page, "new")  # and the function need not go on with it
    finds(page, 1)
    release.set()
    page.wait_for_timeout(300)
    finds(page, 1)
    expect(cards(page)).to_have_count(1)
    expect(cards(page)).to_contain_text(["new.jpg"])


def test_a_part_that_failed_can_be_asked_for_again(page, stub, gallery):
    stub.answers["GET q=boat"] = answer(gallery.result("1.jpg", 0.3), next_cursor="n")
    failed = problem(500, "internal error")
    stub.answers["GET q=boat&cursor=n"] = in_turn(failed, answer(gallery.result("2.jpg", 0.2)))
    search(page, "boat")
    finds(page, 1)
    expect(page.locator("#trouble")).to_have_text("Internal error. Retry")
    expect(page.locator("#trouble")).to_be_in_viewport()
    page.get_by_role("button", name="Retry", exact=True).click()
    finds(page, 2)
    expect(photo(cards(page).nth(1))).to_be_focused()
    expect(page.locator("#more")).to_be_hidden()


def test_names_and_messages_are_text_and_never_markup(page, stub, gallery):
    evil = '<img src=x onerror="document.title=1"><b>bold</b>.jpg'
    stub.answers["GET q=boat"] = answer(gallery.result(evil, 0.3))
    stub.answers["GET q=bad"] = problem(400, "<script>document.title=2</script>")
    search(page, "boat")
    expect(cards(page)).to_contain_text([evil])
    assert page.locator("#results b").count() == 0
    search(page, "bad")
    says(page, "<script>document.title=2</script>.")
    assert page.title() == "bad · clipsearch"


# --- the status line


def test_too_many_requests_without_a_time_are_asked_again(page, stub, gallery):
    many = 429, {}  # of Cloud Run
    stub.answers["GET q=boat"] = in_turn(many, answer(gallery.result("boat.jpg", 0.3)))
    page.clock.install()
    search(page, "boat")
    says(page, "Too many people are searching right now. Trying again in 2 s…")
    page.clock.run_for(2_000)
    finds(page, 1)


def test_a_client_that_asked_too_often_reads_why_and_is_let_in_again(page, stub, gallery):
    often = problem(
        429, "more than 120 requests a minute came from your address", **{"Retry-After": "3"}
    )
    stub.answers["GET q=boat"] = in_turn(often, answer(gallery.result("boat.jpg", 0.3)))
    page.clock.install()
    search(page, "boat")
    why = "More than 120 requests a minute came from your address."
    says(page, f"{why} Trying again in 3 s…")
    page.clock.run_for(3_000)
    finds(page, 1)


def test_a_visit_asks_for_no_more_than_the_costs_assume(page, stub, gallery):
    says(page, "500 photos can be searched.")
    stub.answers["GET q=boat"] = answer(gallery.result("boat.jpg", 0.3))
    search(page, "boat")
    finds(page, 1)
    wait_until(page, lambda: any(path == "/embed" for _, path, _, _ in stub.asked), "waking")
    others = [path for _, path, parameters, _ in stub.asked if parameters.get("q") != "boat"]
    assert sorted(others) == ["/", "/embed", "/status"]
    assert len(others) + 1 == REQUESTS_OF_A_PAGE  # 1: the counts of a menu of filters
