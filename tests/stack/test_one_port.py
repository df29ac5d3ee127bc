"""The search below the page's port, and the names that the page answers to."""

import http.client
import json
import socket
import threading

import pytest

from cli.common.errors import UsageError
from cli.run.options import options_of
from cli.run.static import StaticServer
from tests.support.http_double import Handler, HttpDouble
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE, wait_for


class Search(HttpDouble):
    """Stands for the search function. `asked`: (method, path, headers, body) of each request."""

    def __init__(self):
        self.asked = []
        self.gone = threading.Event()
        super().__init__(Asked)


class Asked(Handler):
    def do_GET(self):
        if self.path == "/refuses":  # at once, and without reading the body
            self.close_connection = True
            self.send(413, {"detail": "too large"}, {"Connection": "close"})
            return
        self.double.asked.append((self.command, self.path, self.headers, self.body()))
        if self.path == "/silent":
            self.connection.recv(1)  # b"" as soon as the other side closes
            self.double.gone.set()
        elif self.path == "/breaks":
            self.close_connection = True
        elif self.path == "/half":
            self.close_connection = True
            self.send(200, b"half", {"Content-Length": "8"})
        elif self.path == "/parts":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"4\r\nsome\r\n6\r\n parts\r\n0\r\n\r\n")
        else:
            self.send(200, {"found": self.path}, {"Server-Timing": "total;dur=1"})

    do_HEAD = do_POST = do_OPTIONS = do_GET


@pytest.fixture
def search():
    search = Search()
    yield search
    search.close()


@pytest.fixture
def serve(tmp_path):
    servers = []

    def serve(search_url, **options):
        page = {"/index.html": "the page"}
        server = StaticServer("127.0.0.1", 0, {"/": tmp_path}, page, "", search_url, **options)
        servers.append(server)
        return server.port

    yield serve
    for server in servers:
        server.close()


@pytest.fixture
def port(serve, search):
    return serve(search.url)


@pytest.fixture
def ask(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)

    def ask(path, method="GET", body=None, **headers):
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read()

    yield ask
    connection.close()


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/search/?q=a%20b&limit=1", "/?q=a%20b&limit=1"),
        ("/search?q=a", "/?q=a"),
        ("/search", "/"),
        ("/search/", "/"),
        ("/search/search", "/search"),
        ("/search/facets?q=a/b", "/facets?q=a/b"),
        ("/search/openapi.json", "/openapi.json"),
    ],
)
def test_requests_below_search_reach_the_search_function(ask, search, path, asked):
    status, headers, body = ask(path)
    assert (status, json.loads(body)) == (200, {"found": asked})
    assert headers["Server-Timing"] == "total;dur=1"
    assert search.asked[0][:2] == ("GET", asked)


def test_others_do_not(ask, search):
    assert ask("/")[2] == b"the page"
    assert ask("/searching")[0] == 404
    assert search.asked == []


def test_body_and_headers_are_passed_on_and_the_client_is_named(ask, search):
    ask("/search/embed", "POST", b"x" * 300_000, **{"Content-Type": "a/b", "X-Forwarded-For": "c"})
    [(method, path, headers, body)] = search.asked
    assert (method, path, len(body)) == ("POST", "/embed", 300_000)
    assert headers["Content-Type"] == "a/b"
    assert headers["X-Forwarded-For"] == "c, 127.0.0.1"
    assert ask("/search/embed", "HEAD")[2] == b""
    assert ask("/search/embed", "OPTIONS")[0] == 200  # on the same connection


def test_bytes_that_are_no_ascii_arrive(port, search):
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
        line = "GET /search/?q=größe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        client.sendall(line.encode())
        assert client.makefile("rb").read().startswith(b"HTTP/1.1 200 ")
    assert search.asked[0][1] == "/?q=gr%C3%B6%C3%9Fe"


def test_an_answer_of_unknown_length_arrives_whole(ask):
    assert ask("/search/parts")[2] == b"some parts"


