"""A reconcile fills in the facts that an index lacks."""

import json
import time
from types import SimpleNamespace

import pytest

from clipsearch.images.thumbnails import THUMBNAIL, thumbnail_name
from clipsearch.index.format.entries import Kind
from clipsearch.index.format.segments import segments_prefix
from tests.ingest.conftest import CUT
from tests.support.buckets import HookedBucket
from tests.support.dated import PLACE, dated_jpeg
from tests.support.old_index import facts_in_index, forget_facts
from tests.support.pictures import jpeg, png
from tests.support.pubsub_double import PubSubDouble

TOPIC = "projects/p/topics/maintenance"
PHOTOS = {
    "dated.jpg": dated_jpeg("red"),
    "long head.jpg": dated_jpeg("green", junk=200_000),  # its date is behind the first 64 KiB
    "sub/plain.png": png("navy", (400, 300)),
    "tiny.jpg": jpeg("white", (8, 6)),
}


@pytest.fixture
def old(cloud):
    """An index from before facts, and the facts that its photos have as fresh uploads."""
    for name, data in PHOTOS.items():
        cloud.send(*cloud.put(name, data))
    cloud.send(*cloud.put("cut.jpg", CUT))
    cloud.fresh = facts(cloud)
    assert all(cloud.fresh[name] for name in PHOTOS)
    forget_facts(cloud.index, cloud.space)
    assert set(facts(cloud).values()) == {None}
    return cloud


@pytest.fixture
def pubsub(monkeypatch):
    double = PubSubDouble(TOPIC)
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", double.host)
    monkeypatch.setenv("CLIPSEARCH_TOPIC", TOPIC)
    yield double
    double.close()


def facts(cloud):
    return facts_in_index(cloud.index, cloud.space)


def names_of_segments(cloud):
    return {segment.name for segment in cloud.segments()}


def test_the_facts_are_those_of_a_fresh_upload(old):
    before, thumbnails = old.state(), old.thumbnail_names()
    assert old.reconcile() == 200
    assert facts(old) == old.fresh
    assert old.state() == before
    assert old.thumbnail_names() == thumbnails


def test_the_vectors_stay(old):
    from clipsearch.index.format.segments import read_segment

    def vectors():
        found = {}
        for name in sorted(names_of_segments(old)):
            entries = read_segment(
                old.index, old.space, name.removeprefix(segments_prefix(old.space))
            )
            rows = [r for r in range(len(entries)) if entries.kinds[r] == Kind.VECTOR]
            for row, vector in zip(rows, entries.vectors, strict=True):
                found.setdefault(entries.name(row), set()).add(vector.tobytes())
        return found

    before = vectors()
    old.reconcile()
    assert len(old.segments()) > len(PHOTOS) + 1
    assert vectors() == before


def test_a_second_reconcile_has_nothing_to_do(old):
    old.reconcile()
    segments = names_of_segments(old)
    assert old.reconcile() == 200
    assert names_of_segments(old) == segments


def test_with_facts_no_segment_is_read_again(cloud):
    cloud.send(*cloud.put("a.jpg", jpeg()))
    requests = []
    cloud.services.index = HookedBucket(
        cloud.services.index, before=lambda *request: requests.append(request)
    )
    cloud.reconcile()
    [segment] = names_of_segments(cloud)
    assert requests.count(("read", segment)) == 1
    assert requests.count(("list", segments_prefix(cloud.space))) == 1


def test_an_old_version_that_merges_drops_facts_and_they_come_back(old):
    old.reconcile()
    forget_facts(old.index, old.space)
    assert set(facts(old).values()) == {None}
    old.reconcile()
    assert facts(old) == old.fresh


def test_places_come_and_go_with_the_setting(old, monkeypatch):
    old.reconcile()

    def places():
        return {name: known.place for name, known in facts(old).items() if known and known.place}

    assert places() == {}
    monkeypatch.setenv("CLIPSEARCH_KEEP_PLACES", "1")
    old.restart()
    old.reconcile()
    assert places() == {"dated.jpg": PLACE, "long head.jpg": PLACE}
    segments = names_of_segments(old)
    old.reconcile()
    assert names_of_segments(old) == segments
    monkeypatch.setenv("CLIPSEARCH_KEEP_PLACES", "0")
    old.restart()
    old.reconcile()
    assert places() == {}
    assert len(names_of_segments(old) - segments) == 2  # of the two photos that had a place
    segments = names_of_segments(old)
    old.reconcile()
    assert names_of_segments(old) == segments


def test_a_missing_or_damaged_thumbnail_is_made_again(old):
    for name in ("dated.jpg", "tiny.jpg"):
        path = thumbnail_name(name, old.known()[name], THUMBNAIL)
        stat = old.thumbnails.stat(path)
        old.thumbnails.delete(path)
        if name == "tiny.jpg":
            old.thumbnails.create(path, b"damaged")
        else:
            assert stat.name not in old.thumbnail_names()
    before = len(old.thumbnail_names())
    old.reconcile()
    assert facts(old) == old.fresh
    assert len(old.thumbnail_names()) == before + 1
    assert old.thumbnails.read(path) != b"damaged"


