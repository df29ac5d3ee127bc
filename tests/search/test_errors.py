"""Every error leaves as problem details that a browser on another origin can read."""

import logging
import sys

import pytest
from PIL import Image

from tests.search.conftest import Gallery, form
from tests.support.pictures import encoded, jpeg, png

MEGABYTES_20 = 20_000_000


def assert_problem(response, status, said):
    """The one shape of an error. `said` is a part of the detail."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["cache-control"] == "no-store"
    problem = response.json()
    assert list(problem) == ["type", "title", "status", "detail"]
    assert problem["type"] == "about:blank"
    assert problem["status"] == status
    assert problem["title"]
    assert said in problem["detail"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("q=", "q is empty"),
        ("q=%20%09", "q is empty"),
        ("like=", "like is empty"),
        ("q=red&like=", "like is empty"),
        ("q=red&not=%20", "not is empty"),
        ("not=red&unlike=red.jpg", "all terms are unwanted"),
        ("&".join(["q=red"] * 9), "the search has 9 terms; give at most 8"),
        ("min_match=good", "min_match needs a term"),
        ("weight=1", "weight has 1 numbers for 0 terms"),
        ("q=red&not=blue&weight=1", "weight has 1 numbers for 2 terms"),
        ("q=red&weight=1,2", "weight has 2 numbers for 1 terms"),
        ("q=red&weight=", "weight is ''; it must be a number from 0.01 to 100"),
        ("q=red&not=blue&weight=1,0", "weight is '0'"),
        ("q=red&not=blue&weight=1,-1", "weight is '-1'"),
        ("q=red&not=blue&weight=nan,1", "weight is 'nan'"),
        ("q=red&not=blue&weight=1,inf", "weight is 'inf'"),
        ("q=red&not=blue&weight=1,1e2", "weight is '1e2'"),
        ("q=red&not=blue&weight=1,%D9%A3", "weight is '٣'"),
        ("url=a&q=red&url=b", "url is given 2 times; give it once"),
        ("q=red&weight=1&weight=1", "weight is given more than once"),
        (
            "q=red&colour=x",
            "unknown parameter 'colour'; allowed: q, not, like, unlike, picture, url",
        ),
        ("q=red&Q=blue", "unknown parameter 'Q'"),
        ("q=red&limit=3&limit=3", "limit is given more than once"),
        ("q=red&limit=0", "limit must be a whole number from 1 to 100, not '0'"),
        ("q=red&limit=101", "not '101'"),
        ("q=red&limit=", "not ''"),
        ("q=red&limit=2.0", "not '2.0'"),
        ("q=red&limit=%2B2", "not '+2'"),
        ("q=red&limit=-1", "not '-1'"),
        ("q=red&limit=%D9%A3", "not '٣'"),
        ("q=red&limit=" + "1" * 5000, "limit must be"),
        ("q=red&cursor=", "invalid cursor ''"),
        ("q=red&cursor=abc", "invalid cursor 'abc'"),
        ("q=red&cursor=%C3%BC", "invalid cursor 'ü'"),
        ("q=red&image=x", "unknown parameter 'image'"),
    ],
)
def test_a_bad_query_is_a_400(client, query, said):
    assert_problem(client.get(f"/?{query}"), 400, said)


@pytest.mark.parametrize("path", ["/status", "/openapi.json"])
def test_an_unknown_parameter_is_a_400_elsewhere_too(client, path):
    assert_problem(client.get(f"{path}?verbose=1"), 400, "unknown parameter 'verbose'")


def test_a_cursor_of_another_query_is_a_400(client):
    cursor = client.get("/?q=red&limit=1").json()["next_cursor"]
    assert client.get(f"/?q=red&cursor={cursor}").status_code == 200
    said = "cursor belongs to another query"
    assert_problem(client.get(f"/?q=blue&cursor={cursor}"), 400, said)
    assert_problem(client.get(f"/?like=red&cursor={cursor}"), 400, said)
    assert_problem(client.post_image(png("red"), q="red", cursor=cursor), 400, said)


def test_a_cursor_of_another_picture_is_a_400(client):
    cursor = client.post_image(png("red"), limit=1).json()["next_cursor"]
    assert client.post_image(png("red"), cursor=cursor).status_code == 200
    assert_problem(client.post_image(png("blue"), cursor=cursor), 400, "another query")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ([("q", None, b"red"), ("label", None, b"blue")], "unknown parameter 'label'"),
        ([("not", None, b"red")], "all terms are unwanted"),
        ([("q", None, b"red"), ("not", None, b" "), ("weight", None, b"1,2")], "for 1 terms"),
        ([("q", None, b"red"), ("limit", None, b"0")], "limit must be"),
        ([("image", None, b"text")], "it must be a file"),
        ([("photo", "a.jpg", b"data")], "unknown file 'photo'; allowed: image"),
        ([("image", "a.jpg", b"1"), ("image", "b.jpg", b"2")], "image is given more than once"),
    ],
)
def test_a_bad_form_is_a_400(client, fields, said):
    assert_problem(client.post(**form(*fields)), 400, said)


def test_a_parameter_in_address_and_form_is_given_twice(client):
    response = client.post("/?limit=1", files={"image": png("red")}, data={"limit": "1"})
    assert_problem(response, 400, "limit is given more than once")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"no boundary"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="q"'),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\nred\r\n--x--\r\n"),
        ("multipart/form-data; boundary=\u00fc".encode(), b"--\xc3\xbc--"),
    ],
)
def test_a_body_that_is_no_form_is_a_400(client, content_type, body):
    response = client.post(content=body, headers={"Content-Type": content_type})
    assert_problem(response, 400, "the body is not valid multipart/form-data")


def test_a_photo_that_is_not_indexed_is_a_404(gallery, client):
    assert_problem(client.get("/?like=nobody.jpg"), 404, "'nobody.jpg'")
    gallery.fail(broken="cut off")
    gallery.remove("red.jpg")
    fresh = client.get("/?like=broken.jpg")
    assert_problem(fresh, 404, "'broken.jpg'")


@pytest.mark.parametrize("path", ["/nothing", "/status/", "/index.html", "/q"])
def test_an_unknown_path_is_a_404(client, path):
    assert_problem(client.get(path), 404, repr(path))


LONG = 60_000  # httpx sends no more than 65,536


@pytest.mark.parametrize(
    ("path", "said"),
    [("/" + "a" * LONG, "allowed: /, "), ("/?like=" + "a" * LONG, "is not in the index")],
    ids=["path", "like"],
)
def test_a_long_path_or_name_is_not_echoed_whole(client, caplog, path, said):
    response = client.get(path)
    assert_problem(response, 404, "a" * 150)
    assert_problem(response, 404, said)
    assert len(response.text) < 600
    page = client.get(path, headers={"Accept": "text/html"}).text
    assert "a" * 150 in page
    assert "a" * 250 not in page
    assert "a" * 250 not in caplog.text


def test_a_long_query_is_no_title_of_a_page(client):
    page = client.get("/", params={"q": "red " * 1000}, headers={"Accept": "text/html"}).text
    assert len(page[page.index("<title>") : page.index("</title>")]) < 250


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/", "GET, POST, HEAD, OPTIONS"),
        ("PUT", "/", "GET, POST, HEAD, OPTIONS"),
        ("POST", "/status", "GET, HEAD, OPTIONS"),
        ("PATCH", "/health", "GET, HEAD, OPTIONS"),
    ],
)
def test_a_wrong_method_is_a_405_that_says_which_are_right(client, method, path, allow):
    response = client.request(method, path)
    assert_problem(response, 405, allow)
    assert response.headers["allow"] == allow


def test_an_image_of_more_than_20_mb_is_a_413(client):
    response = client.post_image(jpeg("red") + bytes(MEGABYTES_20))
    assert_problem(response, 413, "at most 20,000,000 are allowed")


def test_a_request_that_says_it_is_too_large_is_a_413_unread(client):
    async def never_read():
        raise AssertionError("the body was read")
        yield

    headers = {
        "Content-Type": "multipart/form-data; boundary=x",
        "Content-Length": str(MEGABYTES_20 + 300_000),
    }
    response = client.post(content=never_read(), headers=headers)
    assert_problem(response, 413, "the request is too large")


def test_a_request_that_turns_out_too_large_is_a_413_before_its_end(client):
    sent = 0

    async def endless():
        nonlocal sent
        while True:
            sent += 1_000_000
            yield bytes(1_000_000)

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    response = client.post(content=endless(), headers=headers)
    assert_problem(response, 413, "the request is too large")
    assert sent <= 22_000_000


def test_a_body_that_stalls_is_a_408_and_gives_its_place_back(client, stalled, monkeypatch):
    monkeypatch.setattr("search.http.body.MAX_ARRIVAL", 0.1)
    monkeypatch.setattr(
        "search.resources.pictures", sys.modules["search.http.pool"].Pool("test", 1, 1)
    )
    assert_problem(client.post(**stalled), 408, "did not arrive within 0.1 seconds")
    assert client.post_image(png("red")).status_code == 200


def test_a_form_with_too_much_text_is_a_413(client):
    response = client.post_image(png("red"), q="red " * 100_000)
    assert_problem(response, 413, "the form is too large")
    many = client.post_image(png("red"), **{f"q{number}": "" for number in range(300)})
    assert_problem(many, 413, "the form is too large")


@pytest.mark.parametrize("content_type", ["application/json", "image/jpeg", "text/plain", None])
def test_another_content_type_is_a_415(client, content_type):
    headers = {"Content-Type": content_type} if content_type else {}
    response = client.post(content=jpeg("red"), headers=headers)
    assert_problem(response, 415, "multipart/form-data")


def test_a_form_in_the_other_encoding_is_a_415(client):
    assert_problem(client.post(data={"q": "red"}), 415, "multipart/form-data")


def large_picture():
    return encoded(Image.new("1", (8000, 6300)))


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (b"these are words", "not a picture of a supported format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "JPEG, PNG"),
        (png((1, 2, 3), (300, 300))[:400], "damaged or cut off PNG"),
        (jpeg("red", (800, 800))[:-900], "damaged or cut off JPEG"),
        (large_picture(), "megapixels"),
    ],
    ids=["words", "svg", "cut png", "cut jpeg", "over 50 megapixels"],
)
def test_what_cannot_be_read_as_a_picture_is_a_422(client, image, said):
    assert_problem(client.post_image(image), 422, said)


def test_an_empty_file_with_a_name_is_a_422(client):
    assert_problem(client.post(files={"image": ("empty.jpg", b"")}), 422, "empty")


def test_no_model_is_a_503_with_retry_after(empty_gallery, client_of):
    client = client_of(empty_gallery)
    for path in ("/?q=red", "/?like=red.jpg", "/status"):
        response = client.get(path)
        assert_problem(response, 503, "no model has been published yet")
        assert int(response.headers["retry-after"]) > 0
    assert str(empty_gallery.folder) not in response.text


def test_no_index_is_a_503_with_retry_after_until_the_first_photo(empty_gallery, client_of):
    empty_gallery.publish()
    client = client_of(empty_gallery)
    response = client.get("/?q=red")
    assert_problem(response, 503, "No photos yet.")
    assert int(response.headers["retry-after"]) > 0

    empty_gallery.add(red="red")
    again = client_of(empty_gallery).get("/?q=red")
    assert [result["name"] for result in again.json()["results"]] == ["red.jpg"]


def test_storage_trouble_is_a_503_that_keeps_its_cause_to_the_log(
    tmp_path, tiny_bundle, gcs_double, client_of, caplog
):
    gallery = Gallery(tmp_path, tiny_bundle, index="gs://photos")
    gallery.publish()
    gallery.add(red="red")
    client = client_of(gallery)
    gcs_double.faults.append(403)
    response = client.get("/?q=red")
    assert_problem(response, 503, "storage is temporarily unavailable")
    assert int(response.headers["retry-after"]) > 0
    assert "gs://photos" not in response.text
    assert "gs://photos" in caplog.text

    assert [r["name"] for r in client.get("/?q=red").json()["results"]] == ["red.jpg"]


def test_a_damaged_segment_is_a_503_that_names_it_here_and_in_the_log(gallery, client_of, caplog):
    segment = next(gallery.folder.rglob("*.npz"))
    segment.write_bytes(b"damaged")
    response = client_of(gallery).get("/?q=red")
    assert_problem(response, 503, f"{gallery.space}/segments/{segment.name}' is damaged: it is not")
    assert int(response.headers["retry-after"]) > 0
    assert str(gallery.folder) not in response.text
    assert segment.name in caplog.text
    status = client_of(gallery).get("/status").json()
    assert (status["photos"]["indexed"], len(status["damaged"])) == (0, 1)
    assert status["damaged"][0]["object"] == f"{gallery.space}/segments/{segment.name}"


def test_the_unexpected_is_a_500_that_keeps_its_cause_to_the_log(gallery, client_of, caplog):
    del gallery.environment["CLIPSEARCH_INDEX"]
    client = client_of(gallery)
    with caplog.at_level(logging.ERROR, "clipsearch"):
        response = client.get("/?q=red")
    assert_problem(response, 500, "internal error")
    assert "CLIPSEARCH_INDEX" not in response.text
    assert "CLIPSEARCH_INDEX is not set" in caplog.text
    assert "Traceback" in caplog.text
    assert client.get("/health").status_code == 200


def test_what_is_quoted_in_a_message_stays_short(client):
    response = client.get("/?q=red&" + "x" * 5000 + "=1")
    assert_problem(response, 400, "unknown parameter")
    assert len(response.json()["detail"]) < 350
