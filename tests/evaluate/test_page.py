"""The report is one file that a browser shows without asking for anything else."""

import shutil

from tests.evaluate.conftest import figures_in
from tests.support.browser import chromium


def test_a_browser_shows_table_and_plot_and_asks_for_nothing_else(demo):
    recall = figures_in(demo)["recall"]
    with chromium() as browser:
        page = browser.new_page()
        asked, errors = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: errors.append(message.text))
        address = (demo / "evaluate.html").as_uri()
        page.goto(address)
        assert (asked, errors) == ([address], [])
        rows = [row.inner_text().split("\t") for row in page.locator("tr").all()]
        assert rows[0] == ["recall", "R@1", "R@5", "R@10"]
        found = [f"{recall['text_to_image'][k]:.3f}" for k in ("1", "5", "10")]
        assert rows[1] == ["text to image, through search", *found]
        assert ["text to image, ViT-B/32, LAION-2B", "0.393", "0.654", "0.756"] in rows
        titles = [img.get_attribute("aria-labelledby") for img in page.get_by_role("img").all()]
        assert titles == ["plot-title", "reliability-title"]
        bins = figures_in(demo)["matching"]["calibration"]["bins"]
        assert page.locator("svg[aria-labelledby=reliability-title] circle").count() == len(bins)
        assert page.locator("svg polyline").count() == 3 + 4
        left, right = page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        assert left <= right
        page.close()


def test_a_name_is_shown_as_it_is(library):
    library.path = library.path.rename(library.folder / "<b>bold.json")
    library.evaluate()
    html = (library.folder / "out" / "evaluate.html").read_text()
    assert "&lt;b&gt;bold.json" in html
    assert "<b>" not in html


def test_it_may_be_moved(demo, tmp_path):
    """Nothing in it points to a place."""
    html = shutil.copy(demo / "evaluate.html", tmp_path / "x.html").read_text()
    for pointer in ("src=", "href=", "url(", "@import", "<script", "<link"):
        assert pointer not in html
