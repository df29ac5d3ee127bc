"""Photos with older times than what the index holds of them."""

from cli.run.feeder import Event
from clipsearch.images.thumbnails import THUMBNAIL, thumbnail_name
from clipsearch.index.format.segments import write_segment
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from tests.index.making import tombstone
from tests.ingest.conftest import CUT
from tests.support.pictures import jpeg
from tests.support.waiting import wait_for_a_tick


def test_a_photo_that_came_back_with_its_old_time_is_found_again(cloud, tmp_path):
    """Its deletion has the same generation, and would count for ever by the merge rule."""
    [event] = cloud.put("album/a.jpg", jpeg())
    cloud.send(event)
    (cloud.root / "photos" / "album").rename(tmp_path / "away")
    cloud.send(Event("deleted", "album/a.jpg", event.generation))
    (tmp_path / "away").rename(cloud.root / "photos" / "album")
    assert cloud.in_bucket() == {"album/a.jpg": event.generation}

    assert cloud.reconcile() == 200
    [(name, generation)] = cloud.photos_found().items()
    assert name == "album/a.jpg"
    assert generation > event.generation
    assert cloud.thumbnail_names() == {thumbnail_name(name, generation, THUMBNAIL)}
    before = cloud.segments()
    assert cloud.reconcile() == 200  # and that is that
    assert cloud.segments() == before
    assert cloud.counts() == (1, 1, 0, 0)

    (cloud.root / "photos" / "album" / "a.jpg").unlink()
    assert cloud.reconcile() == 200
    assert cloud.known() == {}
    assert cloud.thumbnail_names() == set()


def test_an_older_photo_under_a_known_name_takes_its_place(cloud, tmp_path):
    (cloud.root / "photos" / "album").mkdir()
    (cloud.root / "photos" / "album" / "a.jpg").write_bytes(jpeg("red", (90, 60)))
    (cloud.root / "photos" / "album").rename(tmp_path / "older")
    wait_for_a_tick(tmp_path)
    [newer] = cloud.put("album/a.jpg", jpeg("blue"))
    cloud.send(newer)
    (cloud.root / "photos" / "album").rename(tmp_path / "newer")
    (tmp_path / "older").rename(cloud.root / "photos" / "album")
    assert cloud.in_bucket()["album/a.jpg"] < newer.generation

    assert cloud.reconcile() == 200
    snapshot = SnapshotReader(cloud.index, cloud.space).refresh().entries
    assert snapshot.widths.tolist() == [90]
    assert not cloud.has_thumbnail(newer)
    before = cloud.segments()
    assert cloud.reconcile() == 200
    assert cloud.segments() == before

    for event in cloud.put("album/a.jpg", jpeg("lime", (50, 50))):  # what comes then counts as ever
        cloud.send(event)
    assert cloud.reconcile() == 200  # at the latest: what overrules may lie some seconds ahead
    later = SnapshotReader(cloud.index, cloud.space).refresh().entries
    assert later.widths.tolist() == [50]


def test_a_failure_with_an_old_time_is_recognised_too(cloud):
    [event] = cloud.put("a.jpg", CUT)
    write_segment(cloud.index, cloud.space, [tombstone("a.jpg", event.generation + 5)])
    assert cloud.reconcile() == 200
    before, known = cloud.segments(), cloud.known()
    assert known["a.jpg"] > event.generation + 5
    assert cloud.reconcile() == 200
    assert (cloud.segments(), cloud.known()) == (before, known)
    assert cloud.counts() == (1, 0, 1, 0)
