"""Reconciling with a topic: the work is cut into messages, which arrive in any order, or twice."""

import json
import random
import time

import pytest

from clipsearch.index.format.entries import Kind
from clipsearch.index.format.segments import write_segment
from clipsearch.model.bundle import publish_bundle
from tests.index.making import tombstone
from tests.support.pictures import jpeg
from tests.support.pubsub_double import LOST, PubSubDouble
from tests.support.tiny_bundle import make_tiny_bundle

TOPIC = "projects/p/topics/maintenance"


@pytest.fixture
def pubsub(monkeypatch):
    double = PubSubDouble(TOPIC)
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", double.host)
    monkeypatch.setenv("CLIPSEARCH_TOPIC", TOPIC)
    yield double
    double.close()


@pytest.fixture
def small(cloud, pubsub, monkeypatch):
    """Messages of at most two photos, and listings of at most three at a time."""
    assert cloud.client
    import ingest.reconcile.run

    monkeypatch.setattr(ingest.reconcile.run, "LARGEST_INDEX", (2, 10**9, 10**9))
    monkeypatch.setattr(ingest.reconcile.run, "LARGEST_REMOVE", (2, 10**9))
    monkeypatch.setattr(ingest.reconcile.run, "LISTED_AT_ONCE", 3)
    yield
    cloud.services.topic.close()


def fill(cloud, count):
    return [event for n in range(count) for event in cloud.put(f"{n:02}.jpg", jpeg())]


def deliver(cloud, pubsub, seed=0, twice=False):
    """All messages, and those that follow from them; returns them."""
    random_, delivered = random.Random(seed), []
    while messages := pubsub.take():
        messages = messages * 2 if twice else messages
        random_.shuffle(messages)
        for message in messages:
            assert cloud.tell(message) == 200
        delivered += messages
    return [json.loads(message) for message in delivered]


@pytest.mark.usefixtures("small")
def test_chunks_are_bounded_and_make_the_index_whole(cloud, pubsub):
    fill(cloud, 7)
    assert cloud.reconcile() == 200
    assert cloud.counts() == (7, 0, 0, 7)
    messages = deliver(cloud, pubsub)
    assert sorted(len(message["photos"]) for message in messages) == [1, 2, 2, 2]
    assert cloud.known() == cloud.in_bucket()
    assert len(cloud.segments()) == 4
    assert cloud.counts() == (7, 7, 0, 0)


@pytest.mark.usefixtures("small")
def test_the_counts_are_right_after_every_message(cloud, pubsub):
    fill(cloud, 6)
    cloud.put("04.jpg", b"no photo")
    assert cloud.reconcile() == 200
    seen = [cloud.counts()]
    for message in pubsub.take():
        assert cloud.tell(message) == 200
        seen.append(cloud.counts())
    assert seen == [(6, 0, 0, 6), (6, 2, 0, 4), (6, 4, 0, 2), (6, 5, 1, 0)]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("seed", range(3))
def test_messages_that_come_twice_and_in_any_order_change_nothing(cloud, pubsub, seed):
    fill(cloud, 5)
    cloud.reconcile()
    gone = cloud.delete("01.jpg")
    fill(cloud, 1)  # 00.jpg is another one by now
    deliver(cloud, pubsub, seed, twice=True)
    assert cloud.counts()[3] == 0
    cloud.send(*gone)
    cloud.reconcile()
    deliver(cloud, pubsub, seed, twice=True)
    assert cloud.known() == cloud.in_bucket()


@pytest.mark.usefixtures("small")
def test_orphans_are_removed_in_chunks(cloud, pubsub):
    fill(cloud, 5)
    cloud.reconcile()
    deliver(cloud, pubsub)
    for number in range(5):
        cloud.delete(f"{number:02}.jpg")
    cloud.reconcile()
    messages = deliver(cloud, pubsub)
    assert [message["action"] for message in messages] == ["remove"] * 3
    assert cloud.known() == {}
    assert cloud.thumbnail_names() == set()
    assert cloud.counts() == (0, 0, 0, 0)


