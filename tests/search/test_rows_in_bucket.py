"""A search function that leaves the rows of packs in the bucket answers like one that does not."""

import json
import time

import pytest

from search.http.errors import RETRY_NOT_READY
from tests.search.conftest import Gallery
from tests.search.library import random_photos
from tests.support.gcs_double import cloud_storage

PHOTOS = 300
QUERIES = [
    ("/", {"q": "blue"}),
    ("/", {"q": "blue", "stack": "0", "limit": "100"}),
    ("/", {"q": ["blue", "red"], "not": "white"}),
    ("/", {"like": "first.jpg"}),
    ("/", {"q": "red", "folder": "2023/"}),
    ("/", {"q": "blue", "sort": "newest"}),
    ("/facets", {"q": "blue"}),
    ("/facets", {}),
    ("/", {"sort": "oldest"}),
]


@pytest.fixture(params=["folder", "gs"])
def packed(request, tmp_path, tiny_bundle, monkeypatch):
    """A gallery with PHOTOS photos in a pack, and one that is loose."""
    if request.param == "folder":
        yield _filled(Gallery(tmp_path, tiny_bundle))
        return
    with cloud_storage(monkeypatch, "index"):
        gallery = _filled(Gallery(tmp_path, tiny_bundle, index="gs://index/i"))
        yield gallery
        gallery.index.close()


def _filled(gallery):
    gallery.publish()
    center = gallery.encoder.encode_text(["blue"]).vectors[0]
    gallery.photos = [photo.entry() for photo in random_photos(PHOTOS, center)]
    gallery.commit = publish_packed(gallery, 1, gallery.photos)
    gallery.add(first="blue")
    return gallery


def publish_packed(gallery, number, entries, replaced=()):
    """Commit `number` with a packed segment of these entries."""
    from clipsearch.index.compaction.build_packs import pack
    from clipsearch.index.format.commits import Commit, publish_commit
    from clipsearch.index.format.segments import write_segment

    name = write_segment(gallery.index, gallery.space, entries)
    commit = Commit(
        gallery.space, number, (name,), dict.fromkeys(replaced, name), sizes={name: len(entries)}
    )
    made = pack(gallery.index, commit, time.monotonic() + 60, lambda: None, 100, 50)
    assert made
    publish_commit(gallery.index, made)
    return made


def _answers(client):
    """The answers without what differs from time to time, and without the fields of this mode."""
    answers = []
    for path, query in QUERIES:
        answer = client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        parts = answer.json()
        del parts["timing_ms"]
        most = parts["index"].pop("most_compared", None)
        answers.append(parts)
    return json.loads(json.dumps(answers)), most


def test_it_answers_as_with_rows_in_memory(packed, client_of):
    memory, none = _answers(client_of(packed))
    stored, most = _answers(client_of(packed, CLIPSEARCH_ROWS="bucket"))
    assert stored == memory
    assert (none, most) == (None, 1280)


def test_auto_keeps_rows_in_memory_while_they_are_few(packed, client_of):
    assert _answers(client_of(packed, CLIPSEARCH_ROWS="auto"))[1] is None


def test_a_deleted_pack_costs_no_answer(packed, client_of, monkeypatch, caplog):
    """As after a sleep: compaction has merged the segment and deleted its pack."""
    client = client_of(packed, at_once=False, CLIPSEARCH_ROWS="bucket")
    monkeypatch.setattr("search.engine.state.REFRESH_EVERY", 1e9)
    assert client.get("/", params={"stack": "0"}).json()["total"] == PHOTOS + 1
    [(segment, pack)] = packed.commit.packs.items()
    publish_packed(packed, 2, packed.photos, [segment])
    packed.index.delete(pack)
    answer = client.get("/", params={"q": "blue", "stack": "0"})
    assert "the index is read again" in caplog.text
    right = client_of(packed).get("/", params={"q": "blue", "stack": "0"}).json()
    assert [r["name"] for r in answer.json()["results"]] == [r["name"] for r in right["results"]]


def test_a_damaged_pack_costs_no_answer(tmp_path, tiny_bundle, client_of):
    gallery = _filled(Gallery(tmp_path, tiny_bundle))
    expected, _ = _answers(client_of(gallery))
    [pack] = gallery.commit.packs.values()
    path = tmp_path / "index" / pack
    data = bytearray(path.read_bytes())
    data[1] ^= 0x40
    path.write_bytes(data)
    client = client_of(gallery, CLIPSEARCH_ROWS="bucket")
    answers, most = _answers(client)
    assert most is None  # the segment is in memory instead
    assert [a.get("results") and len(a["results"]) for a in answers] == [
        a.get("results") and len(a["results"]) for a in expected
    ]
    [damaged] = client.get("/status").json()["damaged"]
    assert damaged == {"object": pack, "reason": "its rows do not match their checksum"}


def test_while_storage_fails_it_says_so_and_recovers(tmp_path, tiny_bundle, client_of, monkeypatch):
    from clipsearch.errors import StorageError
    from clipsearch.storage.local import FolderBucket

    gallery = _filled(Gallery(tmp_path, tiny_bundle))
    client = client_of(gallery, CLIPSEARCH_ROWS="bucket")
    assert client.get("/", params={"stack": "0"}).status_code == 200  # needs no rows

    def fail(*args, **more):
        raise StorageError("read 'x' in file:///y: 503")

    with monkeypatch.context() as broken:
        broken.setattr(FolderBucket, "read", fail)
        answer = client.get("/", params={"like": gallery.photos[0].name})
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == str(RETRY_NOT_READY)
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert client.get("/", params={"like": gallery.photos[0].name}).status_code == 200
