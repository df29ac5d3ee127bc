"""The page in Firefox, before the whole stack: what must work in a second engine."""

from tests.site.conftest import HOSTILE, WORDS
from tests.support.firefox import firefox

ENTER = "\ue007"
SHOWN = "[...document.querySelectorAll('#results .name')].map((it) => it.textContent)"
IS_OPEN = "document.querySelector('#viewer').open"


def test_search_viewer_back_and_filters_work_in_firefox(stack, tmp_path):
    with firefox(tmp_path) as page:
        page.go(stack.page)
        page.wait_for("document.querySelector('#status').textContent.includes('can be searched')")
        page.wait_for("document.activeElement.id === 'words'")
        page.type(WORDS + ENTER)
        page.wait_for("document.querySelector('#status').textContent.includes('good match')")
        assert set(page.value(SHOWN)[: len(HOSTILE)]) == set(HOSTILE)
        page.wait_for("document.querySelector('#results img').naturalWidth > 0")
        searched = page.value("location.href")

        page.click("#results .photo")
        page.wait_for(f"{IS_OPEN} && document.querySelector('#stage img').naturalWidth === 480")
        assert "&photo=" in page.value("location.href")
        page.back()
        page.wait_for(f"!{IS_OPEN}")
        assert page.value("location.href") == searched

        page.click("[data-menu=Format] summary")
        page.wait_for("document.querySelectorAll('[data-menu=Format] a').length > 1")
        page.click("[data-menu=Format] li:last-child a")
        page.wait_for("location.href.includes('format=jpeg')")
        page.wait_for("document.querySelectorAll('#asked .chip').length === 2")
        page.wait_for("document.querySelector('#results').ariaBusy === 'false'")
        assert len(page.value(SHOWN)) >= 24
        sideways = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not page.value(sideways)
