"""Searching by words, by a picture and by both, before a stub of the search function."""

import io

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.site.conftest import picture
from tests.site.stub import answer, problem
from tests.site.visitor import (
    as_file,
    asked,
    cards,
    choose,
    drop,
    finds,
    is_at,
    is_there,
    names,
    noise,
    paste,
    photo,
    says,
    search,
    similar,
    wait_until,
)
from tests.support.pictures import encoded, turning

TOKEN = "abc_-1"
POSTED = (200, {"embedding": [1.0], "dim": 1, "picture": TOKEN})


def sent_picture(stub):
    """The bytes of the picture that was posted last."""
    [*_, body] = [body for method, _, _, body in stub.asked if method == "POST"]
    head, _, rest = body.partition(b"\r\n\r\n")
    return head, rest[: rest.rindex(b"\r\n--")]


@pytest.fixture
def by_picture(stub, gallery):
    """The stub has answers for a picture, alone and with the word blue."""
    stub.answers["POST /embed"] = POSTED
    stub.answers[f"GET picture={TOKEN}"] = answer(gallery.result("boat.jpg", 0.9))
    for both in (f"q=blue&picture={TOKEN}", f"picture={TOKEN}&q=blue"):
        stub.answers[f"GET {both}"] = answer(gallery.result("sea.jpg", 0.7))
    stub.answers["GET q=blue"] = answer(gallery.result("sky.jpg", 0.3))


def test_the_page_asks_for_the_state_and_the_newest_photos_and_nothing_else(page, stub):
    says(page, "500 photos can be searched.")
    asked_for = sorted((method, path, query) for method, path, query, _ in stub.asked)
    assert asked_for == [("GET", "/", {}), ("GET", "/status", {})]


def test_words_find_photos_with_a_name_and_a_place_for_each(page, stub, gallery):
    results = [gallery.result("boat.jpg", 0.31415), gallery.result("a/car.jpg", 0.2)]
    stub.answers["GET q=a+red+car"] = answer(*results)
    search(page, " a red car ")
    finds(page, 2)
    expect(cards(page)).to_have_count(2)
    first = cards(page).first
    expect(first).to_contain_text("boat.jpg")
    expect(first).not_to_contain_text("31.4")
    expect(photo(first)).to_have_attribute("href", "?q=a+red+car&photo=boat.jpg")
    image = first.get_by_role("img", name="boat.jpg")
    expect(image).to_have_attribute("src", results[0]["thumbnail_url"])
    is_there(page.locator("#results img"))


def test_photos_without_a_similarity_are_shown_without_one(page, stub, gallery):
    """As for words with a picture, which are two terms."""
    results = [gallery.result("boat.jpg", 1.5), gallery.result("car.jpg", 0.5)]
    stub.answers["GET q=boat"] = answer(*({**one, "similarity": None} for one in results))
    search(page, "boat")
    finds(page, 2)
    photo(cards(page).first).click()
    expect(page.locator("#viewer")).to_contain_text("boat.jpg")
    expect(page.locator("#viewer")).not_to_contain_text("Similarity")


def test_who_begins_to_type_wakes_the_models_half_for_texts_once(page, stub):
    page.get_by_label("Search your photos").type("boat")
    says(page, "500 photos can be searched.")

    def woken():
        return [path for _, path, _, _ in stub.asked].count("/embed")

    wait_until(page, woken, "the models are woken")
    page.wait_for_timeout(200)
    assert woken() == 1


def test_suggestions_are_links_that_search(page, stub, gallery):
    links = page.get_by_role("list", name="Suggestions").get_by_role("link")
    expect(links).to_have_text(["a red car", "boats & <b>"])
    expect(links.nth(1)).to_have_attribute("href", "?q=boats+%26+%3Cb%3E")
    stub.answers["GET q=a+red+car"] = answer(gallery.result("car.jpg", 0.3))
    links.first.click()
    finds(page, 1)
    assert asked(page) == ["+ a red car"]
    expect(links.first).to_be_hidden()


