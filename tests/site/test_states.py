"""Each state is said in words, before a stub of the search function that is in it."""

import re
import threading

import pytest
from playwright.sync_api import expect

from cli.costs.assumptions import REQUESTS_OF_A_PAGE
from cli.run.page import site_files
from tests.site.conftest import answer, problem, status
from tests.site.visitor import as_file, cards, choose, finds, photo, says, search, wait_until


@pytest.fixture
def held():
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


def in_turn(*answers):
    """The first answer to the first request, and so on; the last one stays."""
    left = list(answers)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


def test_waking_up_is_said_while_nothing_was_asked(open_page, stub, held):
    release, stub.answers["GET /status"] = held((200, status(3)))
    page = open_page()
    says(page, "Starting up…")
    release.set()
    says(page, "3 photos can be searched.")


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
    expect(cards(page)).to_contain_text("new.jpg")


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
    expect(cards(page)).to_contain_text(evil)
    assert page.locator("#results b").count() == 0
    search(page, "bad")
    says(page, "<script>document.title=2</script>.")
    assert page.title() == "bad · clipsearch"


# --- the status line


def test_the_status_line_says_how_many_photos_which_model_and_when(open_page, stub):
    state = status(1234)
    state["photos"] |= {"objects": 1240, "failed": 2, "skipped": 1, "pending": 4}
    state["failures"] = [
        {"name": "<b>a</b>.jpg", "generation": 1, "reason": "not a picture", "at": "…"},
        {"name": "שלום.jpg", "generation": 2, "reason": "cut off", "at": "…"},
    ]
    state["reconciled"] = {"started": "2026-01-02T03:00:00Z", "at": "2026-01-02T03:04:00Z"}
    state["refused_model"] = {"space": "0123456789ab", "reason": "image.onnx is missing"}
    state["damaged"] = [{"object": "segments/1.npz", "reason": "cut off"}]
    stub.answers["GET /status"] = 200, state
    page = open_page()
    summary = page.locator("#about summary")
    expect(summary).to_have_text(
        re.compile(
            r"^1,234 photos · demo model: knows drawn scenes only · 2 photos could not be read"
            r" · 1 other file skipped · damaged · updated Jan \d, 2026, .*M$"
        )
    )
    expect(page.get_by_text("not a picture")).to_be_hidden()
    summary.click()
    for line in (
        "Model clipsearch-demo, space 4eff4b054a22",
        "clipsearch 1.2.3",
        "1,240 files in the bucket on Jan",
        "4 waiting to be indexed",
        "A new model (0123456789ab) cannot be used: image.onnx is missing",
        "Damaged: segments/1.npz: cut off",
        "Cannot be indexed: “<b>a</b>.jpg”: not a picture",
        "Cannot be indexed: “שלום.jpg”: cut off",
    ):
        expect(page.locator("#about li").filter(has_text=line)).to_be_visible()
    assert page.locator("#about b").count() == 0
    # a name from right to left turns nothing around but itself
    assert page.locator("#about bdi").all_text_contents() == ["<b>a</b>.jpg", "שלום.jpg"]


def test_one_photo_is_one_photo(open_page, stub):
    stub.answers["GET /status"] = 200, status(1)
    page = open_page()
    says(page, "1 photo can be searched.")
    expect(page.locator("#about summary")).to_contain_text("1 photo · demo model")


@pytest.mark.parametrize("model", ["clipsearch-demo", "openai/clip-vit-base-patch32"])
def test_the_demo_model_says_what_it_knows(open_page, stub, model):
    stub.answers["GET /status"] = 200, status(3) | {"model": model}
    page = open_page()
    says(page, "3 photos can be searched.")
    said = " · demo model: knows drawn scenes only" if model == "clipsearch-demo" else ""
    expect(page.locator("#about summary")).to_contain_text(f"3 photos{said} · updated")
    page.locator("#about summary").click()
    expect(page.locator("#about")).to_contain_text(f"Model {model}, space 4eff4b054a22")


