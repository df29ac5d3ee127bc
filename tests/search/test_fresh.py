"""What changes in the bucket is seen without a restart."""

import threading

import pytest

from search.engine import state
from tests.search.conftest import Gallery
from tests.support.buckets import Delegating
from tests.support.tiny_bundle import make_tiny_bundle
from tests.support.waiting import wait_for


def eventually(condition):
    """Two seconds are promised; a busy machine gets more."""
    wait_for(condition, "the change is seen")


def names(client, words):
    return [r["name"] for r in client.get(f"/?q={words}").json()["results"]]


def test_an_upload_is_found_a_change_is_seen_and_a_deletion_is_gone(gallery, client_of):
    client = client_of(gallery, at_once=False)
    assert names(client, "yellow")[0] != "new.jpg"
    gallery.add(new="yellow")
    eventually(lambda: names(client, "yellow")[0] == "new.jpg")
    gallery.add(new="magenta")
    eventually(lambda: names(client, "magenta")[0] == "new.jpg")
    assert names(client, "yellow")[0] != "new.jpg"
    gallery.remove("new.jpg")
    eventually(lambda: "new.jpg" not in names(client, "magenta"))
    assert client.get("/status").json()["photos"]["indexed"] == 4


def test_words_asked_before_find_what_came_since(gallery, client):
    """Vectors of words are remembered, answers are not."""
    assert names(client, "red") == names(client, "red")
    gallery.remove("red.jpg")
    eventually(lambda: "red.jpg" not in names(client, "red"))


def test_the_first_photo_ends_not_ready_without_a_restart(empty_gallery, client_of):
    client = client_of(empty_gallery)
    assert client.get("/?q=red").status_code == 503
    empty_gallery.publish()
    assert client.get("/?q=red").status_code == 503
    empty_gallery.add(red="red")
    eventually(lambda: client.get("/?q=red").status_code == 200)


@pytest.fixture
def other_gallery(gallery, tmp_path):
    """The same folders, another model."""
    return Gallery(gallery.folder, make_tiny_bundle(tmp_path / "other", seed=1))


def test_another_current_model_takes_over_with_its_own_index(
    gallery, other_gallery, client_of, monkeypatch
):
    client = client_of(gallery)
    monkeypatch.setattr("search.engine.model.LOOK_FOR_MODEL_EVERY", 0)
    before = client.get("/?q=red&limit=1").json()
    other_gallery.add(scarlet="red", navy="blue")
    other_gallery.publish()
    eventually(lambda: client.get("/status").json()["space"] == other_gallery.space)
    after = client.get("/?q=red").json()
    assert [r["name"] for r in after["results"]] == ["scarlet.jpg", "navy.jpg"]
    assert after["results"][0]["score"] > 0.999
    assert client.get("/status").json()["model"] == "tiny-1"
    stale = client.get(f"/?q=red&cursor={before['next_cursor']}")
    assert stale.status_code == 400


def test_a_model_asked_for_by_its_space_stays(gallery, other_gallery, client_of):
    other_gallery.add(scarlet="red")
    other_gallery.publish()
    client = client_of(gallery, CLIPSEARCH_MODEL=gallery.space)
    assert client.get("/status").json()["space"] == gallery.space
    assert "scarlet.jpg" not in names(client, "red")


def test_while_storage_is_in_trouble_the_known_index_still_answers(gallery, client_of, caplog):
    client = client_of(gallery)
    before = client.get("/?q=red").json()["results"]
    segment = next(gallery.folder.rglob("*.npz"))
    damaged = segment.with_name(segment.name[:17] + "0" * 12 + ".npz")
    damaged.write_bytes(b"damaged")
    assert client.get("/?q=red").json()["results"] == before
    assert damaged.name in caplog.text

    damaged.unlink()
    gallery.add(scarlet="red")
    assert "scarlet.jpg" in [r["name"] for r in client.get("/?q=red&stack=0").json()["results"]]


class SlowBucket(Delegating):
    """Its listings wait for `goes_on`; `is_asked` says that one does."""

    def __init__(self, bucket):
        super().__init__(bucket)
        self.goes_on, self.is_asked = threading.Event(), threading.Event()
        self.goes_on.set()

    def around(self, method, name, request):
        if method == "list":
            self.is_asked.set()
            assert self.goes_on.wait(60)
        return request()


def test_who_finds_a_slow_refresh_running_takes_what_is_known(gallery, monkeypatch):
    bucket = SlowBucket(gallery.index)
    monkeypatch.setattr(state, "REFRESH_EVERY", 0)
    keeper = state.StateKeeper(bucket, gallery.encoder)
    known = keeper.state()
    gallery.add(new="yellow")
    bucket.goes_on.clear()
    bucket.is_asked.clear()
    fresh = []
    refreshing = threading.Thread(target=lambda: fresh.append(keeper.state()))
    refreshing.start()
    try:
        assert bucket.is_asked.wait(60)
        assert keeper.state() is known
    finally:
        bucket.goes_on.set()
        refreshing.join()
    assert fresh[0].snapshot.photos == known.snapshot.photos + 1


def test_a_quick_refresh_is_waited_for(gallery, monkeypatch):
    bucket = SlowBucket(gallery.index)
    monkeypatch.setattr(state, "REFRESH_EVERY", 0)
    monkeypatch.setattr(state, "WAIT_FOR_REFRESH", 60)
    keeper = state.StateKeeper(bucket, gallery.encoder)
    known = keeper.state()
    gallery.add(new="yellow")
    bucket.goes_on.clear()
    found = []
    asking = [threading.Thread(target=lambda: found.append(keeper.state())) for _ in range(3)]
    for thread in asking:
        thread.start()
    bucket.goes_on.set()
    for thread in asking:
        thread.join()
    assert {answer.snapshot.photos for answer in found} == {known.snapshot.photos + 1}