def test_a_photo_that_cannot_be_read_does_not_stop_the_others(old):
    path = old.root / "photos" / "dated.jpg"
    generation = old.photos.stat("dated.jpg").generation
    assert old.client

    def refuse(method, name):
        if name == "dated.jpg" and method in ("read", "read_into"):
            from clipsearch.errors import ObjectUnreadable

            raise ObjectUnreadable(name, "Permission denied", is_certain=True)

    photos = old.services.photos
    old.services.photos = HookedBucket(photos, before=refuse)
    assert old.reconcile() == 200
    assert facts(old) == old.fresh | {"dated.jpg": None}
    segments = names_of_segments(old)
    assert old.reconcile() == 200  # it is asked again, and no other photo is
    assert names_of_segments(old) == segments
    old.services.photos = photos
    assert path.exists()
    assert old.photos.stat("dated.jpg").generation == generation
    assert old.reconcile() == 200
    assert facts(old) == old.fresh


@pytest.fixture
def asked(old, pubsub):
    """The messages of a reconcile."""
    old.restart()
    assert old.reconcile() == 200
    yield pubsub.take()
    old.services.topic.close()


def test_each_photo_is_in_one_message(old, asked):
    messages = [json.loads(message) for message in asked]
    assert {message["action"] for message in messages} == {"fill"}
    assert sum(len(message["rows"]) for message in messages) == len(PHOTOS)


def test_of_several_entries_of_a_photo_the_one_that_counts_is_filled_in(cloud, pubsub):
    cloud.send(*cloud.put("a.jpg", dated_jpeg("red")))
    event, _ = cloud.put("a.jpg", dated_jpeg("blue"))
    cloud.send(event)
    cloud.send(event)
    fresh = facts(cloud)
    forget_facts(cloud.index, cloud.space)
    cloud.reconcile()
    [message] = pubsub.take()
    cloud.tell(message)
    assert facts(cloud) == fresh
    cloud.services.topic.close()


def test_messages_may_come_twice_and_in_any_order(old, asked):
    for message in [*asked[::-1], *asked]:
        assert old.tell(message) == 200
    assert facts(old) == old.fresh


def test_a_photo_that_changed_meanwhile_is_left_out(old, asked):
    new, _ = old.put("dated.jpg", png("black"))
    gone = old.delete("tiny.jpg")
    for message in asked:
        assert old.tell(message) == 200
    assert facts(old)["dated.jpg"] is facts(old)["tiny.jpg"] is None
    assert old.tell({"action": "reconcile"}) == 200
    old.send(new)
    old.send(*gone)
    found = facts(old)
    assert found["dated.jpg"].format == "PNG"
    assert old.state()["tiny.jpg"][0] == Kind.TOMBSTONE


def test_a_photo_that_goes_while_its_thumbnail_is_made_leaves_none(old, asked):
    path = thumbnail_name("dated.jpg", old.known()["dated.jpg"], THUMBNAIL)
    old.thumbnails.delete(path)

    def remove(method, name):
        if method == "create" and name == path:
            old.delete("dated.jpg")

    old.services.thumbnails = HookedBucket(old.services.thumbnails, before=remove)
    for message in asked:
        assert old.tell(message) == 200
    assert path not in old.thumbnail_names()
    assert facts(old)["dated.jpg"] is None


def test_a_segment_that_is_gone_ends_its_message(old, asked, caplog):
    first = json.loads(asked[0])
    old.index.delete(f"{segments_prefix(old.space)}{first['segment']}")
    for message in asked:
        assert old.tell(message) == 200
    assert "are not filled in" in caplog.text


def test_killed_anywhere_a_later_reconcile_does_the_rest(old, asked, pubsub):
    assert old.tell(asked[0]) == 200  # the others are lost
    assert old.reconcile() == 200
    rest = pubsub.take()
    assert len(rest) == len(asked) - 1
    for message in rest:
        assert old.tell(message) == 200
    assert facts(old) == old.fresh


def test_rows_that_are_no_photos_are_ignored(old):
    [name] = {
        segment.name.removeprefix(segments_prefix(old.space)) for segment in old.segments()[:1]
    }
    message = {"action": "fill", "space": old.space, "segment": name, "rows": [0, 7, 2**31 - 1]}
    assert old.tell(message) == 200
    assert sum(known is not None for known in facts(old).values()) == 1


@pytest.fixture
def slow(cloud, monkeypatch):
    """20 photos in one segment, and a clock by which each takes 100 seconds."""
    for number in range(20):
        cloud.put(f"{number:02}.jpg", dated_jpeg(size=(40 + number, 30)))
    cloud.reconcile()
    cloud.fresh = facts(cloud)
    forget_facts(cloud.index, cloud.space)
    clock = [0.0]

    def pass_time(method, name):
        if method == "stat":
            clock[0] += 100.0

    def start():
        assert cloud.client
        import ingest.fill_facts

        fake = SimpleNamespace(monotonic=lambda: clock[0], time_ns=time.time_ns)
        monkeypatch.setattr(ingest.fill_facts, "time", fake)
        cloud.services.photos = HookedBucket(cloud.services.photos, after=pass_time)

    cloud.restart()
    cloud.start_slowly = start
    return cloud


def test_without_time_the_rest_goes_on_in_another_message(slow, pubsub):
    slow.start_slowly()
    slow.reconcile()
    left, messages = [], pubsub.take()
    while messages:
        [message] = messages
        left.append(len(json.loads(message)["rows"]))
        assert slow.tell(message) == 200
        messages = pubsub.take()
    assert facts(slow) == slow.fresh
    assert left[0] == 20
    assert len(left) > 1
    assert left == sorted(left, reverse=True)
    slow.services.topic.close()


def test_without_time_and_topic_the_reconcile_comes_again_until_all_is_done(slow):
    slow.start_slowly()
    answers = [slow.reconcile()]
    while answers[-1] == 500 and len(answers) < 25:
        answers.append(slow.reconcile())
    assert len(answers) > 1
    assert answers[-1] == 200
    assert facts(slow) == slow.fresh
