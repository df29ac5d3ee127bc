"""A photo that ends the process, or meets an error nobody foresaw, is tried so many times."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from PIL import Image, ImageFile

from clipsearch.index.format.entries import Kind
from ingest.retries import FRESH_S, LIMIT
from tests.support.pictures import jpeg
from tests.support.pubsub_double import PubSubDouble, event_of

TOPIC, LETTERS = "projects/p/topics/maintenance", "projects/p/topics/dead-letters"
OLD = (datetime.now(UTC) - timedelta(seconds=FRESH_S + 60)).isoformat().replace("+00:00", "Z")


class Killed(BaseException):
    """Stands for the end of the process: nothing that comes after it in the code is done."""


@pytest.fixture
def killing(monkeypatch):
    """The image library ends the process for pictures of 13 x 13 pixels."""

    def load(image):
        if image.size == (13, 13):
            raise Killed
        return real(image)

    real = ImageFile.ImageFile.load
    monkeypatch.setattr(ImageFile.ImageFile, "load", load)


@pytest.fixture
def failing(monkeypatch):
    """It cannot write thumbnails of such pictures, and says so as nobody expects."""

    def save(image, *arguments, **options):
        if image.size == (13, 13) and "WEBP" in arguments:
            raise RuntimeError("of the library's own")
        return real(image, *arguments, **options)

    real = Image.Image.save
    monkeypatch.setattr(Image.Image, "save", save)
    return real


@pytest.fixture
def letters(monkeypatch):
    pubsub = PubSubDouble(LETTERS)
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub.host)
    monkeypatch.setenv("CLIPSEARCH_DEAD_LETTERS", LETTERS)
    yield pubsub
    pubsub.close()


@pytest.fixture
def topic(monkeypatch):
    pubsub = PubSubDouble(TOPIC)
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub.host)
    monkeypatch.setenv("CLIPSEARCH_TOPIC", TOPIC)
    yield pubsub
    pubsub.close()


def deliver(cloud, event, time=OLD):
    """One delivery of an event that happened at `time`; True if it was answered 2xx."""
    request = event.request("http://ingest/")
    headers = {**dict(request.header_items()), "Ce-time": time}
    try:
        return cloud.post(request.data, headers) == 200
    except Killed:
        cloud.restart()
        return False


def deliveries(cloud, event):
    """How many it takes; Pub/Sub stops at nothing."""
    return next(n for n in range(1, 3 * LIMIT) if deliver(cloud, event))


def attempts(cloud):
    return [stat.name for stat in cloud.index.list("attempts/")]


def test_a_photo_that_ends_the_process_is_given_up(cloud, killing, letters, caplog):
    [event] = cloud.put("bomb.jpg", jpeg("red", (13, 13)))
    assert deliveries(cloud, event) == LIMIT + 1  # the last one only says so
    assert cloud.state() == {"bomb.jpg": (Kind.FAILURE, event.generation)}
    assert cloud.reasons()["bomb.jpg"] == "gave up after 5 attempts ended the process"
    [letter] = [json.loads(letter) for letter in letters.take()]
    assert letter["name"] == "bomb.jpg"
    assert letter["generation"] == event.generation
    assert letter["event"]["id"] == event.id
    assert caplog.records[-1].fields["outcome"] == "given up"
    assert attempts(cloud) == []
    cloud.services.dead_letters.close()


def test_an_error_that_nobody_foresaw_is_given_up_too(cloud, failing):
    [event] = cloud.put("odd.jpg", jpeg("red", (13, 13)))
    assert deliveries(cloud, event) == LIMIT
    assert cloud.reasons()["odd.jpg"] == "gave up after 5 attempts (RuntimeError)"
    assert attempts(cloud) == []


def test_other_photos_are_not_affected(cloud, killing):
    [bomb] = cloud.put("bomb.jpg", jpeg("red", (13, 13)))
    [fine] = cloud.put("fine.jpg", jpeg("red", (14, 14)))
    assert not deliver(cloud, bomb)
    assert deliver(cloud, fine)
    assert cloud.photos_found() == {"fine.jpg": fine.generation}
    assert len(attempts(cloud)) == 1  # the bomb's


def test_another_generation_starts_anew(cloud, killing):
    [bomb] = cloud.put("a.jpg", jpeg("red", (13, 13)))
    assert not deliver(cloud, bomb)
    mended, _ = cloud.put("a.jpg", jpeg("red", (14, 14)))
    assert deliver(cloud, mended)
    assert cloud.photos_found() == {"a.jpg": mended.generation}


def test_a_photo_that_is_tried_again_with_success_leaves_nothing_behind(cloud, killing):
    [event] = cloud.put("a.jpg", jpeg("red", (13, 13)))
    for _ in range(LIMIT - 1):
        assert not deliver(cloud, event)
    assert len(attempts(cloud)) == LIMIT - 1
    (cloud.root / "photos" / "a.jpg").unlink()  # gone: there is nothing to do
    assert deliver(cloud, event)
    assert attempts(cloud) == []


def test_a_fault_of_the_infrastructure_does_not_count(cloud):
    [event] = cloud.put("a.jpg", jpeg())
    assert cloud.client
    (cloud.root / "thumbnails").write_bytes(b"")  # where the folder should be
    for _ in range(3 * LIMIT):
        assert not deliver(cloud, event)
    assert attempts(cloud) == []
    (cloud.root / "thumbnails").unlink()
    assert deliver(cloud, event)
    assert cloud.photos_found() == {"a.jpg": event.generation}


def test_a_fresh_event_costs_no_request_more(cloud, killing):
    [event] = cloud.put("a.jpg", jpeg("red", (13, 13)))
    now = datetime.now(UTC).isoformat()
    assert not deliver(cloud, event, now)
    assert not deliver(cloud, event, "no time")
    assert attempts(cloud) == []


def test_reconciling_tries_what_was_given_up_again(cloud, failing, monkeypatch):
    [event] = cloud.put("odd.jpg", jpeg("red", (13, 13)))
    deliveries(cloud, event)
    assert cloud.reasons()
    monkeypatch.setattr(Image.Image, "save", failing)  # another release of the library
    assert cloud.reconcile() == 200
    assert cloud.photos_found() == {"odd.jpg": event.generation}


def test_a_message_that_ends_the_process_is_cut_until_the_photo_is_found(cloud, killing, topic):
    for number in range(10):
        cloud.put(f"{number}.jpg", jpeg("red", (14, 14)))
    [bomb] = cloud.put("4-bomb.jpg", jpeg("red", (13, 13)))
    assert cloud.reconcile() == 200

    delivered = 0
    waiting = topic.take()
    while waiting:
        message = waiting.pop(0)
        headers, body = event_of(message)
        headers["ce-time"] = OLD
        try:
            assert cloud.post(body, headers) == 200
        except Killed:
            cloud.services.topic.close()
            cloud.restart()
            waiting.append(message)
        waiting += topic.take()
        delivered += 1
        assert delivered < 60
    assert len(cloud.photos_found()) == 10
    assert cloud.state()["4-bomb.jpg"] == (Kind.FAILURE, bomb.generation)
    assert attempts(cloud) == []
    cloud.services.topic.close()
