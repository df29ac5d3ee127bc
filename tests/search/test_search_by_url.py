"""url=https://…: off by default, otherwise a search by the picture that is there."""

import asyncio
import base64
import threading

import pytest

from tests.search.conftest import form
from tests.search.test_errors import assert_problem
from tests.search.test_page import Page
from tests.support.pictures import png
from tests.support.site_double import answers, internet

URL = "http://photos.example/blue.png"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def web(monkeypatch):
    with internet() as found:
        found.pages["/blue.png"] = answers(png("blue"))
        yield found


def put_up(client, web, monkeypatch):
    """`client`: its modules are the ones to change."""
    monkeypatch.setattr("search.fetch.network.resolve", web.resolve)
    monkeypatch.setattr("search.fetch.network.connect", web.connect)
    return client


@pytest.fixture
def client(gallery, client_of, web, monkeypatch):
    return put_up(client_of(gallery, CLIPSEARCH_FETCH_URLS="1"), web, monkeypatch)


def names(answer):
    return [result["name"] for result in answer["results"]]


@pytest.mark.parametrize("settings", [{}, {"CLIPSEARCH_FETCH_URLS": "0"}])
def test_by_default_nothing_is_fetched(gallery, client_of, web, monkeypatch, settings):
    client = put_up(client_of(gallery, **settings), web, monkeypatch)
    for response in (
        client.get("/", params={"url": URL}),
        client.post(**form(("url", None, b"x"))),
        client.post("/search", json={"terms": [{"url": URL}]}),
    ):
        assert response.status_code == 400
        assert "CLIPSEARCH_FETCH_URLS=1" in response.json()["detail"]
    assert web.connected == []


def test_a_url_is_answered_like_its_picture(client):
    by_url = client.get("/", params={"url": URL, "q": "red", "limit": 3}).json()
    posted = client.post_image(png("blue"), q="red", limit="3").json()
    assert by_url["results"] == posted["results"]
    fields = {"url": URL, "q": "red", "limit": "3"}
    parts = [(name, None, value.encode()) for name, value in fields.items()]
    in_the_form = client.post(**form(*parts, ("image", "", b"")))
    assert in_the_form.status_code == 200, in_the_form.text
    assert in_the_form.json()["results"] == posted["results"]


def test_its_next_page_goes_on(client):
    first = client.get("/", params={"url": URL, "limit": 3}).json()
    rest = client.get("/", params={"url": URL, "cursor": first["next_cursor"]}).json()
    assert sorted(names(first) + names(rest)) == ["blue.jpg", "green.jpg", "red.jpg", "white.jpg"]


def test_a_browser_gets_a_page_whose_links_hold_the_picture(client, web):
    page = Page(client.get("/", params={"url": URL, "limit": 3}, headers=BROWSER))
    assert page.all("img")[0]["alt"] == "blue.jpg"
    [more] = [link["href"] for link in page.all("a") if link.get("rel") == "next"]
    assert more.startswith("?picture=")
    assert len(Page(client.get(f"/{more}", headers=BROWSER)).all("img")) == 1
    posted = form(("url", None, URL.encode()), ("q", None, b""), ("image", "", b""))
    posted["headers"] |= BROWSER
    response = client.post(**posted)
    assert response.status_code == 303
    assert response.headers["location"].startswith("?picture=")
    assert len(web.requests) == 2


@pytest.mark.parametrize(
    ("url", "status", "said"),
    [
        ("http://photos.example/words", 422, "not a"),
        ("http://photos.example/none.png", 424, "the site answers with status 404"),
        ("http://nowhere.example/", 424, "the host of url cannot be found"),
        ("http://inside.example/", 400, "not public"),
        ("http://169.254.169.254/computeMetadata/v1/", 400, "not public"),
        ("http://photos.example:8081/", 400, "port 8081"),
        ("http://photos.example/large", 413, "more than 20,000,000 bytes"),
        (" ", 400, "url is empty"),
    ],
)
def test_what_is_wrong_is_said_with_its_status(client, web, url, status, said):
    web.names |= {"inside.example": ["10.0.0.7"], "169.254.169.254": ["169.254.169.254"]}
    web.pages["/words"] = answers(b"<!doctype html>")
    web.pages["/large"] = answers(b"", length=20_000_001)
    response = client.get("/", params={"url": url})
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert said in response.json()["detail"]