def test_an_answer_before_the_end_of_the_body_arrives(ask):
    status, _, body = ask("/search/refuses", "POST", b"x" * 8_000_000)
    assert (status, json.loads(body)) == (413, {"detail": "too large"})


def test_a_client_that_goes_ends_the_request(port, search):
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    client.request("GET", "/search/silent")
    wait_for(lambda: search.asked, "the request arrives")
    client.close()
    assert search.gone.wait(PATIENCE)


def problem(answer, status):
    found, headers, body = answer
    assert found == status
    assert headers["Content-Type"] == "application/problem+json"
    content = json.loads(body)
    assert (content["type"], content["status"]) == ("about:blank", status)
    return content["detail"]


def test_a_search_that_is_not_there_is_a_problem_with_retry_after(ask, search):
    search.close()
    answer = ask("/search/?q=a")
    assert problem(answer, 503) == "search is starting or has stopped"
    assert int(answer[1]["Retry-After"]) > 0


def test_a_search_that_ends_is_a_problem(ask):
    assert "without an answer" in problem(ask("/search/breaks"), 502)
    with pytest.raises(http.client.IncompleteRead):
        ask("/search/half")


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Transfer-Encoding": "chunked"}, 411), ({"Content-Length": "-1"}, 400)],
)
def test_a_body_without_a_length_is_refused(ask, headers, status):
    problem(ask("/search/", "POST", **headers), status)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("127.0.0.1:80", 200),
        ("LOCALHOST:80", 200),
        ("attacker.example", 421),
        ("attacker.example:80", 421),
        ("127.0.0.1.attacker.example", 421),
        ("[::1]", 421),
        ("", 421),
    ],
)
@pytest.mark.parametrize("path", ["/", "/search/", "/index.html"])
def test_a_name_that_a_website_points_here_is_refused(serve, search, host, status, path):
    port = serve(search.url, names=("127.0.0.1", "localhost"))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("GET", path, headers={"Host": host})
    assert connection.getresponse().status == status
    connection.close()


def test_localhost_leads_to_the_origin_that_answers_name(serve, search):
    port = serve(search.url, names=("127.0.0.1", "localhost"))
    connection = http.client.HTTPConnection("localhost", port, timeout=PATIENCE)
    connection.request("GET", "//evil.example/?q=a")
    answer = connection.getresponse()
    assert answer.status == 307
    assert answer.headers["Location"] == f"http://127.0.0.1:{port}/evil.example/?q=a"
    connection.close()


@pytest.mark.parametrize(
    ("given", "host", "is_open", "page"),
    [
        ("127.0.0.1", "127.0.0.1", False, "http://127.0.0.1:8080"),
        ("localhost", "127.0.0.1", False, "http://127.0.0.1:8080"),
        ("127.0.0.2", "127.0.0.2", False, "http://127.0.0.2:8080"),
        ("::1", "::1", False, "http://[::1]:8080"),
        ("0.0.0.0", "0.0.0.0", True, "http://127.0.0.1:8080"),
        ("::", "::", True, "http://[::1]:8080"),
        ("192.168.1.20", "192.168.1.20", True, "http://192.168.1.20:8080"),
    ],
)
def test_the_host_says_who_reaches_the_page(given, host, is_open, page):
    options = options_of(host=given)
    assert (options.host, options.is_open, options.page) == (host, is_open, page)


def test_a_host_that_is_no_address_is_refused():
    with pytest.raises(UsageError, match=r"^--host nas is no IP address; use 127\.0\.0\.1 for "):
        options_of(host="nas")


def test_an_address_of_another_machine_is_named(start_stack, model, tmp_path):
    stack = start_stack(
        *("--model", model.folder, "--state", tmp_path / "run"),
        *("--port", free_port(), "--host", "192.0.2.1"),
    )
    assert stack.process.wait(PATIENCE) == 2
    assert stack.output() == (
        "clipsearch: 192.0.2.1 is no address of this machine; choose another with --host\n"
    )
