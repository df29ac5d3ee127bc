"""Thumbnails of an older version are made again, and deleted when nobody can name them any more."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from PIL import Image

from clipsearch.images import thumbnails
from clipsearch.images.thumbnails import THUMBNAIL, thumbnail_name
from clipsearch.index.compaction.run import GRACE
from clipsearch.index.format.segments import segments_prefix
from clipsearch.index.thumbnail_notes import FOLDER
from clipsearch.model.bundle import publish_bundle
from clipsearch.model.pointer import start_filling
from tests.support.buckets import HookedBucket
from tests.support.dated import dated_jpeg
from tests.support.old_index import facts_in_index
from tests.support.pictures import jpeg
from tests.support.tiny_bundle import make_tiny_bundle

PHOTOS = {
    "a.jpg": dated_jpeg("red", (900, 600)),
    "sub/b.jpg": dated_jpeg("green", (300, 800)),
    "tiny.jpg": jpeg("white", (8, 6)),
}


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.fixture
def old(cloud, monkeypatch):
    """An index that the release before wrote, with thumbnails of 320 pixels."""
    with monkeypatch.context() as release:
        for name, value in {"THUMBNAIL": 1, "LONGER_SIDE": 320, "QUALITY": 80}.items():
            release.setattr(thumbnails, name, value)
        for name, data in PHOTOS.items():
            assert cloud.send(*cloud.put(name, data)) == 200
    cloud.restart()
    assert sizes(cloud, 1) == [(8, 6), (120, 320), (320, 213)]
    assert sizes(cloud, THUMBNAIL) == []
    return cloud


def paths(cloud, version):
    return {thumbnail_name(name, at, version) for name, at in cloud.in_bucket().items()}


def sizes(cloud, version):
    """Of the thumbnails of this version that exist."""
    there = paths(cloud, version) & cloud.thumbnail_names()
    return sorted(Image.open(io.BytesIO(cloud.thumbnails.read(path))).size for path in there)


def versions(cloud):
    return {facts.thumbnail for facts in facts_in_index(cloud.index, cloud.space).values()}


def notes(cloud):
    return [stat.name for stat in cloud.index.list(FOLDER)]


def sweep(cloud, monkeypatch, later=GRACE + timedelta(minutes=1)):
    """The scheduled compaction, so much later."""
    assert cloud.client
    import ingest.maintenance

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(UTC) + later

    monkeypatch.setattr(ingest.maintenance, "datetime", Clock)
    assert cloud.tell({"action": "compact"}) == 200


def test_a_reconcile_makes_them_again_and_keeps_the_other_facts(old):
    before, state = facts_in_index(old.index, old.space), old.state()
    assert old.reconcile() == 200
    assert sizes(old, THUMBNAIL) == [(8, 6), (180, 480), (480, 320)]
    after = facts_in_index(old.index, old.space)
    assert versions(old) == {THUMBNAIL}
    for name, facts in after.items():
        assert (facts.hash, facts.colour, facts.taken) == (
            before[name].hash, before[name].colour, before[name].taken,
        )  # fmt: skip
    assert old.state() == state
    segments = len(old.segments())
    assert old.reconcile() == 200  # nothing is left to do
    assert len(old.segments()) == segments
    assert len(notes(old)) == len(PHOTOS)  # each was in a segment of its own


def test_old_ones_are_deleted_when_no_reader_names_them(old, monkeypatch):
    old.reconcile()
    everything = paths(old, 1) | paths(old, THUMBNAIL)
    sweep(old, monkeypatch, GRACE - timedelta(minutes=10))
    assert old.thumbnail_names() == everything
    sweep(old, monkeypatch)
    assert old.thumbnail_names() == paths(old, THUMBNAIL)
    assert notes(old) == []


def test_without_notes_a_sweep_costs_one_request(old, monkeypatch):
    assert old.client
    from ingest.old_thumbnails import sweep_thumbnails

    requests = []
    index = HookedBucket(old.services.index, before=lambda *request: requests.append(request))
    monkeypatch.setattr(old.services, "index", index)
    later = datetime.now(UTC) + timedelta(days=30)
    assert sweep_thumbnails(old.services, 60, later) == 0
    assert requests == [("list", FOLDER)]
    old.reconcile()
    requests.clear()
    assert sweep_thumbnails(old.services, 60, datetime.now(UTC)) == 0  # nothing is due
    assert requests == [("list", FOLDER)]


def killed_at(cloud, method, prefix):
    """The process ends before this request to the index."""

    def end(called, name):
        if called == method and name.startswith(prefix):
            raise Killed

    real = cloud.services.index
    cloud.services.index = HookedBucket(real, before=end)
    with pytest.raises(Killed):
        cloud.reconcile()
    cloud.restart()


def test_killed_before_the_entries_are_written_no_named_thumbnail_goes(old, monkeypatch):
    assert old.client
    killed_at(old, "create", segments_prefix(old.space))
    assert versions(old) == {1}
    assert len(notes(old)) == 1
    sweep(old, monkeypatch)
    assert sizes(old, 1) == [(8, 6), (120, 320), (320, 213)]
    old.restart()
    old.reconcile()
    assert versions(old) == {THUMBNAIL}
    sweep(old, monkeypatch)
    assert old.thumbnail_names() == paths(old, THUMBNAIL)
    assert notes(old) == []


def test_killed_before_the_note_the_next_reconcile_does_it_all(old, monkeypatch):
    assert old.client
    killed_at(old, "create", FOLDER)
    assert versions(old) == {1}
    assert notes(old) == []
    old.reconcile()
    sweep(old, monkeypatch)
    assert old.thumbnail_names() == paths(old, THUMBNAIL)


def test_a_killed_sweep_is_done_by_the_next_one(old, monkeypatch):
    old.reconcile()
    real, deleted = old.services.thumbnails, []

    def end(method, name):
        deleted.append(name)
        if len(deleted) == 2:
            raise Killed

    old.services.thumbnails = HookedBucket(real, before=end)
    with pytest.raises(Killed):
        sweep(old, monkeypatch)
    old.services.thumbnails = real
    sweep(old, monkeypatch)
    assert old.thumbnail_names() == paths(old, THUMBNAIL)
    assert notes(old) == []


def test_a_deletion_removes_both_versions(old, monkeypatch):
    old.reconcile()
    gone = {thumbnail_name("a.jpg", old.known()["a.jpg"], v) for v in (1, THUMBNAIL)}
    assert gone <= old.thumbnail_names()
    assert old.send(*old.delete("a.jpg")) == 200
    assert not gone & old.thumbnail_names()
    sweep(old, monkeypatch)
    assert old.thumbnail_names() == paths(old, THUMBNAIL)


def test_a_photo_that_cannot_be_decoded_any_more_keeps_its_old_thumbnail(old, monkeypatch):
    hashes = {name: facts.hash for name, facts in facts_in_index(old.index, old.space).items()}
    assert old.client
    from clipsearch.errors import UnreadablePhoto

    def refuse(data):
        raise UnreadablePhoto("a later decoder refuses it")

    monkeypatch.setattr(old.services.model.encoder(), "decode", refuse)
    old.reconcile()
    assert versions(old) == {0}  # has the name of version 1
    found = facts_in_index(old.index, old.space)
    assert {name: facts.hash for name, facts in found.items()} == hashes
    sweep(old, monkeypatch)
    assert sizes(old, 1) == [(8, 6), (120, 320), (320, 213)]
    segments = len(old.segments())
    old.reconcile()  # it is not tried again
    assert len(old.segments()) == segments


def test_a_space_that_people_may_go_to_keeps_the_thumbnails_that_it_names(
    old, tmp_path, monkeypatch
):
    """The other space was filled by the release before."""
    other = publish_bundle(make_tiny_bundle(tmp_path / "other", seed=1), old.index, False)
    for segment in old.segments():
        name = segment.name.removeprefix(segments_prefix(old.space))
        copy_segment(old.index, old.space, other, name)
    start_filling(old.index, other)
    old.reconcile()
    sweep(old, monkeypatch)
    assert paths(old, 1) <= old.thumbnail_names()
    assert len(notes(old)) == len(PHOTOS)
    for name in [stat.name for stat in old.index.list(segments_prefix(other))]:
        old.index.delete(name)
    sweep(old, monkeypatch)
    assert old.thumbnail_names() == paths(old, THUMBNAIL)
    assert notes(old) == []


def copy_segment(index, space, other, name):
    from clipsearch.index.format.segments import read_segment, write_entries

    write_entries(index, other, read_segment(index, space, name))


def test_a_damaged_note_goes_and_deletes_nothing(old, monkeypatch):
    old.index.create(f"{FOLDER}{1:016x}-000000000000.json", b"[]")
    sweep(old, monkeypatch)
    assert len(notes(old)) == 0
    assert sizes(old, 1) == [(8, 6), (120, 320), (320, 213)]
