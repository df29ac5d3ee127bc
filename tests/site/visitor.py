"""What a visitor does and sees, in a test's words."""

import re

from PIL import Image
from playwright.sync_api import expect

from tests.support.pictures import encoded
from tests.support.waiting import wait_for


def wait_until(page, condition, what):
    """wait_for, but requests that are routed go on meanwhile."""

    def is_so():
        page.wait_for_timeout(20)
        return condition()

    wait_for(is_so, what)


def search(page, words):
    """Searches by `words` in place of the last text."""
    field = page.get_by_label("Search your photos")
    field.press("Backspace")  # the last text comes back into the field
    field.fill(words)
    field.press("Enter")


def says(page, text, **how):
    expect(page.locator("#status")).to_have_text(text, **how)


def is_at(page, end):
    """Waits for an address that ends so."""
    expect(page).to_have_url(re.compile(f"{re.escape(end)}$"))


def finds(page, count, **how):
    """`count` photos of a model without the numbers for matches."""
    expect(page.locator("#results")).to_have_attribute("aria-busy", "false")
    says(page, "Closest photos first." if count else "No photos found.", **how)
    expect(cards(page)).to_have_count(count)


def cards(page):
    """Compare their texts with a list: one text fails at once while there are other photos."""
    return page.locator("#results li")


def photo(card):
    """The link around the picture."""
    return card.locator(".photo")


def similar(card):
    """The link that a mouse finds on the photo."""
    card.hover()
    return card.locator(".similar")


def asked(page):
    """The chips, as texts such as "+ boat" and "- night"."""
    chips = """all => all.map((e) => e.innerText
      .replace(/\\s*\\u00d7$/, "").replace("\\u2212", "-").replace(/\\s+/g, " "))"""
    return page.locator("#asked .chip").evaluate_all(chips)


def names(page):
    """The names of the photos on the page, in order."""
    return page.locator("#results .name").evaluate_all("all => all.map((e) => e.textContent)")


def is_there(image):
    """Waits for its bytes. Page.wait_for_function would evaluate, which the policy forbids."""
    expect(image.first).not_to_have_js_property("naturalWidth", 0)


def choose(page, *picture):
    """Pick a picture: a path, or what as_file() gives."""
    page.locator("#picture").set_input_files(*picture)


def noise(size, format="PNG", **options):
    """The bytes of a picture that does not compress."""
    return encoded(Image.effect_noise(size, 80).convert("RGB"), format, **options)


def as_file(data, name="mine.png", type="image/png"):
    return {"name": name, "mimeType": type, "buffer": data}


TRANSFER = """([bytes, name, type, text]) => {
  const data = new DataTransfer();
  if (bytes.length) data.items.add(new File([new Uint8Array(bytes)], name, { type }));
  if (text) data.setData("text/plain", text);
  return data;
}"""


def drop(page, data, name="mine.png", type="image/png", text=None):
    transfer = page.evaluate_handle(TRANSFER, [list(data or b""), name, type, text])
    page.dispatch_event("main", "dragover", {"dataTransfer": transfer})
    page.dispatch_event("main", "drop", {"dataTransfer": transfer})


def paste(page, data, where="body", text=None):
    transfer = page.evaluate_handle(TRANSFER, [list(data or b""), "image.png", "image/png", text])
    page.evaluate(
        """([where, clipboardData]) => document.querySelector(where).dispatchEvent(
          new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }))""",
        [where, transfer],
    )
