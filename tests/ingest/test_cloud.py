"""The same function on Cloud Storage, with prefixes, as it is deployed."""

import gc
import warnings

import pytest

from clipsearch.images.thumbnails import thumbnail_name
from clipsearch.model.bundle import publish_bundle
from clipsearch.storage import open_bucket
from tests.ingest.conftest import Cloud
from tests.support.gcs_double import LOST, CloudStorageDouble
from tests.support.pictures import jpeg
from tools.run.feeder import Event

PHOTOS, INDEX, THUMBNAILS = "gs://my-photos/mine", "gs://my-index", "gs://my-site/thumbnails"


@pytest.fixture
def storage(monkeypatch):
    # Google's client does not close a connection after a download that was refused.
    warnings.filterwarnings("ignore", "unclosed <socket", ResourceWarning)
    storage = CloudStorageDouble("my-photos", "my-index", "my-site")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", storage.url)
    yield storage
    storage.close()
    gc.collect()  # while those connections are still allowed


@pytest.fixture
def cloud(storage, tmp_path, model_folder, monkeypatch):
    monkeypatch.setenv("CLIPSEARCH_PHOTOS", PHOTOS)
    monkeypatch.setenv("CLIPSEARCH_INDEX", INDEX)
    monkeypatch.setenv("CLIPSEARCH_THUMBNAILS", THUMBNAILS)
    cloud = Cloud(tmp_path)
    cloud.index, cloud.thumbnails = open_bucket(INDEX), open_bucket(THUMBNAILS)
    cloud.space = publish_bundle(model_folder, cloud.index)
    yield cloud
    for bucket in (cloud.index, cloud.thumbnails, cloud.services.photos):
        bucket.close()
    cloud.services.index.close()
    cloud.services.thumbnails.close()


def upload(storage, name, data=None):
    stored = storage.put("my-photos", f"mine/{name}", data or jpeg("red", (400, 300)))
    return Event("finalized", name, stored.generation, len(stored.data))


def send(cloud, event):
    return cloud.send(event, bucket="my-photos", name=f"mine/{event.name}")


def test_a_photo_below_the_prefix_comes_and_goes(cloud, storage):
    event = upload(storage, "2024/a b.jpg")
    assert send(cloud, event) == 200
    assert cloud.photos_found() == {"2024/a b.jpg": event.generation}
    name = f"thumbnails/{thumbnail_name('2024/a b.jpg', event.generation)}"
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
    assert costs[1:] == [["GET", "POST", "POST", "GET"]] * 5


@pytest.mark.parametrize("fault", [503, LOST])
def test_a_fault_in_passing_is_not_even_noticed(cloud, storage, fault):
    send(cloud, upload(storage, "first.jpg"))
    event = upload(storage, "a.jpg")
    storage.faults.append(fault)
    assert send(cloud, event) == 200
    assert cloud.photos_found()["a.jpg"] == event.generation