def test_more_like_this_searches_by_name_and_empties_the_field(page, stub, gallery):
    stub.answers["GET q=boat"] = answer(gallery.result(" a b/ü&1.jpg", 0.3))
    stub.answers["GET like=+a+b%2F%C3%BC%261.jpg"] = answer(gallery.result("other.jpg", 0.9))
    search(page, "boat")
    similar(cards(page).first).click()
    expect(cards(page)).to_contain_text(["other.jpg"])
    finds(page, 1)
    assert asked(page) == ["+ ü&1.jpg"]
    expect(page.get_by_label("Search your photos")).to_have_value("")


def test_a_small_picture_is_sent_as_it_is_and_shown(page, stub, by_picture, tmp_path):
    file = picture(tmp_path / "mine.png", "red")
    choose(page, file)
    finds(page, 1)
    head, sent = sent_picture(stub)
    assert b'name="image"; filename="mine.png"' in head
    assert sent == file.read_bytes()
    expect(page.get_by_text("mine.png")).to_be_visible()
    is_there(page.locator("#asked img"))


def test_a_large_picture_is_scaled_down_before_it_is_sent(page, stub, by_picture, tmp_path):
    large = tmp_path / "large.jpg"
    large.write_bytes(noise((1600, 1200), "JPEG", quality=95))
    assert large.stat().st_size > 1_000_000
    choose(page, large)
    finds(page, 1)
    _, sent = sent_picture(stub)
    assert len(sent) < 400_000
    with Image.open(io.BytesIO(sent)) as image:
        assert (image.format, image.size) == ("JPEG", (683, 512))


def test_a_turned_photo_is_sent_upright_and_what_is_transparent_is_white(page, stub, by_picture):
    image = Image.effect_noise((1800, 1200), 40).convert("RGB")
    image.paste("red", (0, 0, 900, 1200))
    turned = encoded(image, "JPEG", quality=95, exif=turning(6))
    choose(page, as_file(turned, "turned.jpg", "image/jpeg"))
    finds(page, 1)
    upright = Image.open(io.BytesIO(sent_picture(stub)[1]))
    assert upright.size == (512, 768)
    assert upright.getpixel((256, 350))[0] > 240  # what was left is above
    assert max(upright.getpixel((256, 350))[1:]) < 15
    assert not upright.getexif()

    clear = Image.effect_noise((600, 600), 80).convert("RGBA")
    clear.paste((0, 0, 0, 0), (0, 0, 300, 600))
    choose(page, as_file(encoded(clear), "clear.png"))
    expect(page.get_by_text("clear.png")).to_be_visible()
    sent = Image.open(io.BytesIO(sent_picture(stub)[1]))
    assert min(sent.getpixel((50, 250))) > 245  # type: ignore[arg-type]  # one band gives a float


def test_a_picture_can_be_dropped(page, stub, by_picture, tmp_path):
    file = picture(tmp_path / "dropped.png", "red").read_bytes()
    drop(page, file, "dropped.png")
    finds(page, 1)
    assert sent_picture(stub)[1] == file
    drop(page, None, text="https://example.org/")
    says(page, "Only files can be dropped here. Save the picture first.")
    is_at(page, f"/?picture={TOKEN}")


def test_of_several_files_the_first_picture_counts(page, stub, by_picture):
    files = [as_file(b"words", "notes.txt", "text/plain"), as_file(b"1", "1.png")]
    transfer = page.evaluate_handle(
        """(files) => {
          const data = new DataTransfer();
          for (const [name, type, text] of files) data.items.add(new File([text], name, { type }));
          return data;
        }""",
        [[file["name"], file["mimeType"], file["buffer"].decode()] for file in files],
    )
    page.dispatch_event("main", "drop", {"dataTransfer": transfer})
    finds(page, 1)
    assert b'filename="1.png"' in sent_picture(stub)[0]


