"""What the page says where a search compares only some of the photos."""

from playwright.sync_api import expect

from tests.site.stub import answer
from tests.site.test_filters import open_menu
from tests.site.visitor import cards, photo, says, search

LEAST = {"count": 1280, "estimated": True, "at_least": True}
END = "The list ends here: a search compares at most 1,280 photos."


def limited(gallery, *names, **more):
    """An answer with good matches, of an index whose rows stay in the bucket."""
    good = [gallery.result(name, 0.3) | {"match": "good"} for name in names]
    status, body = answer(*good, **more)
    return status, {**body, "index": body["index"] | {"most_compared": 1280}}


def test_a_lower_bound_of_the_matches_is_told_from_an_estimate(page, stub, gallery):
    for query, matches, line in (
        ("q=boat", LEAST, "At least 1,280 good matches"),
        ("q=boat&sort=newest", LEAST, "At least 1,280 good matches, newest first"),
        ("q=boat&sort=oldest", {"count": 1280, "estimated": True}, "About 1,280 good matches"),
    ):
        stub.answers[f"GET {query}"] = limited(gallery, "1.jpg", matches=matches)
        page.goto(f"{gallery.url}/?{query}")
        expect(page.locator("#status")).to_contain_text(line)


def test_menus_show_lower_bounds(page, stub, gallery):
    formats = [{"format": "jpeg", "photos": 1200}, {"format": "png", "photos": 80}]
    lists = {"years": [], "folders": [], "orientations": [], "formats": formats, "places": 0}
    stub.answers["GET q=boat"] = limited(gallery, "1.jpg", matches=LEAST)
    for estimated, counts in (({"estimated": True}, ["1,200+", "80+"]), ({}, ["1,200", "80"])):
        stub.answers["GET /facets"] = (200, {"photos": 1280, **lists, **estimated})
        page.goto(f"{gallery.url}/?q=boat")
        expect(cards(page)).to_have_count(1)
        expect(open_menu(page, "Format").locator("a span")).to_have_text(counts)


def test_the_end_of_a_limited_list_says_so(page, stub, gallery):
    stub.answers["GET q=boat"] = limited(gallery, "1.jpg", next_cursor="n", matches=LEAST)
    stub.answers["GET q=boat&cursor=n"] = limited(gallery, "2.jpg", matches=None, incomplete=True)
    stub.answers["GET q=car"] = limited(gallery, "3.jpg", matches={"count": 1, "estimated": False})
    search(page, "car")
    says(page, "1 good match")
    end = page.get_by_text("The list ends here")
    expect(end).to_be_hidden()
    search(page, "boat")
    expect(cards(page)).to_have_count(2)
    expect(end).to_have_text(END)
    expect(end).to_be_visible()
    assert end.bounding_box()["y"] > photo(cards(page).last).bounding_box()["y"]
    page.go_back()
    says(page, "1 good match")
    expect(end).to_be_hidden()
    page.go_forward()  # from the history, without a request
    expect(end).to_have_text(END)
    expect(end).to_be_visible()
    assert page.evaluate("shifts") == []
