"""What is found, in which order, and what an answer says."""

from PIL import Image

from clipsearch.images.previews import preview_name
from clipsearch.index.format.facts import Facts
from tests.search.conftest import form
from tests.support.pictures import encoded, jpeg, png, turning


def names(response):
    assert response.status_code == 200, response.text
    return [result["name"] for result in response.json()["results"]]


def test_words_find_the_photo_that_shows_them(client):
    assert names(client.get("/?q=blue"))[0] == "blue.jpg"
    assert names(client.get("/?q=red"))[0] == "red.jpg"


def test_a_picture_finds_itself_with_a_cosine_of_one(client):
    best = client.post_image(jpeg("lime")).json()["results"][0]
    assert best["name"] == "green.jpg"
    assert best["score"] == 1.0
    assert best["similarity"] == 100.0


def test_a_picture_is_turned_upright_first(gallery, client):
    """EXIF orientation 6: stored lying on its side, shown after a quarter turn."""
    upright = Image.new("RGB", (32, 32), "red")
    upright.paste("blue", (0, 0, 32, 16))
    gallery.add_all({"upright.png": encoded(upright)})
    lying = upright.transpose(Image.Transpose.ROTATE_90)
    best = client.post_image(encoded(lying, exif=turning(6))).json()["results"][0]
    assert (best["name"], best["score"]) == ("upright.png", 1.0)


def test_words_of_a_form_without_a_picture_are_words(client):
    """A browser sends the file field that was left alone as an empty file without a name."""
    alone = client.post(**form(("q", None, b"blue"), ("image", "", b"")))
    assert names(alone) == names(client.get("/?q=blue"))


def test_an_empty_text_beside_a_picture_is_no_text(client):
    both = client.post_image(png("blue"), q="")
    assert names(both) == names(client.post_image(png("blue")))


def test_like_finds_the_others_and_leaves_the_photo_itself_out(gallery, client):
    gallery.add(crimson=(250, 0, 0))
    found = names(client.get("/?like=red.jpg"))
    assert found[0] == "crimson.jpg"
    assert "red.jpg" not in found
    assert len(found) == 4


def test_an_answer_has_the_fields_of_the_contract(gallery, client):
    response = client.get("/?q=blue&limit=1")
    answer = response.json()
    best = answer["results"][0]
    assert best["url"] == "http://127.0.0.1:8080/photos/blue.jpg"
    assert best["thumbnail_url"].startswith("http://127.0.0.1:8080/thumbnails/")
    assert best["thumbnail_url"].endswith(".webp")
    assert (best["width"], best["height"]) == (40, 30)
    assert abs(best["similarity"] - 100 * best["score"]) < 1e-3
    index = {"model": "tiny-0", "space": gallery.space, "commit": 0, "photos": 4}
    assert answer["index"] == index
    assert list(answer["timing_ms"]) == ["load", "encode", "search", "total"]
    assert answer["timing_ms"]["total"] >= answer["timing_ms"]["load"] > 0
    assert "truncated" not in answer
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    assert f"total;dur={answer['timing_ms']['total']}" in response.headers["server-timing"]


def test_a_preview_has_an_address_only_if_it_exists(gallery, client):
    gallery.add_with_facts(
        {f"{n}.heic": Facts("HEIC", preview=n) for n in (True, False, None)}, generation=7
    )
    found = client.get("/?q=red&limit=100&stack=0").json()["results"]
    previews = {it["name"]: it["preview_url"] for it in found}
    assert previews.pop("True.heic") == (
        f"http://127.0.0.1:8080/thumbnails/{preview_name('True.heic', 7)}"
    )
    assert previews.keys() >= {"False.heic", "None.heic", "red.jpg"}
    assert set(previews.values()) == {None}


def test_odd_names_are_escaped_in_addresses_and_plain_in_names(gallery, client):
    odd = "a folder/50% of #1? ü&+.jpg"
    gallery.add_all({odd: jpeg("yellow")})
    best = client.get("/?q=yellow").json()["results"][0]
    assert best["name"] == odd
    assert best["url"].endswith("/photos/a%20folder/50%25%20of%20%231%3F%20%C3%BC%26%2B.jpg")
    assert odd not in names(client.get("/", params={"like": odd}))


def test_the_thumbnail_follows_from_name_and_generation(gallery, client):
    before = client.get("/?q=blue").json()["results"][0]["thumbnail_url"]
    gallery.add(blue="blue")
    after = client.get("/?q=blue").json()["results"][0]
    assert after["name"] == "blue.jpg"
    assert after["thumbnail_url"] != before


def test_long_text_is_cut_and_the_answer_says_so(client):
    answer = client.get("/", params={"q": "blue " * 50}).json()
    assert answer["truncated"] is True
    assert answer["results"][0]["name"] == "blue.jpg"


def test_equal_scores_are_in_the_order_of_names_and_pages_do_not_tear(gallery, client):
    """20 equal photos in pages of 3: every page ends within a tie."""
    gallery.add(**{f"same{number:02}": "cyan" for number in range(20)})
    whole = names(client.get("/?q=cyan&limit=100&stack=0"))
    assert whole[:20] == [f"same{number:02}.jpg" for number in range(20)]
    assert len(whole) == 24

    for start in (
        lambda **page: client.get("/", params={"q": "cyan", "limit": 3, "stack": 0, **page}),
        lambda **page: client.post_image(png("cyan"), limit=3, stack=0, **page),
    ):
        paged, page = [], {}
        while True:
            answer = start(**page).json()
            paged += [result["name"] for result in answer["results"]]
            if answer["next_cursor"] is None:
                break
            assert len(answer["results"]) == 3
            page = {"cursor": answer["next_cursor"]}
        assert paged == whole


def test_like_is_paged_without_the_photo_itself(client):
    first = client.get("/?like=red.jpg&limit=2").json()
    second = client.get(f"/?like=red.jpg&limit=2&cursor={first['next_cursor']}").json()
    found = [r["name"] for r in first["results"] + second["results"]]
    assert sorted(found) == ["blue.jpg", "green.jpg", "white.jpg"]
    assert second["next_cursor"] is None


def test_a_full_last_page_has_no_next_one(client):
    answer = client.get("/?q=blue&limit=4").json()
    assert len(answer["results"]) == 4
    assert answer["next_cursor"] is None


def test_limit_and_cursor_of_a_posted_picture_may_be_in_the_address(client):
    first = client.post("/?limit=1", files={"image": png("blue")}).json()
    cursor = first["next_cursor"]
    second = client.post(f"/?limit=1&cursor={cursor}", files={"image": png("blue")}).json()
    assert first["results"][0]["name"] == "blue.jpg"
    assert second["results"][0]["name"] != "blue.jpg"


def test_head_has_the_status_and_the_headers_of_get(client):
    head, get = client.request("HEAD", "/health"), client.get("/health")
    assert head.status_code == 200
    assert head.headers == get.headers
    assert client.request("HEAD", "/?q=").status_code == 400
    assert client.request("HEAD", "/?q=blue").headers["content-type"] == "application/json"


def test_an_index_whose_photos_are_all_gone_finds_nothing(gallery, client):
    for name in ("red", "green", "blue", "white"):
        gallery.remove(f"{name}.jpg")
    answer = client.get("/?q=blue").json()
    assert answer["results"] == []
    assert answer["next_cursor"] is None
    assert answer["index"]["photos"] == 0