def test_a_picture_can_be_pasted_and_text_goes_into_the_field(page, stub, by_picture, tmp_path):
    file = picture(tmp_path / "pasted.png", "red").read_bytes()
    paste(page, file)
    finds(page, 1)
    assert sent_picture(stub)[1] == file
    asked = len(stub.asked)
    paste(page, file, "#words", text="both, as from a word processor")
    page.wait_for_timeout(200)
    assert len(stub.asked) == asked


def test_a_phone_offers_its_camera(open_page, stub, by_picture, tmp_path):
    page = open_page(viewport={"width": 360, "height": 640}, has_touch=True, is_mobile=True)
    expect(page.get_by_text("Camera")).to_be_visible()
    camera = page.locator("#camera")
    expect(camera).to_have_attribute("capture", "environment")
    camera.set_input_files(picture(tmp_path / "photo.png", "red"))
    finds(page, 1)


def test_a_mouse_has_none(page):
    expect(page.get_by_text("Camera")).to_be_hidden()


def test_a_picture_and_words_go_together_until_one_is_taken_away(page, by_picture, tmp_path):
    page.get_by_label("Search your photos").fill("blue")
    choose(page, picture(tmp_path / "mine.png", "red"))
    finds(page, 1)
    search(page, "")
    finds(page, 1)
    search(page, "blue")
    finds(page, 1)
    page.get_by_role("button", name="Remove mine.png").click()
    expect(cards(page)).to_contain_text(["sky.jpg"])
    expect(page.get_by_text("mine.png")).to_be_hidden()


def test_the_picture_is_sent_once_and_never_again_for_more(page, stub, gallery, tmp_path):
    stub.answers["POST /embed"] = POSTED
    stub.answers[f"GET picture={TOKEN}"] = answer(gallery.result("1.jpg", 0.9), next_cursor="n")
    stub.answers[f"GET picture={TOKEN}&cursor=n"] = answer(gallery.result("2.jpg", 0.8))
    choose(page, picture(tmp_path / "mine.png", "red"))
    finds(page, 2)
    assert [method for method, _, _, _ in stub.asked].count("POST") == 1


def test_a_photo_that_comes_again_under_another_score_is_shown_once(page, stub, gallery):
    parts = [["1.jpg", "2.jpg"], ["3.jpg", "1.jpg"], ["4.jpg"]]
    for number, names_ in enumerate(parts):
        cursor = f"&cursor={number}" if number else ""
        results = [gallery.result(name, 0.5 - number / 10) for name in names_]
        next_cursor = str(number + 1) if number < 2 else None
        stub.answers[f"GET q=boat{cursor}"] = answer(*results, next_cursor=next_cursor)
    search(page, "boat")
    finds(page, 4)
    assert names(page) == ["1.jpg", "2.jpg", "3.jpg", "4.jpg"]


def test_a_picture_that_this_browser_cannot_show_is_searched_all_the_same(page, stub, by_picture):
    choose(page, as_file(bytes(200_000), "phone.heic", ""))
    finds(page, 1)
    assert sent_picture(stub)[1] == bytes(200_000)
    expect(page.get_by_text("phone.heic")).to_be_visible()
    expect(page.locator("#asked img")).to_be_hidden()


def test_the_same_picture_can_be_chosen_again(page, stub, by_picture, tmp_path):
    file = picture(tmp_path / "mine.png", "red")
    stub.answers["POST /embed"] = problem(422, "not a picture")
    choose(page, file)
    says(page, "Not a picture.")
    stub.answers["POST /embed"] = POSTED
    choose(page, file)
    finds(page, 1)


def test_a_deployment_without_embed_says_that_it_takes_no_pictures(
    page, stub, by_picture, tmp_path, gallery
):
    said = "/embed is switched off here (CLIPSEARCH_EMBED=1 would switch it on)"
    stub.answers["GET /embed"] = stub.answers["POST /embed"] = problem(403, said)
    choose(page, picture(tmp_path / "mine.png", "red"))
    says(page, "Searching by a picture is switched off here.")
    stub.answers["GET q=boat"] = answer(gallery.result("boat.jpg", 0.3))
    search(page, "boat")
    finds(page, 1)