@pytest.mark.parametrize(
    "query",
    [
        "q=red&url={url}&not=green&weight=1,2,3",
        "url={url}&like=red.jpg&weight=1,2",
        "not=blue&picture={picture}&url={url}&weight=1,2,3",
    ],
)
def test_it_is_a_term_like_a_picture_in_its_place(client, query):
    picture = client.post("/embed", files={"image": png("blue")}).json()["picture"]
    by_url = query.format(url=URL, picture=picture)
    found = client.get(f"/?{by_url}")
    by_picture = by_url.replace(f"url={URL}", f"picture={picture}")
    assert scores(found) == pytest.approx(scores(client.get(f"/?{by_picture}")), abs=1e-3)
    fields = [pair.split("=", 1) for pair in by_url.split("&")]
    posted = client.post(**form(*((name, None, value.encode()) for name, value in fields)))
    assert scores(posted) == scores(found)


def scores(response):
    assert response.status_code == 200, response.text
    return {result["name"]: result["score"] for result in response.json()["results"]}


@pytest.mark.parametrize("accept", ["*/*", BROWSER["Accept"]])
def test_json_takes_a_url_wanted_or_not(client, accept):
    def post(*terms):
        body = {"terms": [{"text": "red"}, *terms]}
        return client.post("/search", json=body, headers={"Accept": accept})

    for weight in (2, -2):
        by_url = post({"url": f" {URL}", "weight": weight})
        by_file = post({"picture": base64.b64encode(png("blue")).decode(), "weight": weight})
        assert by_url.status_code == 200, by_url.text
        assert by_url.json()["results"] == by_file.json()["results"]


def test_one_picture_file_or_one_url(client, web):
    image = base64.b64encode(png("red")).decode()
    with_file = {"terms": [{"url": URL}, {"picture": image}]}
    for response in (
        client.post_image(png("red"), url=URL),
        client.post("/search", json=with_file),
    ):
        assert_problem(response, 400, "url and a picture file cannot be combined; send one of them")
    for twice in (
        client.get("/", params={"url": [URL, URL]}),
        client.post("/search", json={"terms": [{"url": URL}, {"url": URL}]}),
    ):
        assert_problem(twice, 400, "url is given 2 times; give it once")
    empty = client.post("/search", json={"terms": [{"url": " "}]})
    assert_problem(empty, 400, "terms[0].url is empty")
    assert web.connected == []


def test_the_log_never_has_the_url(client, caplog):
    client.get("/", params={"url": "http://photos.example/secret-holiday.png"})
    client.get("/", params={"url": "ftp://photos.example/secret-holiday.png"})
    assert "status 404" in caplog.text
    assert "secret-holiday" not in caplog.text


def test_slow_sites_hold_up_no_other_search_and_only_a_few_are_asked_at_once(client, web):
    from search.http.fetching import AT_ONCE

    asked, answer = threading.Semaphore(0), threading.Event()

    def slow(connection, path):
        asked.release()
        answer.wait(60)
        answers(png("blue"))(connection, path)

    web.pages["/slow.png"] = slow

    async def search():
        async with client.session() as session:
            urls = {"url": "http://photos.example/slow.png"}
            tasks = [asyncio.create_task(session.get("/", params=urls)) for _ in range(AT_ONCE + 2)]
            for _ in range(AT_ONCE):
                assert await asyncio.to_thread(asked.acquire, timeout=60)
            words = await session.get("/?q=red")
            picture = await session.post("/", files={"image": png("red")})
            assert not asked.acquire(blocking=False)
            answer.set()
            return [words, picture, *await asyncio.gather(*tasks)]

    assert [response.status_code for response in asyncio.run(search())] == [200] * (AT_ONCE + 4)


def test_a_name_server_that_never_answers_is_not_waited_for(client, web, monkeypatch):
    end = threading.Event()

    def resolve(host, port):
        end.wait(60)
        return []

    monkeypatch.setattr("search.fetch.network.resolve", resolve)
    monkeypatch.setattr("search.http.fetching.SECONDS", 0.1)
    response = client.get("/", params={"url": URL})
    end.set()
    assert response.status_code == 424
    assert "within 0.1 seconds" in response.json()["detail"]
