"""The web server of the local stack."""

import http.client
import os
from urllib.parse import quote

import pytest

from cli.run.static import StaticServer


@pytest.fixture
def folders(tmp_path):
    for name in ("site", "photos/sub", "thumbnails", "secret"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "site" / "index.html").write_text("<title>page</title>")
    (tmp_path / "site" / "app.js").write_text("export {};")
    (tmp_path / "site" / "config.js").write_text("not this one")
    (tmp_path / "photos" / "sub" / "a.jpg").write_bytes(b"jpeg")
    (tmp_path / "photos" / "page.html").write_text("<script>")
    (tmp_path / "photos" / "drawing.svg").write_text("<svg>")
    (tmp_path / "photos" / ".hidden.jpg").write_bytes(b"hidden")
    (tmp_path / "thumbnails" / "a.webp").write_bytes(b"webp")
    (tmp_path / "secret" / "key.jpg").write_bytes(b"secret")
    return tmp_path


@pytest.fixture
def get(folders):
    served = {
        "/": folders / "site",
        "/photos/": folders / "photos",
        "/thumbnails/": folders / "thumbnails",
    }
    server = StaticServer("127.0.0.1", 0, served, {"/config.js": "generated"}, "default-src 'none'")
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=30)

    def get(path, method="GET", **headers):
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read()

    yield get
    connection.close()
    server.close()


@pytest.mark.parametrize(
    ("path", "content_type", "body"),
    [
        ("/", "text/html; charset=utf-8", b"<title>page</title>"),
        ("/index.html?a=b", "text/html; charset=utf-8", b"<title>page</title>"),
        ("/app.js", "text/javascript; charset=utf-8", b"export {};"),
        ("/config.js", "text/javascript; charset=utf-8", b"generated"),
        ("/photos/sub/a.jpg", "image/jpeg", b"jpeg"),
        ("/thumbnails/a.webp", "image/webp", b"webp"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_files_have_their_type_and_head_has_no_body(get, path, content_type, body, method):
    status, headers, found = get(path, method)
    assert (status, headers["Content-Type"]) == (200, content_type)
    assert headers["Content-Length"] == str(len(body))
    assert found == (body if method == "GET" else b"")
    assert get("/app.js")[0] == 200  # on the same connection: nothing is left of the answer


@pytest.mark.parametrize("name", ["größe 100%.jpg", "a#b?c&d+e.jpg", "'\"\\.jpg", "日本/写真.jpg"])
def test_odd_names_are_found(get, folders, name):
    path = folders / "photos" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"odd")
    assert get("/photos/" + quote(name))[::2] == (200, b"odd")


@pytest.mark.parametrize(
    "path",
    [
        "/photos/../secret/key.jpg",
        "/photos/%2e%2e/secret/key.jpg",
        "/photos/..%2fsecret%2fkey.jpg",
        "/photos/sub/../../secret/key.jpg",
        "/photos//etc/passwd",
        "/photos/%2fetc%2fpasswd",
        "/../secret/key.jpg",
        "/photos/.hidden.jpg",
        "/photos/link.jpg",
        "/photos/sub",
        "/photos/sub/",
        "/photos/",
        "/photos/a%00.jpg",
        "/photos/%ff.jpg",
        "/photos/none.jpg",
        "/photos",
        "/none",
    ],
)
def test_nothing_else_is_found(get, folders, path):
    os.symlink(folders / "secret" / "key.jpg", folders / "photos" / "link.jpg")
    status, _, body = get(path)
    assert status == 404
    assert b"secret" not in body


@pytest.mark.parametrize("name", ["page.html", "drawing.svg"])
def test_a_page_among_the_photos_is_not_run(get, name):
    _, headers, _ = get(f"/photos/{name}")
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_what_has_not_changed_is_not_sent_again(get, folders):
    _, headers, _ = get("/photos/sub/a.jpg")
    etag = headers["ETag"]
    status, _, body = get("/photos/sub/a.jpg", **{"If-None-Match": etag})
    assert (status, body) == (304, b"")
    (folders / "photos" / "sub" / "a.jpg").write_bytes(b"another")
    status, _, body = get("/photos/sub/a.jpg", **{"If-None-Match": etag})
    assert (status, body) == (200, b"another")


def test_other_methods_are_refused(get):
    assert get("/", "POST")[0] == 501