def test_a_search_for_nothing_asks_for_words(page, stub):
    says(page, "500 photos can be searched.")
    search(page, "  ")
    says(page, "Type what you are looking for, or choose a picture.")
    is_at(page, "/")


def test_an_address_holds_all_terms_and_filters_in_order(open_page, stub, gallery):
    where = "q=car&not=night&like=boat.jpg&unlike=a.jpg&picture=abc&weight=1%2C2%2C1%2C1%2C0.5"
    where += "&folder=2023%2F&format=jpeg&format=png&sort=newest"
    ship = gallery.result("ship.jpg", 0.3)
    stub.answers[f"GET {where}"] = answer(ship)
    page = open_page(f"/?{where}")
    says(page, "Newest photos first.")
    expect(cards(page)).to_contain_text(["ship.jpg"])
    assert page.title().startswith("car, not night, boat.jpg, not a.jpg, a picture, 2023/, ")
    assert asked(page) == [
        *("+ car", "- night", "+ boat.jpg", "- a.jpg", "A picture"),
        *("in 2023/", "jpeg", "png"),
    ]
    rest = where.replace("not=night&", "").replace("1%2C2%2C", "1%2C")
    stub.answers[f"GET {rest}"] = answer(ship, gallery.result("sea.jpg", 0.2))
    page.get_by_role("button", name="Remove night").click()
    expect(cards(page)).to_have_count(2)
    is_at(page, f"/?{rest}")
    page.go_back()
    expect(cards(page)).to_have_count(1)
    assert asked(page)[1] == "- night"


def test_typing_adds_a_dash_excludes_and_a_chip_can_be_turned_edited_and_removed(
    page, stub, gallery
):
    field = page.get_by_label("Search your photos")

    def add(text):
        field.fill(text)
        field.press("Enter")

    def is_asked(parameters, *chips):
        expect(cards(page)).to_contain_text([parameters])
        assert asked(page) == list(chips)

    for parameters in ("q=boat", "q=boat&not=night", "q=boat&q=night", "q=ship&q=night", "q=night"):
        stub.answers[f"GET {parameters}"] = answer(gallery.result(parameters, 0.3))
    add("boat")
    is_asked("q=boat", "+ boat")
    expect(field).to_have_value("")
    add("-night")
    is_asked("q=boat&not=night", "+ boat", "- night")
    page.get_by_role("button", name="Make it wanted").click()
    is_asked("q=boat&q=night", "+ boat", "+ night")
    page.get_by_role("button", name="Edit boat").click()
    expect(field).to_have_value("boat")
    add("ship")
    is_asked("q=ship&q=night", "+ ship", "+ night")
    page.get_by_role("button", name="Remove ship").click()
    is_asked("q=night", "+ night")
    page.get_by_role("button", name="Make it unwanted").click()
    says(page, "Add something that you want to see.")
    page.get_by_role("link", name="Start over").click()
    says(page, "500 photos can be searched.")
    expect(page.locator("#asked")).to_be_hidden()
    is_at(page, "/")


def test_less_like_this_is_added_to_what_is_asked(page, stub, gallery):
    stub.answers["GET q=boat"] = answer(gallery.result("a.jpg", 0.3), gallery.result("b.jpg", 0.3))
    stub.answers["GET q=boat&unlike=b.jpg"] = answer(gallery.result("c.jpg", 0.3))
    search(page, "boat")
    finds(page, 2)
    photo(cards(page).nth(1)).click()
    page.get_by_role("button", name="Less like this").click()
    expect(cards(page)).to_contain_text(["c.jpg"])
    assert asked(page) == ["+ boat", "- b.jpg"]
    is_there(page.locator("#asked img"))  # the thumbnail that was on the page


def test_a_missing_thumbnail_falls_back_to_the_photo(page, stub, gallery):
    result = gallery.result("boat.jpg", 0.3, thumbnail=False)
    stub.answers["GET q=boat"] = answer(result)
    search(page, "boat")
    image = page.get_by_role("img", name="boat.jpg")
    expect(image).to_have_attribute("src", result["url"])
    is_there(page.locator("#results img"))
