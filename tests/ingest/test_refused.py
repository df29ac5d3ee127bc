"""What storage says of one object is about that object, and of all objects about the storage."""

from __future__ import annotations

import json

import pytest

from cli.run.feeder import Event
from clipsearch.index.format.entries import Kind
from clipsearch.storage.gcs import GcsBucket
from tests.support.pictures import jpeg

COLOURS = ["red", "green", "blue", "white", "black", "gold", "navy", "teal", "pink", "gray"]
COLOURS += ["lime", "olive", "brown"]
REASON = "the file cannot be read: the storage "


@pytest.fixture
def bucket(cloud, gcs_double, monkeypatch):
    """The photos are in Cloud Storage; index and thumbnails stay in folders."""
    monkeypatch.setenv("CLIPSEARCH_PHOTOS", "gs://photos")
    cloud.photos = GcsBucket("gs://photos")
    yield gcs_double
    cloud.photos.close()


def upload(double, name: str, data: bytes, **properties: str) -> Event:
    stored = double.put("photos", name, data, **properties)
    return Event("finalized", name, stored.generation, len(data))


def send(cloud, event: Event) -> int:
    return cloud.send(event, bucket="photos")


def upload_all(double, refused: str = "7.jpg", status: int = 403) -> list[Event]:
    events = [upload(double, f"{i}.jpg", jpeg(c)) for i, c in enumerate(COLOURS)]
    double.refuse("photos", refused, status)
    return events


@pytest.mark.parametrize("status", [400, 403])
def test_one_refused_object_of_thirteen_is_a_failure_and_the_others_are_indexed(
    cloud, bucket, status
):
    upload_all(bucket, status=status)
    assert cloud.reconcile() == 200
    assert sorted(cloud.photos_found()) == sorted(f"{i}.jpg" for i in range(13) if i != 7)
    assert cloud.reasons()["7.jpg"].startswith(REASON)
    photos = cloud.status()["photos"]
    assert photos == {"objects": 13, "indexed": 12, "failed": 1, "skipped": 0, "pending": 0}
    [failure] = cloud.status()["failures"]
    assert failure["kind"] == "refused"


def test_a_refused_object_is_asked_for_again_at_every_reconcile_by_one_request(cloud, bucket):
    upload_all(bucket)
    assert cloud.reconcile() == 200
    before, segments = len(bucket.requests), cloud.segments()
    assert cloud.reconcile() == 200
    asked = [path for _, path in bucket.requests[before:] if "7.jpg?alt=media" in path]
    assert len(asked) == 1
    assert cloud.segments() == segments
    bucket.refuse("photos", "7.jpg", None)
    assert cloud.reconcile() == 200
    assert len(cloud.photos_found()) == 13
    assert cloud.reasons() == {}


def test_the_event_of_a_refused_object_is_answered(cloud, bucket):
    events = upload_all(bucket)
    assert send(cloud, events[7]) == 200
    assert cloud.state() == {"7.jpg": (Kind.FAILURE, events[7].generation)}
    assert send(cloud, events[3]) == 200
    assert list(cloud.photos_found()) == ["3.jpg"]


def test_if_every_object_is_refused_nothing_is_acknowledged(cloud, bucket):
    """A lost role: the same answer for each object."""
    events = upload_all(bucket)
    for event in events:
        bucket.refuse("photos", event.name, 403)
    assert [send(cloud, event) for event in events[:3]] == [500] * 3
    assert cloud.reconcile() == 500
    assert cloud.state() == {}
    for event in events:
        bucket.refuse("photos", event.name, None)
    assert cloud.reconcile() == 200
    assert len(cloud.photos_found()) == 13


@pytest.mark.parametrize(
    ("data", "properties", "reason"),
    [
        (b"no gzip", {"contentEncoding": "gzip"}, "is gzip"),
        (jpeg(), {"contentEncoding": "br"}, "br"),
    ],
)
def test_a_wrong_encoding_is_refused_too(cloud, bucket, data, properties, reason):
    upload(bucket, "good.jpg", jpeg())
    assert send(cloud, upload(bucket, "odd.jpg", data, **properties)) == 200
    assert reason in cloud.reasons()["odd.jpg"]


def test_a_wrong_checksum_is_refused_too(cloud, bucket):
    upload(bucket, "good.jpg", jpeg())
    event = upload(bucket, "odd.jpg", jpeg())
    bucket.damage("photos", "odd.jpg", jpeg("blue"))
    assert send(cloud, event) == 200
    assert "checksum" in cloud.reasons()["odd.jpg"]


def test_what_becomes_too_large_when_it_is_unpacked_is_a_failure(cloud, bucket):
    import gzip

    data = gzip.compress(jpeg() + bytes(30_000_000))
    assert send(cloud, upload(bucket, "bomb.jpg", data, contentEncoding="gzip")) == 200
    assert "more than 20,000,000 bytes" in cloud.reasons()["bomb.jpg"]


# --- what is no photo ----------------------------------------------------------------------

OTHERS = {
    "notes.txt": b"Dear photo,",
    "film.mp4": b"\0\0\0\x18ftypisom" + bytes(64),
    "data.json": json.dumps({"a": 1}).encode(),
    "Thumbs.db": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100),
    "._a.jpg": b"\0\x05\x16\x07" + bytes(100),
    "empty.xmp": b"",
}


def test_what_is_no_photo_by_name_and_content_is_counted_apart(cloud, bucket):
    events = [upload(bucket, name, data) for name, data in OTHERS.items()]
    events += [upload(bucket, "a.jpg", jpeg()), upload(bucket, "photo.dat", jpeg("blue"))]
    events += [upload(bucket, "not really.jpg", b"Dear photo,")]
    assert {send(cloud, event) for event in events} == {200}
    assert sorted(cloud.photos_found()) == ["a.jpg", "photo.dat"]
    status = cloud.status()
    assert (status["photos"]["failed"], status["photos"]["skipped"]) == (1, len(OTHERS))
    assert [failure["name"] for failure in status["failures"]] == ["not really.jpg"]
    assert cloud.reconcile() == 200
    photos = cloud.status()["photos"]
    assert photos["objects"] == sum(photos[k] for k in ("indexed", "failed", "skipped", "pending"))


def test_neither_skipped_nor_unreadable_files_are_read_again(cloud, bucket):
    for name, data in OTHERS.items():
        upload(bucket, name, data)
    upload(bucket, "cut.jpg", jpeg(size=(400, 300))[:900])
    assert cloud.reconcile() == 200
    assert cloud.status()["photos"]["pending"] == 0
    before = len(bucket.requests)
    assert cloud.reconcile() == 200
    assert not [path for _, path in bucket.requests[before:] if "alt=media" in path]


def test_of_a_film_only_the_beginning_is_read(cloud, bucket):
    event = upload(bucket, "film.mp4", OTHERS["film.mp4"] + bytes(5_000_000))
    assert send(cloud, event) == 200
    assert cloud.status()["photos"]["skipped"] == 1
