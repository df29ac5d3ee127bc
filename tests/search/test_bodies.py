"""Slow bodies, many bodies and large ones delay neither texts nor each other for long."""

import asyncio
import sys
import threading

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.search.conftest import form
from tests.search.test_busy import PATIENCE, many_requests_to
from tests.support.pictures import encoded, png


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, PATIENCE))


def post_picture(client, picture):
    return client.post("/?limit=1", files={"image": ("a.jpg", picture)})


async def idle_post(address):
    """A connection that promises a body and sends none; (the reader, the writer)."""
    url = httpx.URL(address)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(
        b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3000000\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    )
    await writer.drain()
    return reader, writer


def test_idle_connections_hold_no_place_for_long_and_delay_nobody(server):
    async def ask():
        idle = [await idle_post(server) for _ in range(32)]
        async with many_requests_to(server) as client:
            answers = await asyncio.gather(
                client.get("/?q=blue"), post_picture(client, png("blue"))
            )
        status_lines = [await reader.readline() for reader, _ in idle]
        for _, writer in idle:
            writer.close()
        return answers, status_lines

    answers, status_lines = run(ask())
    assert [answer.status_code for answer in answers] == [200, 200]
    assert {line.split()[1] for line in status_lines} == {b"408"}


def noisy_jpeg(size_mb):
    """A JPEG of at least so many MB."""
    side = 1400
    pixels = np.random.default_rng(1).integers(0, 256, (side, side, 3), np.uint8)
    # what follows a JPEG's end marker is no part of the picture
    return encoded(Image.fromarray(pixels), "JPEG", quality=95).ljust(int(size_mb * 1e6), b"\0")


def test_32_clients_with_ordinary_pictures_wait_and_are_all_answered(server):
    picture = noisy_jpeg(3)

    async def ask():
        async with many_requests_to(server) as client:
            return await asyncio.gather(*(post_picture(client, picture) for _ in range(32)))

    assert [answer.status_code for answer in run(ask())] == [200] * 32


@pytest.fixture
def slow_bodies(client, monkeypatch):
    """Bodies have one second until they must arrive at the minimum rate."""
    monkeypatch.setattr("search.http.body.GRACE", 1)
    return client


def chunked(*pieces):
    """A POST without Content-Length whose body never ends."""

    async def body():
        for piece in pieces:
            yield piece
        while True:
            await asyncio.sleep(0.05)
            yield b"a"

    return {"content": body(), "headers": form()["headers"]}


def test_slow_bodies_are_a_408_and_pictures_get_their_turn(slow_bodies):
    async def ask():
        async with slow_bodies.session() as session:
            slow = [asyncio.create_task(session.post("/", **chunked(b"--x"))) for _ in range(16)]
            await asyncio.sleep(0)
            picture = await post_picture(session, png("blue"))
            return picture, await asyncio.gather(*slow)

    picture, slow = run(ask())
    assert picture.status_code == 200
    assert {answer.status_code for answer in slow} == {408}
    for answer in slow:
        assert "too slowly" in answer.json()["detail"]
        assert "32 kB per second" in answer.json()["detail"]


def test_a_body_that_never_begins_is_a_408(slow_bodies):
    async def nothing():
        await asyncio.Event().wait()
        yield b""

    answer = slow_bodies.post(content=nothing(), headers=form()["headers"])
    assert answer.status_code == 408
    assert answer.json()["detail"] == "no byte of the body arrived within 1 seconds"


class BlockedPictures:
    """Every thread for pictures blocks until `free` is set."""

    def __init__(self, parse_form):
        self.free = threading.Event()
        self.begun = 0
        self._parse_form = parse_form

    def __call__(self, *arguments):
        self.begun += 1
        assert self.free.wait(PATIENCE)
        return self._parse_form(*arguments)

    async def wait_for(self, count):
        while self.begun < count:
            await asyncio.sleep(0.01)


@pytest.fixture
def blocked(client, monkeypatch):
    blocked = BlockedPictures(sys.modules["search.forms"].parse_form)
    monkeypatch.setattr("search.forms.parse_form", blocked)
    yield blocked
    blocked.free.set()


@pytest.fixture
def one_thread(client, monkeypatch):
    pool = sys.modules["search.http.pool"].Pool("test", 1, 2)
    monkeypatch.setattr("search.resources.pictures", pool)


def test_texts_are_answered_while_every_thread_for_pictures_is_blocked(client, blocked):
    workers = sys.modules["search.resources"].PICTURE_WORKERS

    async def ask():
        async with client.session() as session:
            posts = [
                asyncio.create_task(post_picture(session, png("blue"))) for _ in range(2 * workers)
            ]
            await blocked.wait_for(workers)
            for path in ("/?q=blue", "/embed?q=blue", "/status"):
                assert (await session.get(path)).status_code == 200
            assert not any(post.done() for post in posts)
            assert blocked.begun == workers
            blocked.free.set()
            return await asyncio.gather(*posts)

    assert {answer.status_code for answer in run(ask())} == {200}


@pytest.mark.usefixtures("one_thread")
def test_one_that_waited_too_long_is_told_to_come_again(client, blocked, monkeypatch):
    async def ask():
        async with client.session() as session:
            first = asyncio.create_task(post_picture(session, png("blue")))
            await blocked.wait_for(1)
            monkeypatch.setattr("search.http.pool.MAX_WAIT", 0.1)
            second = await post_picture(session, png("blue"))
            blocked.free.set()
            return await first, second

    first, second = run(ask())
    assert first.status_code == 200
    assert second.status_code == 503
    assert int(second.headers["retry-after"]) > 0
    assert "waited 0.1 seconds" in second.json()["detail"]


async def post_and_go(app, in_line, gone):
    """Sets `in_line` when the picture waits for a thread; the client goes when `gone` is set.
    The status of the answer that nobody reads."""
    arguments = form(("image", "a.png", png("blue")))
    coming = [{"type": "http.request", "body": arguments["content"], "more_body": False}]
    sent = []

    async def receive():
        if coming:
            return coming.pop()
        in_line.set()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    content_type = arguments["headers"]["Content-Type"].encode()
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"search.test"), (b"content-type", content_type)],
        "client": ("127.0.0.1", 1),
        "server": ("search.test", 80),
    }
    await app(scope, receive, send)
    return sent[0]["status"]


@pytest.mark.usefixtures("one_thread")
def test_the_picture_of_a_client_that_has_gone_is_not_worked_on(client, blocked):
    async def ask():
        in_line, gone = asyncio.Event(), asyncio.Event()
        async with client.session() as session:
            first = asyncio.create_task(post_picture(session, png("blue")))
            await blocked.wait_for(1)
            second = asyncio.create_task(post_and_go(client.app, in_line, gone))
            await in_line.wait()
            gone.set()
            assert await second == 400  # at once, and not when the thread is free
            blocked.free.set()
            assert (await first).status_code == 200

    run(ask())
    assert blocked.begun == 1
    assert client.post_image(png("blue")).status_code == 200  # on the place it gave back
