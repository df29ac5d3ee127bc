"""How often an event waits for storage: requests that are held back until no more of them come."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.support.buckets import Delegating
from tests.support.pictures import jpeg
from tests.support.waiting import PATIENCE, wait_for


class Gate:
    """Holds requests back while it is shut; let_pass() ends the wait of those that wait."""

    def __init__(self):
        self._changed = threading.Condition()
        self._waiting = {}
        self._is_shut = False

    def enter(self, what):
        ticket = object()
        with self._changed:
            if self._is_shut:
                self._waiting[ticket] = what
            # Longer than wait_for() below, which says what is wrong.
            assert self._changed.wait_for(lambda: ticket not in self._waiting, 2 * PATIENCE)

    def waiting(self):
        with self._changed:
            return sorted(self._waiting.values())

    def has(self, count):
        return len(self.waiting()) >= count

    def shut(self):
        with self._changed:
            self._is_shut = True

    def let_pass(self, is_shut=True):
        with self._changed:
            self._waiting, self._is_shut = {}, is_shut
            self._changed.notify_all()


class Gated(Delegating):
    def __init__(self, bucket, name, gate):
        super().__init__(bucket)
        self._name, self._gate = name, gate

    def around(self, method, name, request):
        self._gate.enter((method, self._name))
        return request()


@pytest.fixture
def gate(cloud, monkeypatch):
    """A warm instance. The model is looked for when `due` says so."""
    assert cloud.send(*cloud.put("warm.jpg", jpeg())) == 200
    import ingest.services

    monkeypatch.setattr(ingest.services, "LOOK_FOR_MODEL_EVERY", 10**9)
    gate = Gate()
    services = cloud.services
    for name in ("photos", "index", "thumbnails"):
        setattr(services, name, Gated(getattr(services, name), name, gate))
    services.model._index = services.index
    yield gate
    gate.let_pass(is_shut=False)


def answered(cloud, gate, event, rounds):
    """Deliver `event`. Let each of the `rounds` of requests pass once all of it waits; nothing else
    may come. Returns the status."""
    gate.shut()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(cloud.send, event)
        try:
            for requests in map(sorted, rounds):
                wait_for(partial(gate.has, len(requests)), f"these requests: {requests}")
                assert gate.waiting() == requests
                gate.let_pass()
            wait_for(lambda: answer.done() or gate.waiting(), "an answer, or more requests")
            assert gate.waiting() == []
        finally:
            gate.let_pass(is_shut=False)
    return answer.result()


READ = [("read", "photos")]
WRITE = [("create", "thumbnails"), ("create", "index"), ("stat", "photos")]


def test_an_upload_waits_for_storage_twice(cloud, gate):
    [event] = cloud.put("a.jpg", jpeg("red", (400, 300)))
    assert answered(cloud, gate, event, [READ, WRITE]) == 200
    assert cloud.photos_found()["a.jpg"] == event.generation
    assert cloud.has_thumbnail(event)


def test_a_look_for_the_model_adds_no_wait(cloud, gate, monkeypatch):
    import ingest.services

    [event] = cloud.put("a.jpg", jpeg("red", (400, 300)))
    # Due again only long after this event: it looks once.
    monkeypatch.setattr(ingest.services, "LOOK_FOR_MODEL_EVERY", 3600.0)
    cloud.services.model._looked = time.monotonic() - 3601
    assert answered(cloud, gate, event, [[*READ, ("stat", "index")], WRITE]) == 200
    assert cloud.photos_found()["a.jpg"] == event.generation


def test_a_deletion_waits_for_tombstone_and_pictures(cloud, gate):
    [event] = cloud.put("a.jpg", jpeg("red", (400, 300)))
    assert cloud.send(event) == 200
    [deleted] = cloud.delete("a.jpg")
    tombstone_and_note, pictures = [("create", "index")] * 2, [("delete", "thumbnails")] * 3
    assert answered(cloud, gate, deleted, [tombstone_and_note, pictures]) == 200
    assert "a.jpg" not in cloud.photos_found()


def test_many_cores_get_all_photos(cloud, monkeypatch):
    """More cores than reads at once: none of them is faster than the reads."""
    for number in range(40):
        cloud.put(f"{number}.jpg", jpeg("red", (8, 6)))
    assert cloud.client
    import ingest.prepare

    monkeypatch.setattr(ingest.prepare, "cpus", lambda: 32)
    assert cloud.reconcile() == 200
    assert len(cloud.photos_found()) == 40


def test_the_photos_of_a_message_are_looked_for_while_others_are_encoded(cloud, monkeypatch):
    """No look waits for the last encoding."""
    for number in range(4):
        cloud.put(f"{number}.jpg", jpeg("red", (60, 40 + number)))
    assert cloud.client
    looked, left = threading.Event(), []

    class Noting(Delegating):
        def around(self, method, name, request):
            if method == "stat":
                looked.set()
            return request()

    from clipsearch.model.encoder import Encoder

    encode = Encoder.encode_here

    def encode_here(self, images):
        left.append(len(images))
        if sum(left) == 4:
            assert looked.wait(120)
        return encode(self, images)

    monkeypatch.setattr(Encoder, "group", 1)
    monkeypatch.setattr(Encoder, "encode_here", encode_here)
    cloud.services.photos = Noting(cloud.services.photos)
    assert cloud.reconcile() == 200
    assert len(cloud.photos_found()) == 4
