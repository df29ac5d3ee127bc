"""The page of site/, served by search itself (CLIPSEARCH_SITE)."""

import re

import pytest

from tests.search.test_errors import assert_problem
from tests.search.test_page import BROWSER, Page, follow
from tests.terraform.conftest import ROOT

SITE = ROOT / "site"


@pytest.fixture
def client(gallery, client_of):
    return client_of(gallery, CLIPSEARCH_SITE=str(SITE), CLIPSEARCH_SUGGESTIONS='["a <cat>"]')


def test_every_file_of_the_page_is_there_with_its_type(client):
    types = {}
    for path in SITE.iterdir():
        response = client.get(f"/page/{path.name}")
        assert response.status_code == 200, path.name
        types[path.suffix] = response.headers["content-type"]
        if path.name not in ("index.html", "config.js"):
            assert response.content == path.read_bytes()
        assert response.headers["x-content-type-options"] == "nosniff"
    assert types == {
        ".css": "text/css; charset=utf-8",
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".png": "image/png",
        ".svg": "image/svg+xml",
        ".webmanifest": "application/manifest+json",
    }


def test_its_addresses_are_relative_so_it_works_under_every_host_name(client):
    config = client.get("/page/config.js").text
    assert config.startswith(
        'export const SEARCH_URL = "..";\nexport const SUGGESTIONS = ["a <cat>"];\n'
    )
    names = re.compile(r"^export const (\w+) =", re.MULTILINE)
    assert names.findall(config) == names.findall((SITE / "config.js").read_text())
    html = client.get("/page/").text
    assert 'action="../"' in html
    assert 'href="../"' in html
    assert "127.0.0.1:8081" not in html
    assert "http-equiv" not in html  # the header has the policy
    assert html == client.get("/page/index.html").text
    # without cookies a proxy that asks for a sign-in would not let it through
    assert '<link rel="manifest" crossorigin="use-credentials"' in html


def test_its_policy_names_this_function_and_the_two_buckets(client):
    policy = client.get("/page/").headers["content-security-policy"].split("; ")
    buckets = "http://127.0.0.1:8080/photos/ http://127.0.0.1:8080/thumbnails/"
    assert policy == [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        f"img-src 'self' blob: {buckets}",
        "connect-src 'self' http://127.0.0.1:8080/photos/",
        "form-action 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]


def test_a_browser_loads_a_file_once_and_then_asks_whether_it_changed(client):
    first = client.get("/page/app.js")
    assert first.headers["cache-control"] == "no-cache"
    again = client.get("/page/app.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_browser_without_a_query_gets_the_page_and_everyone_else_the_api(client):
    response = client.get("/", headers=BROWSER)
    assert (response.status_code, response.headers["location"]) == (302, "page/")
    assert client.get("/").json()["results"]
    assert "4 photos" in Page(client.get("/?q=blue", headers=BROWSER)).text


def test_without_javascript_the_form_finds_photos_with_the_style_of_the_page(client):
    response, _ = follow(client, ("q", None, b"blue"))
    page = Page(response)
    assert "4 photos like “blue”" in page.text
    assert page.all("link")[0]["href"] == "page/style.css"
    assert "style-src 'self'; " in response.headers["content-security-policy"]


@pytest.mark.parametrize("name", ["missing.js", "../main.py", "%2e%2e/main.py", "a/b"])
def test_nothing_else_is_served(client, name):
    response = client.get(f"/page/{name}")
    assert response.status_code == 404, response.text


def test_without_the_setting_there_is_no_page(gallery, client_of):
    client = client_of(gallery)
    assert_problem(client.get("/page/"), 404, "unknown path")
    assert client.get("/", headers=BROWSER).status_code == 200


def test_a_folder_without_the_page_is_named_in_the_log(gallery, client_of, tmp_path, caplog):
    client = client_of(gallery, CLIPSEARCH_SITE=str(tmp_path))
    assert_problem(client.get("/page/"), 500, "internal error")
    assert "CLIPSEARCH_SITE is" in caplog.text
    assert client.get("/health").status_code == 200