@pytest.mark.usefixtures("small")
def test_what_is_on_its_way_is_not_sent_again(cloud, pubsub, monkeypatch):
    fill(cloud, 4)
    cloud.reconcile()
    cloud.put("new.jpg", jpeg())
    cloud.reconcile()
    assert cloud.counts() == (5, 0, 0, 5)
    first, second, third = pubsub.take()
    assert b"new.jpg" in third
    cloud.tell(first)
    cloud.tell(third)
    cloud.reconcile()
    assert pubsub.take() == []
    assert cloud.counts() == (5, 3, 0, 2)

    import ingest.reconcile.comparison

    monkeypatch.setattr(
        ingest.reconcile.comparison, "ON_ITS_WAY_US", 0
    )  # hours later it seems lost
    cloud.reconcile()
    assert pubsub.take() == [second]
    cloud.tell(second)
    assert cloud.counts() == (5, 5, 0, 0)


@pytest.mark.usefixtures("small")
def test_what_is_lost_is_sent_again_though_it_was_asked_for_in_between(cloud, pubsub, monkeypatch):
    import ingest.reconcile.comparison

    fill(cloud, 2)
    cloud.reconcile()
    [lost] = pubsub.take()
    published_us = time.time_ns() // 1000
    cloud.reconcile()
    assert pubsub.take() == []
    monkeypatch.setattr(
        ingest.reconcile.comparison, "ON_ITS_WAY_US", time.time_ns() // 1000 - published_us
    )
    cloud.reconcile()
    assert pubsub.take() == [lost]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("days", [5, 36_500])
def test_what_is_lost_is_sent_again_though_the_clock_was_ahead(cloud, pubsub, monkeypatch, days):
    fill(cloud, 2)
    clock = time.time_ns
    with monkeypatch.context() as patch:
        patch.setattr(time, "time_ns", lambda: clock() + days * 86_400 * 10**9)
        cloud.reconcile()
    [lost] = pubsub.take()
    cloud.reconcile()  # by a right clock
    assert pubsub.take() == [lost]
    cloud.reconcile()
    assert pubsub.take() == []  # it is on its way
    assert cloud.tell(lost) == 200
    assert cloud.counts() == (2, 2, 0, 0)


@pytest.mark.usefixtures("small")
def test_what_is_outdated_is_pending_until_it_is_indexed(cloud, pubsub):
    for event in fill(cloud, 3):
        cloud.send(event)
    fill(cloud, 2)
    cloud.reconcile()
    assert cloud.counts() == (3, 3, 0, 2)
    deliver(cloud, pubsub)
    assert cloud.counts() == (3, 3, 0, 0)


@pytest.mark.usefixtures("small")
def test_without_time_the_listing_goes_on_in_another_message(cloud, pubsub, monkeypatch):
    import ingest.maintenance

    monkeypatch.setattr(ingest.maintenance, "SPREAD_S", -1.0)
    fill(cloud, 10)
    for name in ("", "03x.jpg", "99.jpg"):
        write_segment(cloud.index, cloud.space, [tombstone(name or "05.jpg", 1)])
    for name in ("00a.jpg", "04a.jpg", "zz.jpg"):
        cloud.send(*cloud.put(name, jpeg()))
        cloud.delete(name)
    assert cloud.reconcile() == 200
    assert cloud.counts() == (None, 3, 0, None)  # not before it is whole
    messages = deliver(cloud, pubsub, twice=True)
    parts = {message["part"]: message["after"] for message in messages if "part" in message}
    assert parts == {1: "02.jpg", 2: "05.jpg", 3: "08.jpg", 4: "09.jpg"}
    assert cloud.known() == cloud.in_bucket()
    assert cloud.counts() == (10, 10, 0, 0)


