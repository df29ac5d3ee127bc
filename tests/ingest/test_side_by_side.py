"""The entry of an upload is written beside its pictures. These may come late, or never."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from clipsearch.errors import StorageError
from clipsearch.images.thumbnails import THUMBNAIL
from clipsearch.index.compaction.run import GRACE
from clipsearch.index.thumbnail_notes import FOLDER, write_note
from tests.support.buckets import HookedBucket
from tests.support.old_index import facts_in_index
from tests.support.pictures import jpeg


def fail(method, name):
    if method == "create":
        raise StorageError(f"503: {name}")


@pytest.fixture
def event(cloud):
    [event] = cloud.put("a.jpg", jpeg("red", (400, 300)))
    assert cloud.client
    return event


def sweep(cloud, later):
    from ingest.old_thumbnails import sweep_thumbnails

    return sweep_thumbnails(cloud.services, 60, datetime.now(UTC) + later)


def notes(cloud):
    return list(cloud.index.list(FOLDER))


def test_a_thumbnail_that_is_never_written_is_made_by_a_reconcile(cloud, event):
    """The event is delivered for a day; then nobody but a reconcile knows of it."""
    thumbnails = cloud.services.thumbnails
    cloud.services.thumbnails = HookedBucket(thumbnails, before=fail)
    assert cloud.send(event) == 500
    assert not cloud.has_thumbnail(event)
    cloud.services.thumbnails = thumbnails
    assert cloud.reconcile() == 200
    assert cloud.has_thumbnail(event)
    assert cloud.photos_found() == {"a.jpg": event.generation}
    assert facts_in_index(cloud.index, cloud.space)["a.jpg"].thumbnail == THUMBNAIL


def test_while_thumbnails_fail_no_more_entries_are_written(cloud, event):
    thumbnails = cloud.services.thumbnails
    cloud.services.thumbnails = HookedBucket(thumbnails, before=fail)
    assert cloud.send(event) == 500
    before = cloud.segments()
    for _ in range(3):
        assert cloud.send(event) == 500
    assert cloud.segments() == before
    cloud.services.thumbnails = thumbnails
    assert cloud.send(event) == 200
    assert cloud.has_thumbnail(event)
    assert cloud.services.pictures_fail is False
    assert facts_in_index(cloud.index, cloud.space)["a.jpg"].thumbnail == THUMBNAIL


def test_a_thumbnail_that_comes_after_the_deletion_goes_later(cloud, event):
    """The look for the photo is done, the deletion too, and only then the thumbnail is written."""
    has_looked, is_deleted = threading.Event(), threading.Event()

    def hold(method, name):
        if method == "create":
            assert is_deleted.wait(120)

    def note(method, name):
        if method == "stat":
            has_looked.set()

    thumbnails = cloud.services.thumbnails
    cloud.services.thumbnails = HookedBucket(thumbnails, before=hold)
    cloud.services.photos = HookedBucket(cloud.services.photos, after=note)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(cloud.send, event)
        assert has_looked.wait(120)
        assert cloud.send(*cloud.delete("a.jpg")) == 200
        is_deleted.set()
        assert answer.result() == 200
    assert cloud.has_thumbnail(event)  # this is why the deletion left a note
    assert cloud.photos_found() == {}
    assert sweep(cloud, GRACE - timedelta(minutes=10)) == 0
    assert cloud.has_thumbnail(event)
    sweep(cloud, GRACE + timedelta(minutes=10))
    assert cloud.thumbnail_names() == set()
    assert notes(cloud) == []


def test_only_the_deletion_of_a_young_photo_leaves_a_note(cloud, event):
    from ingest.indexing import remove_photos

    day_before_yesterday = int((datetime.now(UTC) - timedelta(days=2)).timestamp() * 1e6)
    remove_photos([("old.jpg", day_before_yesterday)], [cloud.space], cloud.services)
    assert notes(cloud) == []
    young = [("no-time.jpg", 7), ("young.jpg", event.generation)]
    remove_photos([("old.jpg", day_before_yesterday), *young], [cloud.space], cloud.services)
    [note] = notes(cloud)
    data = cloud.index.read(note.name).decode()
    assert "young.jpg" in data
    assert "no-time.jpg" in data
    assert "old.jpg" not in data


def test_the_pictures_of_a_photo_that_is_there_stay(cloud, event):
    assert cloud.send(event) == 200
    write_note(cloud.index, [], 1, [("a.jpg", event.generation), ("gone.jpg", 5)])
    sweep(cloud, GRACE + timedelta(minutes=10))
    assert cloud.has_thumbnail(event)
    assert notes(cloud) == []


def test_many_notes_are_carried_out_side_by_side(cloud, event):
    assert cloud.send(event) == 200
    for number in range(20):
        write_note(cloud.index, [], number + 1, [(f"{number}.jpg", 5), ("a.jpg", event.generation)])
    first_two, numbers = threading.Barrier(2, timeout=60), itertools.count()

    def meet(method, name):
        if method == "read" and name.startswith(FOLDER) and next(numbers) < 2:
            first_two.wait()

    cloud.services.index = HookedBucket(cloud.services.index, before=meet)
    sweep(cloud, GRACE + timedelta(minutes=10))
    assert notes(cloud) == []
    assert cloud.has_thumbnail(event)


def test_a_photo_of_a_message_that_is_deleted_meanwhile_gets_a_tombstone(cloud, event):
    """Without an event for the deletion."""

    def delete(method, name):
        if method == "create" and (cloud.root / "photos" / "a.jpg").exists():
            (cloud.root / "photos" / "a.jpg").unlink()

    cloud.services.thumbnails = HookedBucket(cloud.services.thumbnails, after=delete)
    assert cloud.reconcile() == 200
    assert cloud.photos_found() == {}
    assert cloud.thumbnail_names() == set()
    assert len(cloud.segments()) == 2
