"""The real server under more work than it can do at once."""

import asyncio
import sys
import time

import httpx

from tests.support.pictures import picture
from tests.support.waiting import wait_for

# More pictures than the pool has places for (search.resources.PLACES).
MANY = 100
HEALTHS = 25
PATIENCE = 300  # seconds


def get(url):
    return httpx.get(url, timeout=PATIENCE, trust_env=False)


def slow_picture():
    """Few bytes, many pixels: a tenth of a second to decode."""
    return picture("PNG", "blue", (2000, 2000))


def many_requests_to(address):
    """A client that opens a connection for each request.

    The server closes a connection that was idle for 2 s. A client that reuses it at that moment
    gets an error that says nothing about the server.
    """
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    return httpx.AsyncClient(base_url=address, limits=limits, timeout=PATIENCE, trust_env=False)


async def crowd(address):
    """(the answers to MANY posts, when the last one came, when /health answered meanwhile)."""
    picture = slow_picture()
    async with many_requests_to(address) as client:

        async def post():
            files = {"image": ("slow.png", picture)}
            answer = await client.post("/?limit=1", files=files)
            return answer, time.monotonic()

        posts = [asyncio.create_task(post()) for _ in range(MANY)]
        # the first answer: a refusal, for the pool is full and works
        await asyncio.wait(posts, return_when=asyncio.FIRST_COMPLETED)
        health = []
        for _ in range(HEALTHS):
            assert (await client.get("/health")).status_code == 200
            health.append(time.monotonic())
        answers, times = zip(*await asyncio.gather(*posts), strict=True)
        return answers, max(times), health


def test_a_crowd_is_served_or_told_to_come_again_and_health_answers_meanwhile(server):
    answers, last, health = asyncio.run(crowd(server))
    served = [answer for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer.status_code == 503]
    assert len(served) + len(refused) == MANY
    assert len(served) >= 16
    assert refused
    for answer in served:
        assert answer.json()["results"][0]["name"] == "blue.jpg"
    for answer in refused:
        assert int(answer.headers["retry-after"]) > 0
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["content-type"] == "application/problem+json"
        assert "too many requests" in answer.json()["detail"]
    # The event loop was free while the pool was not: were the work done in the loop, these
    # would have waited for it, one after the other.
    assert max(health) < last

    # and every place was given back
    for _ in range(3):
        assert get(f"{server}/?q=blue").status_code == 200


async def words_behind_pictures(address, count):
    """The answers to `count` searches by words that come when the pool is full of pictures."""
    picture = slow_picture()
    async with many_requests_to(address) as client:
        files = {"image": ("slow.png", picture)}
        posts = [asyncio.create_task(client.post("/?limit=1", files=files)) for _ in range(MANY)]
        await asyncio.wait(posts, return_when=asyncio.FIRST_COMPLETED)
        answers = await asyncio.gather(*(client.get("/?q=blue") for _ in range(count)))
        await asyncio.gather(*posts)
        return answers


def test_words_wait_where_a_picture_is_turned_away(server):
    answers = asyncio.run(words_behind_pictures(server, 50))
    assert {answer.status_code for answer in answers} == {200}


def test_too_many_words_are_told_to_come_again(client, monkeypatch):
    """All of them come while the first one loads the model."""
    monkeypatch.setattr(
        "search.resources.texts", sys.modules["search.http.pool"].Pool("test", 1, 3)
    )

    async def ask():
        async with client.session() as session:
            return await asyncio.gather(*(session.get("/?q=red") for _ in range(6)))

    answers = asyncio.run(ask())
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [503] * 3
    assert client.get("/?q=red").status_code == 200  # every place was given back
    assert client.post_image(slow_picture()).status_code == 200


def test_a_refused_body_leaves_an_answer_and_not_a_broken_connection(server):
    """The client is still sending when the answer comes; it must be able to read it."""
    body = bytes(25_000_000)
    for content_type, status in (("multipart/form-data; boundary=x", 413), ("image/png", 415)):
        headers = {"Content-Type": content_type}
        answer = httpx.post(
            server, content=body, headers=headers, timeout=PATIENCE, trust_env=False
        )
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == "*"


def test_a_body_that_never_comes_gives_its_place_back(server):
    """Clients that hang up while they send."""
    port = int(server.rsplit(":", 1)[1])

    async def hang_up():
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
        )
        await writer.drain()
        await asyncio.sleep(0.2)
        writer.close()

    async def all_of_them():
        await asyncio.gather(*(hang_up() for _ in range(MANY)))

    asyncio.run(all_of_them())
    wait_for(lambda: get(f"{server}/?q=blue").status_code == 200, "the places are given back")


def test_an_answer_to_head_ends_with_its_headers(server):
    """Else what follows on the same connection would begin with a body nobody waits for."""
    with httpx.Client(base_url=server, timeout=PATIENCE, trust_env=False) as client:
        for path in ("/?q=blue", "/?q=", "/health"):
            head = client.head(path)
            get = client.get(path)
            assert head.status_code == get.status_code
            assert head.headers["content-type"] == get.headers["content-type"]
            assert int(head.headers["content-length"]) > 0
            assert get.json()
