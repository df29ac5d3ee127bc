"""The start page says what is known about all photos, before a stub of the search function."""

import re

import pytest
from playwright.sync_api import expect

from cli.run.page import site_files
from tests.site.stub import answer, in_turn, problem, status
from tests.site.visitor import cards, says


def test_waking_up_is_said_while_nothing_was_asked(open_page, stub, held):
    release, stub.answers["GET /status"] = held((200, status(3)))
    page = open_page()
    says(page, "Starting up…")
    release.set()
    says(page, "3 photos can be searched.")


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
    expect(cards(page)).to_contain_text(["first.jpg"])


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
