"""The same function on Cloud Storage, with prefixes, as it is deployed."""

import pytest

from cli.run.feeder import Event
from clipsearch.images.thumbnails import THUMBNAIL, thumbnail_name
from tests.ingest.conftest import upload
from tests.support.gcs_double import LOST
from tests.support.pictures import jpeg


@pytest.fixture
def cloud(cloud_on_gcs):
    return cloud_on_gcs


def send(cloud, event):
    return cloud.send(event, bucket="my-photos", name=f"mine/{event.name}")


def test_a_photo_below_the_prefix_comes_and_goes(cloud, storage):
    event = upload(storage, "2024/a b.jpg")
    assert send(cloud, event) == 200
    assert cloud.photos_found() == {"2024/a b.jpg": event.generation}
    name = f"thumbnails/{thumbnail_name('2024/a b.jpg', event.generation, THUMBNAIL)}"
    thumbnail = storage.get("my-site", name, {})
    assert thumbnail.content_type == "image/webp"
    assert thumbnail.cache_control == "public, max-age=31536000, immutable"

    storage.delete("my-photos", "mine/2024/a b.jpg", {})
    assert send(cloud, Event("deleted", event.name, event.generation)) == 200
    assert cloud.photos_found() == {}
    assert cloud.thumbnail_names() == set()


def test_an_upload_that_is_already_replaced_needs_no_entry(cloud, storage):
    first = upload(storage, "a.jpg")
    second = upload(storage, "a.jpg", jpeg("blue"))
    assert [send(cloud, first), send(cloud, second)] == [200, 200]
    assert cloud.photos_found() == {"a.jpg": second.generation}
    assert len(cloud.segments()) == 1


def test_the_requests_of_an_upload_do_not_grow_with_the_index(cloud, storage, monkeypatch):
    monkeypatch.setenv("CLIPSEARCH_MODEL", cloud.space)  # not looked for every few seconds
    costs = []
    for number in range(6):
        event = upload(storage, f"{number}.jpg")
        before = len(storage.requests)
        assert send(cloud, event) == 200
        costs.append([method for method, _ in storage.requests[before:]])
    # read the photo, write thumbnail and entry, see whether the photo is still there
    assert [sorted(cost) for cost in costs[1:]] == [["GET", "GET", "POST", "POST"]] * 5


@pytest.mark.parametrize("fault", [503, LOST])
def test_a_fault_in_passing_is_not_even_noticed(cloud, storage, fault):
    send(cloud, upload(storage, "first.jpg"))
    event = upload(storage, "a.jpg")
    storage.faults.append(fault)
    assert send(cloud, event) == 200
    assert cloud.photos_found()["a.jpg"] == event.generation