@pytest.mark.usefixtures("small")
def test_a_part_that_comes_again_goes_on_where_it_ended(cloud, pubsub, monkeypatch):
    import ingest.maintenance

    monkeypatch.setattr(ingest.maintenance, "SPREAD_S", -1.0)
    fill(cloud, 7)
    cloud.reconcile()
    [continuation] = [m for m in pubsub.take() if b"reconcile" in m]
    assert cloud.tell(continuation) == 200
    before = pubsub.take()
    cloud.put("03a.jpg", jpeg())
    assert cloud.tell(continuation) == 200
    [again] = pubsub.take()  # not the photos, for those were sent
    assert again in before


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("fault", [503, LOST])
def test_pubsub_in_trouble_loses_nothing(cloud, pubsub, fault):
    fill(cloud, 5)
    pubsub.faults += [fault, fault]
    assert cloud.reconcile() == 200
    deliver(cloud, pubsub)
    assert cloud.known() == cloud.in_bucket()


@pytest.mark.usefixtures("small")
def test_without_pubsub_the_event_comes_again_and_nothing_counts_as_sent(cloud, pubsub):
    fill(cloud, 3)
    pubsub.faults.append(403)
    assert cloud.reconcile() == 500
    assert cloud.counts() == (None, 0, 0, None)
    assert cloud.reconcile() == 200
    deliver(cloud, pubsub)
    assert cloud.known() == cloud.in_bucket()


@pytest.mark.usefixtures("small")
def test_messages_of_a_model_that_is_replaced_are_dropped(cloud, pubsub, tmp_path, monkeypatch):
    import ingest.services

    fill(cloud, 3)
    cloud.reconcile()
    old, messages = cloud.space, pubsub.take()
    cloud.space = publish_bundle(make_tiny_bundle(tmp_path / "other", seed=1), cloud.index)
    monkeypatch.setattr(ingest.services, "LOOK_FOR_MODEL_EVERY", 0.0)
    for message in messages:
        assert cloud.tell(message) == 200
    assert cloud.known() == {}
    cloud.reconcile()
    deliver(cloud, pubsub)
    assert cloud.known() == cloud.in_bucket()
    cloud.space = old
    assert cloud.known() == {}


@pytest.mark.usefixtures("small")
def test_an_instance_that_has_not_seen_the_new_model_gives_the_message_back(
    cloud, pubsub, tmp_path, monkeypatch
):
    import ingest.services

    [event] = fill(cloud, 1)
    cloud.send(event)  # it knows the old model, and will not look again for a while
    monkeypatch.setattr(ingest.services, "LOOK_FOR_MODEL_EVERY", 3600.0)
    cloud.space = publish_bundle(make_tiny_bundle(tmp_path / "other", seed=1), cloud.index)
    photo = [event.name, event.generation, event.size, event.generation, 0]
    message = {"action": "index", "space": cloud.space, "photos": [photo]}
    assert cloud.tell(message) == 500
    assert cloud.state() == {}
    monkeypatch.setattr(ingest.services, "LOOK_FOR_MODEL_EVERY", 0.0)
    assert cloud.tell(message) == 200
    assert cloud.state() == {event.name: (Kind.VECTOR, event.generation)}


def test_a_message_stays_below_its_limits_of_photos_and_bytes(cloud, pubsub):
    from ingest.messages import MAX_JSON_BYTES, MAX_PHOTO_BYTES, MAX_PHOTOS, Wanted, to_json
    from ingest.messages import Index as IndexMessage
    from ingest.reconcile.run import LARGEST_INDEX, _weigh_wanted, cut

    long = 'ü\\"\x01' * 150
    photos = [
        Wanted(f"{long if n % 3 else ''}{n}.jpg", 2**62, n % 7 * 3_000_000, 2**62, 2**62)
        for n in range(5000)
    ]
    chunks = list(cut(iter(photos), LARGEST_INDEX, _weigh_wanted))
    assert [photo for chunk in chunks for photo in chunk] == photos
    for chunk in chunks:
        assert len(chunk) <= MAX_PHOTOS
        assert sum(photo.size or 0 for photo in chunk) <= MAX_PHOTO_BYTES
        assert len(to_json(IndexMessage("0" * 12, chunk))) <= MAX_JSON_BYTES + 100