def test_no_index_yet_is_said_when_the_page_opens_and_waited_for(open_page, stub):
    nothing = problem(503, "no model has been published yet", **{"Retry-After": "1"})
    stub.answers["GET /status"] = in_turn(nothing, (200, status(1)))
    page = open_page()
    expect(page.locator("#status")).to_contain_text("No model has been published yet.")
    says(page, "1 photo can be searched.")


def test_the_line_about_the_photos_goes_on_while_indexing_does(open_page, stub, gallery):
    def state(indexed, pending):
        state = status(indexed)
        state["photos"] |= {"pending": pending}
        return 200, state

    stub.answers["GET /status"] = in_turn(state(100, 2900), state(1550, 1450), state(3000, 0))
    page = open_page()
    says(page, "100 of 3,000 photos indexed")
    says(page, "1,550 of 3,000 photos indexed, less than a minute left")
    says(page, "3,000 photos can be searched.")
    expect(page.locator("#about summary")).to_contain_text("3,000 photos")


def test_an_empty_library_is_said_and_the_first_photo_appears(open_page, stub, gallery):
    none, one = status(0), status(1)
    none["photos"]["pending"] = one["photos"]["pending"] = 0
    stub.answers["GET /status"] = in_turn((200, none), (200, one))
    stub.answers["GET"] = in_turn(answer(), answer(gallery.result("first.jpg", 0.3)))
    page = open_page()
    says(page, "No photos yet. Add some; they appear here within seconds.")
    says(page, "1 photo can be searched.")
    expect(cards(page)).to_contain_text("first.jpg")


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


def test_what_this_server_knows_of_its_folder_is_said_before_any_reconcile(
    open_page, stub, gallery
):
    def known(files, waiting):
        progress = {"files": files, "waiting": waiting}
        gallery.server.generated |= site_files(stub.url, [], "~/Pictures", progress)

    known(0, 0)
    stub.answers["GET /status"] = 200, status(0)
    page = open_page()
    says(page, "No photos yet. Add some to ~/Pictures; they appear here within seconds.")
    known(3000, 2688)
    stub.answers["GET /status"] = 200, status(312)
    expect(page.locator("#status")).to_contain_text("312 of 3,000 photos indexed")
    expect(page.locator("#status")).to_contain_text(" left")
    known(3012, 0)
    state = status(3000)
    state["photos"] |= {"failed": 4, "skipped": 8}
    stub.answers["GET /status"] = 200, state
    says(page, "3,000 photos can be searched.")
    summary = page.locator("#about summary")
    expect(summary).to_contain_text("4 photos could not be read · 8 other files skipped")
    summary.click()
    expect(page.locator("#about li").first).to_have_text("3,012 files in ~/Pictures")


def test_the_last_photos_are_counted_though_search_sees_them_a_moment_later(
    open_page, stub, gallery
):
    def known(waiting):
        progress = {"files": 3, "waiting": waiting}
        gallery.server.generated |= site_files(stub.url, [], "~/Pictures", progress)

    known(1)
    stub.answers["GET /status"] = 200, status(2)
    page = open_page()
    says(page, "2 of 3 photos indexed")
    known(0)
    says(page, "2 photos can be searched.")
    stub.answers["GET /status"] = 200, status(3)
    says(page, "3 photos can be searched.")


def test_a_start_page_without_search_offers_to_try_again(open_page, stub, gallery):
    gone = [problem(500, "internal error")]
    stub.answers["GET /status"] = lambda: gone[0] if gone else (200, status(1))
    stub.answers["GET"] = lambda: gone[0] if gone else answer(gallery.result("a.jpg", 0.3))
    page = open_page()
    says(page, "Internal error. Retry")
    gone.clear()
    page.get_by_role("button", name="Retry").click()
    says(page, "1 photo can be searched.")
    expect(cards(page)).to_have_count(1)


def test_a_list_says_how_many_photos_it_has(open_page, stub, gallery):
    stub.answers["GET folder=a%2F&sort=newest"] = answer(gallery.result("a/1.jpg", 0.3), total=1234)
    page = open_page("/?folder=a%2F&sort=newest")
    says(page, "1,234 photos, newest first")
