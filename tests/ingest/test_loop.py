"""The failure that costs money: a function that is triggered by what it writes itself.

Cloud Storage and Eventarc are played here to the end: whatever comes to be in a bucket that has
a trigger is an event, and what was not answered 2xx comes again.
"""

from collections import deque
from datetime import UTC, datetime, timedelta

import pytest
from PIL import Image

from cli.run.feeder import Event
from clipsearch.storage.gcs import GcsBucket
from ingest.retries import FRESH_S, LIMIT
from tests.ingest.conftest import Cloud, upload

BUCKETS = ("my-photos", "my-index", "my-site")
TOO_MANY = 200  # deliveries: the loop would go on for ever
OLD = (datetime.now(UTC) - timedelta(seconds=FRESH_S + 60)).isoformat()


@pytest.fixture
def cloud(cloud_on_gcs):
    return cloud_on_gcs


def objects():
    """{(bucket, name): generation} of everything that is stored."""
    found = {}
    for name in BUCKETS:
        bucket = GcsBucket(f"gs://{name}")
        found |= {(name, stat.name): stat.generation for stat in bucket.list()}
        bucket.close()
    return found


def play(cloud, before, watched):
    """How many deliveries there are until nothing happens any more."""
    waiting, deliveries = deque(), 0
    while True:
        now = objects()
        new = [key for key, generation in now.items() if before.get(key) != generation]
        gone = [key for key in before if key not in now]
        waiting += [("finalized", key, now[key]) for key in new if key[0] in watched]
        waiting += [("deleted", key, before[key]) for key in gone if key[0] in watched]
        before = now
        if not waiting:
            return deliveries
        kind, (bucket, name), generation = waiting.popleft()
        request = Event(kind, name, generation).request("http://ingest/")
        payload = {"bucket": bucket, "name": name, "generation": str(generation)}
        headers = {**dict(request.header_items()), "Ce-time": OLD}
        if cloud.post(payload, headers) != 200:
            waiting.append((kind, (bucket, name), generation))
        deliveries += 1
        assert deliveries < TOO_MANY


def test_what_ingest_writes_triggers_nothing(cloud, storage):
    before = objects()
    for number in range(5):
        upload(storage, f"{number}.jpg")
    assert play(cloud, before, {"my-photos"}) == 5
    assert len(cloud.photos_found()) == 5


def test_triggers_on_the_wrong_buckets_come_to_an_end(cloud, storage):
    """Somebody adds them by hand. Each photo has two objects more, and they lead to nothing."""
    before = objects()
    for number in range(5):
        upload(storage, f"{number}.jpg")
    # what was tried, as these events are old: an object that comes and goes
    assert play(cloud, before, set(BUCKETS)) <= 5 * (1 + 2 + 2)
    assert len(cloud.photos_found()) == 5


def test_a_photo_that_always_fails_comes_to_an_end(cloud, storage, monkeypatch):
    def save(*arguments, **options):
        raise RuntimeError("of the library's own")

    before = objects()
    assert cloud.client
    for number in range(3):
        upload(storage, f"{number}.jpg")
    monkeypatch.setattr(Image.Image, "save", save)
    assert play(cloud, before, {"my-photos"}) == 3 * LIMIT
    assert set(cloud.reasons()) == {"0.jpg", "1.jpg", "2.jpg"}


@pytest.mark.parametrize("name", ["CLIPSEARCH_INDEX", "CLIPSEARCH_THUMBNAILS"])
def test_settings_that_would_make_a_loop_write_nothing(
    storage,
    tmp_path,
    model_folder,
    monkeypatch,
    name,
):
    for setting, bucket in zip(("PHOTOS", "INDEX", "THUMBNAILS"), BUCKETS, strict=True):
        monkeypatch.setenv(f"CLIPSEARCH_{setting}", f"gs://{bucket}")
    monkeypatch.setenv(name, "gs://my-photos/derived")
    here = Cloud(tmp_path)
    event = upload(storage, "a.jpg")
    before = objects()
    for _ in range(3):
        assert here.send(event, bucket="my-photos") == 500
    assert objects() == before
