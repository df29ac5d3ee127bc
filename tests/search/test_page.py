"""The same answers as pages, for a browser without JavaScript."""

import re
from html.parser import HTMLParser

import pytest

from tests.search.conftest import ROOT, Gallery, form
from tests.support.pictures import jpeg, png

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


class Page(HTMLParser):
    """What a browser makes of a page: its tags in order, its text."""

    def __init__(self, response):
        super().__init__()
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in response.headers["content-security-policy"]
        self.tags, self.text = [], ""
        self.feed(response.text)
        self.text = re.sub(r"\s+", " ", self.text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def test_a_browser_gets_the_answer_as_a_page(client):
    page = Page(client.get("/?q=blue", headers=BROWSER))
    best = client.get("/?q=blue").json()["results"][0]
    image = page.all("img")[0]
    assert image["src"] == best["thumbnail_url"]
    assert image["alt"] == "blue.jpg"
    links = [link["href"] for link in page.all("a")]
    assert links[:2] == [best["url"], "?like=blue.jpg"]
    assert (image["width"], image["height"]) == (str(best["width"]), str(best["height"]))
    assert "4 photos like “blue”" in page.text
    assert page.all("input")[0]["value"] == "blue"


def test_a_link_from_the_static_page_shows_what_its_address_asks(gallery, client_of):
    client = client_of(gallery, CLIPSEARCH_SITE_URL="https://photos.example/site")
    page = "https://photos.example/site/index.html"

    def shown(referrer):
        headers = {**BROWSER, "Referer": referrer}
        answered = client.get("/", headers=headers, follow_redirects=False)
        return answered.headers.get("location") if answered.status_code == 303 else None

    assert shown(f"{page}?q=blue&not=night&utm=1&photo=a.jpg") == "?q=blue&not=night"
    assert shown(f"{page}?photo=a+b.jpg") == "?photo=a+b.jpg"
    assert shown(f"{page}?format=png&format=gif") == "?format=png&format=gif"
    for other in (page, "", "https://elsewhere.example/?q=blue", f"{page}?utm=1"):
        assert shown(other) is None
    assert client.get("/", headers={"Referer": f"{page}?q=blue"}).json()["matches"] is None


def test_the_page_of_the_demo_model_says_what_it_knows(empty_gallery, client_of, tiny_bundle):
    line = "demo model: knows drawn scenes only"
    for model, is_said in (("model_export/demo/bundle", True), (tiny_bundle, False)):
        gallery = Gallery(empty_gallery.folder / str(is_said), ROOT / model)
        gallery.publish()
        gallery.add(red="red")
        page = Page(client_of(gallery).get("/?q=red", headers=BROWSER))
        assert (line in page.text) == is_said


def follow(client, *parts, address="/"):
    """What a browser shows after it has posted this form to `address`, and where it is then."""
    posted = form(*parts)
    posted["headers"] |= BROWSER
    response = client.post(address, **posted)
    assert response.status_code == 303, response.text
    where = response.headers["location"]
    assert where.startswith("?")
    return client.get(f"/{where}", headers=BROWSER), where


def test_a_form_is_answered_with_a_page_that_has_an_address(client):
    response, where = follow(client, ("q", None, b"a blue & a red"), ("image", "", b""))
    assert where == "?q=a+blue+%26+a+red"
    assert "4 photos like “a blue & a red”." in Page(response).text


def test_so_is_a_picture_and_its_page_leads_on(client):
    response, where = follow(client, ("q", None, b""), ("image", "a.png", png("blue")))
    assert where.startswith("?picture=")
    page = Page(response)
    assert page.all("img")[0]["alt"] == "blue.jpg"
    assert "4 photos like your picture" in page.text
    both = (("q", None, b"red"), ("image", "a.png", png("blue")))
    response, where = follow(client, *both, address="/?limit=3")
    assert where.startswith("?q=red&picture=")
    page = Page(response)
    assert "3 photos like “red” and your picture" in page.text
    (more,) = [link["href"] for link in page.all("a") if link.get("rel") == "next"]
    assert len(Page(client.get(f"/{more}", headers=BROWSER)).all("img")) == 1


def test_a_posted_part_of_an_answer_is_a_page_at_once(client):
    parts = [("image", "a.png", png("blue")), ("limit", None, b"3")]
    cursor = client.post(**form(*parts)).json()["next_cursor"]
    posted = form(*parts, ("cursor", None, cursor.encode()))
    posted["headers"] |= BROWSER
    assert len(Page(client.post(**posted)).all("img")) == 1


def test_who_posted_something_wrong_finds_the_words_again(client):
    posted = form(("q", None, b"a blue photo"), ("image", "a.png", b"words"))
    posted["headers"] |= BROWSER
    response = client.post(**posted)
    assert response.status_code == 422
    assert Page(response).all("input")[0]["value"] == "a blue photo"


def test_the_link_to_more_leads_on(client):
    page = Page(client.get("/?q=blue&limit=3", headers=BROWSER))
    (more,) = [link["href"] for link in page.all("a") if link.get("rel") == "next"]
    last = Page(client.get(f"/{more}", headers=BROWSER))
    assert len(last.all("img")) == 1
    assert not [link for link in last.all("a") if link.get("rel") == "next"]


def test_the_page_of_a_picture_in_an_address_leads_on_too(client):
    picture = client.post("/embed", files={"image": png("blue")}).json()["picture"]
    first = client.get("/", params={"picture": picture, "q": "red", "limit": 2}, headers=BROWSER)
    (more,) = [link["href"] for link in Page(first).all("a") if link.get("rel") == "next"]
    assert len(Page(client.get(f"/{more}", headers=BROWSER)).all("img")) == 2


def test_words_and_a_picture_are_one_form(client):
    page = Page(client.get("/?q=blue", headers=BROWSER))
    [posts] = page.all("form")
    assert (posts["method"], posts["enctype"]) == ("post", "multipart/form-data")
    inputs = {field["name"]: field for field in page.all("input")}
    assert set(inputs) == {"q", "image"}
    labelled = {label["for"] for label in page.all("label")}
    assert {field["id"] for field in inputs.values()} == labelled


SITE = "https://storage.googleapis.com/my-site"


def test_the_page_of_several_terms_names_them_and_leads_on(client):
    query = "q=red&not=blue&like=white.jpg&unlike=green.jpg&weight=2,2,2,2"
    first = client.get(f"/?{query}&limit=1", headers=BROWSER)
    page = Page(first)
    liked = "1 photo like “red” and “white.jpg”, not like “blue” or “green.jpg”."
    assert liked in page.text
    assert page.all("input")[0]["value"] == "red"
    score = client.get(f"/?{query}&limit=1").json()["results"][0]["score"]
    assert f"{score:.1f} More like this" in page.text
    [more] = [link["href"] for link in page.all("a") if link.get("rel") == "next"]
    second = client.get("/" + more, headers=BROWSER)
    assert second.status_code == 200
    assert Page(second).all("img")[0]["alt"] != page.all("img")[0]["alt"]


def test_a_form_with_several_terms_leads_to_their_address(client):
    parts = [("q", None, b"red"), ("not", None, b"blue"), ("weight", None, b"1,3,2")]
    response, where = follow(client, *parts, ("image", "a.png", png("white")))
    assert where.startswith("?q=red&not=blue&picture=")
    assert where.endswith("&weight=1.0%2C3.0%2C2.0")
    assert "like “red” and your picture, not like “blue”." in Page(response).text


def test_it_has_the_stylesheet_of_the_site_and_leads_back_to_it(gallery, client_of):
    client = client_of(gallery, CLIPSEARCH_SITE_URL=SITE)
    for path in ("/?q=blue", "/?q="):
        response = client.get(path, headers=BROWSER)
        styles = f"style-src {SITE}/style.css {SITE}/plain.css;"
        assert styles in response.headers["content-security-policy"]
        page = Page(response)
        assert [link["href"] for link in page.all("link")] == [
            f"{SITE}/style.css",
            f"{SITE}/plain.css",
        ]
        assert page.all("a")[0]["href"] == f"{SITE}/index.html"


def test_the_site_may_be_relative_to_it(gallery, client_of):
    client = client_of(gallery, CLIPSEARCH_SITE_URL="..")
    response = client.get("/?q=blue", headers=BROWSER)
    assert "style-src 'self';" in response.headers["content-security-policy"]
    links = [link["href"] for link in Page(response).all("link")]
    assert links == ["../style.css", "../plain.css"]


def test_without_the_sites_address_it_has_no_style(client):
    response = client.get("/?q=blue", headers=BROWSER)
    assert "style-src" not in response.headers["content-security-policy"]
    assert not Page(response).all("link")


def test_the_page_of_a_like_leads_on_too(client):
    page = Page(client.get("/?like=red.jpg&limit=2", headers=BROWSER))
    (more,) = [link["href"] for link in page.all("a") if link.get("rel") == "next"]
    assert len(Page(client.get(f"/{more}", headers=BROWSER)).all("img")) == 1


def test_without_a_query_it_is_a_form_with_the_newest_photos(gallery, client):
    gallery.add(newest="yellow")
    response = client.get("/", headers=BROWSER)
    assert response.status_code == 200
    page = Page(response)
    assert "Type what you are looking for, or choose a picture. Photos, newest first:" in page.text
    assert page.all("form")
    images = page.all("img")
    assert len(images) == 5
    assert images[0]["alt"] == "newest.jpg"
    listed = client.get("/").json()["results"]
    assert [image["src"] for image in images] == [photo["thumbnail_url"] for photo in listed]
    assert [time["datetime"] for time in page.all("time")] == [p["uploaded"] for p in listed]


def test_before_the_first_photo_it_is_a_form_with_a_friendly_line(empty_gallery, client_of):
    client = client_of(empty_gallery)
    for ready in (lambda: None, empty_gallery.publish):
        ready()
        response = client.get("/", headers=BROWSER)
        assert response.status_code == 200
        page = Page(response)
        assert page.all("form")
        assert not [tag for tag, attributes in page.tags if attributes.get("role") == "alert"]
        assert client.get("/").status_code == 503
    assert "No photos yet. Add some to the bucket" in page.text
    empty_gallery.add(red="red")
    empty_gallery.remove("red.jpg")
    page = Page(client_of(empty_gallery).get("/", headers=BROWSER))
    assert "No photos yet." in page.text


def test_an_empty_form_leads_to_the_start(client):
    response, where = follow(client, ("q", None, b" "), ("image", "", b""))
    assert where == "?"
    assert len(Page(response).all("img")) == 4


def test_filters_stay_with_the_next_page_and_the_next_search(gallery, client):
    unlike = "maroon", "orange", "pink", "purple"  # equal photos would be one result
    gallery.add_all({f"2023/{n}.jpg": jpeg(c) for n, c in enumerate(unlike)})
    asked = {"folder": "2023", "orientation": "landscape", "sort": "oldest", "after": "2020"}
    page = Page(client.get("/", params={"q": "red", "limit": 3, **asked}, headers=BROWSER))
    assert "Only photos in 2023/, from 2020-01-01 on, landscape." in page.text
    hidden = [f for f in page.all("input") if f.get("type") == "hidden"]
    kept = {field["name"]: field["value"] for field in hidden}
    assert kept == {**asked, "folder": "2023/", "after": "2020-01-01"}
    [more] = [link["href"] for link in page.all("a") if link.get("rel") == "next"]
    likes = [link["href"] for link in page.all("a") if "like=" in link["href"]]
    assert likes[0] == (
        "?like=2023%2F0.jpg&folder=2023%2F&after=2020-01-01&orientation=landscape&limit=3"
    )
    second = Page(client.get(f"/{more}", headers=BROWSER))
    names = [image["alt"] for image in page.all("img") + second.all("img")]
    assert names == [f"2023/{n}.jpg" for n in range(4)]
    fields = [(name, None, value.encode()) for name, value in kept.items()]
    response, where = follow(client, ("q", None, b""), ("image", "", b""), *fields)
    assert where == "?folder=2023%2F&after=2020-01-01&orientation=landscape&sort=oldest"
    assert [i["alt"] for i in Page(response).all("img")] == names
    [all_photos] = [a for a in Page(response).all("a") if a["href"] == "?sort=oldest"]
    assert len(Page(client.get(f"/{all_photos['href']}", headers=BROWSER)).all("img")) == 8
    some = "near=41.9,12.5,10&format=png&format=gif&min_megapixels=8&name=b&before=2024"
    page = Page(client.get(f"/?q=red&{some}", headers=BROWSER))
    said = "with b in the name, before 2024-01-01, at least 8 megapixels, within 10 km of 41.9,12.5"
    assert f"Only photos {said}, gif or png." in page.text
    nothing = Page(client.get("/?folder=2024", headers=BROWSER))
    assert "No photo fits. Only photos in 2024/." in nothing.text


def test_an_error_is_a_page_with_its_status(client):
    for path, status, said in (
        ("/?after=never", 400, "After must be a date or time such as 2023"),
        ("/?like=nobody.jpg", 404, "The photo 'nobody.jpg' is not in the index."),
        ("/nothing", 404, "Unknown path '/nothing'; allowed: /, "),
    ):
        response = client.get(path, headers=BROWSER)
        assert response.status_code == status
        assert response.headers["access-control-allow-origin"] == "*"
        page = Page(response)
        assert said in page.text
        assert page.all("form")


def test_who_has_to_wait_is_told_how_long(empty_gallery, client_of):
    response = client_of(empty_gallery).get("/?q=blue", headers=BROWSER)
    assert response.status_code == 503
    assert response.headers["retry-after"] == "5"
    assert "Try again in 5 s." in Page(response).text


def test_names_and_words_are_text_and_never_markup(gallery, client):

    evil = '<img src=x onerror="alert(1)">&amp;.jpg'
    gallery.add_all({evil: jpeg("yellow")})
    response = client.get("/", params={"q": 'yellow "><script>alert(2)</script>'}, headers=BROWSER)
    page = Page(response)
    assert not page.all("script")
    assert not [image for image in page.all("img") if "onerror" in image]
    assert evil in [image["alt"] for image in page.all("img")]
    assert page.all("input")[0]["value"] == 'yellow "><script>alert(2)</script>'
    error = client.get("/?<script>alert(3)</script>=1", headers=BROWSER)
    assert not Page(error).all("script")


def test_a_text_that_was_cut_is_said_to_be(client):
    page = Page(client.get("/", params={"q": "blue " * 50}, headers=BROWSER))
    assert "too long and was cut" in page.text


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "*/*",
        "application/json",
        "application/json, text/html;q=0.9",
        "text/html;q=0",
        "text/plain, */*",
        "nonsense;;;q=",
    ],
)
def test_everybody_else_gets_json(client, accept):
    headers = {} if accept is None else {"Accept": accept}
    assert client.get("/?q=blue", headers=headers).headers["content-type"] == "application/json"
    problem = client.get("/?q=", headers=headers)
    assert problem.headers["content-type"] == "application/problem+json"


def test_status_and_description_are_json_for_a_browser_too(client):
    for path in ("/status", "/health", "/openapi.json"):
        headers = client.get(path, headers=BROWSER).headers
        assert headers["content-type"] == "application/json"
