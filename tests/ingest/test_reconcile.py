"""Reconciling: whatever was lost before, the index equals the bucket afterwards."""

import itertools
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clipsearch.images.thumbnails import thumbnail_name
from clipsearch.index.format.entries import Kind
from clipsearch.index.format.segments import segments_prefix, write_segment
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.index.reconcile_log import CoverageReader
from clipsearch.model.bundle import publish_bundle
from clipsearch.storage import open_bucket
from tests.index.making import tombstone
from tests.support.buckets import HookedBucket
from tests.support.pictures import jpeg
from tests.support.tiny_bundle import make_tiny_bundle
from tests.support.waiting import wait_for_a_tick
from tools.run.feeder import Event

CUT = jpeg("red", (200, 150))[:700]


def thumbnails(cloud):
    return {stat.name for stat in cloud.thumbnails.list()}


def test_without_anything_there_is_nothing_to_do(cloud):
    assert cloud.counts() == (None, 0, 0, None)
    assert cloud.status()["reconciled"] is None
    assert cloud.reconcile() == 200
    assert cloud.segments() == []
    assert cloud.counts() == (0, 0, 0, 0)
    assert cloud.status()["reconciled"]["at"]


def test_lost_events_of_every_kind_are_repaired(cloud):
    [kept] = cloud.put("kept.jpg", jpeg("red"))
    [changed] = cloud.put("changed.jpg", jpeg("red"))
    [deleted] = cloud.put("deleted.jpg", jpeg("red"))
    for event in (kept, changed, deleted):
        cloud.send(event)
    # and from here on no event arrives
    new, _ = cloud.put("changed.jpg", jpeg("blue"))
    cloud.delete("deleted.jpg")
    [missing] = cloud.put("sub/missing.jpg", jpeg("lime", (900, 600)))
    [broken] = cloud.put("broken.jpg", CUT)

    assert cloud.reconcile() == 200
    assert cloud.state() == {
        "kept.jpg": (Kind.VECTOR, kept.generation),
        "changed.jpg": (Kind.VECTOR, new.generation),
        "deleted.jpg": (Kind.TOMBSTONE, deleted.generation),
        "sub/missing.jpg": (Kind.VECTOR, missing.generation),
        "broken.jpg": (Kind.FAILURE, broken.generation),
    }
    assert "JPEG" in cloud.reasons()["broken.jpg"]
    assert thumbnails(cloud) == {
        thumbnail_name(event.name, event.generation) for event in (kept, new, missing)
    }
    assert cloud.counts() == (4, 3, 1, 0)


def test_what_is_right_costs_nothing(cloud):
    for number in range(3):
        cloud.send(*cloud.put(f"{number}.jpg", jpeg()))
    before = cloud.segments()
    assert cloud.reconcile() == 200
    assert cloud.segments() == before


def test_the_vectors_are_those_of_single_events(cloud):
    pictures = [jpeg(colour, (61, 47)) for colour in ("red", "teal", "navy", "olive")]
    events = [event for n, data in enumerate(pictures) for event in cloud.put(f"{n}.jpg", data)]
    assert cloud.reconcile() == 200
    [segment] = cloud.segments()
    batch = entries(cloud, segment)
    for row, event in enumerate(events):
        before = {segment.name for segment in cloud.segments()}
        cloud.send(event)
        [new] = [segment for segment in cloud.segments() if segment.name not in before]
        single = entries(cloud, new)
        assert batch.name(row) == single.name(0)
        assert abs(batch.vectors[row] - single.vectors[0]).max() < 1e-6
        assert (batch.widths[row], batch.heights[row]) == (61, 47)


def entries(cloud, segment):
    from clipsearch.index.format.segments import read_segment

    name = segment.name.removeprefix(segments_prefix(cloud.space))
    return read_segment(cloud.index, cloud.space, name)


def test_a_failure_is_tried_again_and_written_only_if_something_is_new(cloud, monkeypatch):
    [event] = cloud.put("large.jpg", jpeg("red", (300, 200)))
    assert cloud.client
    import clipsearch.images.decode

    with monkeypatch.context() as smaller:
        smaller.setattr(clipsearch.images.decode, "MAX_PIXELS", 10_000)
        cloud.send(event)
        assert cloud.counts()[1:3] == (0, 1)
        before = cloud.segments()
        assert cloud.reconcile() == 200
        assert cloud.segments() == before
        assert cloud.counts() == (1, 0, 1, 0)
    assert cloud.reconcile() == 200  # the same decoder would fail again
    assert cloud.photos_found() == {}
    monkeypatch.setattr("ingest.reconcile.comparison.DECODER", clipsearch.images.decode.DECODER + 1)
    assert cloud.reconcile() == 200  # another release reads more
    assert cloud.photos_found() == {"large.jpg": event.generation}
    assert cloud.has_thumbnail(event)
    assert cloud.counts() == (1, 1, 0, 0)


def test_hidden_files_are_no_photos(cloud):
    (cloud.root / "photos" / ".hidden").mkdir()
    (cloud.root / "photos" / ".hidden" / "a.jpg").write_bytes(jpeg())
    cloud.put("a.jpg", jpeg())
    assert cloud.reconcile() == 200
    assert list(cloud.known()) == ["a.jpg"]
    assert cloud.counts() == (1, 1, 0, 0)


def test_a_new_model_gets_all_photos(cloud, tmp_path, monkeypatch):
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        cloud.send(*cloud.put(name, jpeg()))
    cloud.put("broken.jpg", CUT)
    cloud.reconcile()
    import ingest.services

    monkeypatch.setattr(ingest.services, "LOOK_FOR_MODEL_EVERY", 0.0)
    old, cloud.space = (
        cloud.space,
        publish_bundle(make_tiny_bundle(tmp_path / "other", seed=1), cloud.index),
    )
    assert cloud.space != old
    assert cloud.counts() == (None, 0, 0, None)
    assert cloud.reconcile() == 200
    assert cloud.known() == cloud.in_bucket()
    assert cloud.counts() == (4, 3, 1, 0)
    cloud.space = old  # is as it was
    assert cloud.known() == cloud.in_bucket()


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
    assert thumbnails(cloud) == {thumbnail_name(name, generation)}
    before = cloud.segments()
    assert cloud.reconcile() == 200  # and that is that
    assert cloud.segments() == before
    assert cloud.counts() == (1, 1, 0, 0)

    (cloud.root / "photos" / "album" / "a.jpg").unlink()
    assert cloud.reconcile() == 200
    assert cloud.known() == {}
    assert thumbnails(cloud) == set()


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


def test_a_photos_folder_that_is_gone_is_trouble_and_no_deletion(cloud, tmp_path):
    cloud.send(*cloud.put("a.jpg", jpeg()))
    (cloud.root / "photos").rename(tmp_path / "unplugged")
    assert cloud.reconcile() == 500
    assert list(cloud.known()) == ["a.jpg"]
    (tmp_path / "unplugged").rename(cloud.root / "photos")
    assert cloud.reconcile() == 200
    assert cloud.known() == cloud.in_bucket()


def test_a_folder_that_is_exchanged_while_it_is_listed_is_trouble(cloud, tmp_path):
    def exchange(method, name):
        if method == "list":
            (cloud.root / "photos").rename(tmp_path / "unplugged")
            (cloud.root / "photos").mkdir()

    cloud.send(*cloud.put("a.jpg", jpeg()))
    cloud.services.photos = HookedBucket(cloud.photos, before=exchange)
    assert cloud.reconcile() == 500
    assert list(cloud.known()) == ["a.jpg"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("mode", [0, 0o300, 0o400])
def test_photos_in_a_folder_that_may_not_be_read_are_not_removed(cloud, mode):
    cloud.send(*cloud.put("album/sub/a.jpg", jpeg()))
    cloud.send(*cloud.put("b.jpg", jpeg()))
    (cloud.root / "photos" / "album").chmod(mode)
    (cloud.root / "photos" / "b.jpg").unlink()
    try:
        assert cloud.reconcile() == 200
    finally:
        (cloud.root / "photos" / "album").chmod(0o700)
    assert list(cloud.known()) == ["album/sub/a.jpg"]


def test_a_photo_that_went_after_the_listing_is_left_out(cloud):
    def delete(method, name):
        if (method, name) == ("read", "gone.jpg"):
            cloud.delete(name)

    cloud.put("gone.jpg", jpeg())
    cloud.put("stays.jpg", jpeg())
    assert cloud.client
    cloud.services.photos = HookedBucket(cloud.photos, before=delete)
    assert cloud.reconcile() == 200
    assert list(cloud.known()) == ["stays.jpg"]
    assert len(thumbnails(cloud)) == 1
    assert cloud.counts() == (2, 1, 0, 0)  # two were listed; nobody waits for the other one


def test_a_photo_that_goes_while_it_is_indexed_does_not_stay_found(cloud):
    """Also where its own deletion would lose: its entry overrules a later generation."""

    def delete(method, name):
        if method == "read":
            assert cloud.send(*cloud.delete(name)) == 200

    for name in ("a.jpg", "b.jpg"):
        cloud.put(name, jpeg())
    write_segment(cloud.index, cloud.space, [tombstone("a.jpg", cloud.newest["a.jpg"] + 1)])
    assert cloud.client
    cloud.services.photos = HookedBucket(cloud.photos, after=delete)
    assert cloud.reconcile() == 200
    assert cloud.photos_found() == {}
    assert thumbnails(cloud) == set()


def test_an_event_of_the_same_photo_at_the_same_time_changes_nothing(cloud):
    [event] = cloud.put("a.jpg", jpeg())
    events = [event]

    def be_faster(method, name):
        if method == "read" and events:
            assert cloud.send(events.pop()) == 200

    assert cloud.client
    cloud.services.photos = HookedBucket(cloud.photos, before=be_faster)
    assert cloud.reconcile() == 200
    assert cloud.photos_found() == {"a.jpg": event.generation}
    assert cloud.has_thumbnail(event)
    assert len(cloud.segments()) == 2


def test_a_fault_of_the_infrastructure_is_no_failure_of_a_photo(cloud):
    cloud.put("a.jpg", jpeg())
    (cloud.root / "thumbnails").write_bytes(b"")  # where the folder should be
    assert cloud.reconcile() == 500
    assert cloud.state() == {}
    assert cloud.status()["reconciled"] is None
    (cloud.root / "thumbnails").unlink()
    assert cloud.reconcile() == 200
    assert cloud.photos_found() == cloud.in_bucket()


def test_when_time_is_up_the_rest_is_pending_and_the_event_comes_again(cloud, monkeypatch, caplog):
    for number in range(5):
        cloud.put(f"{number}.jpg", jpeg())
    assert cloud.client
    import ingest.maintenance
    import ingest.reconcile.run

    monkeypatch.setattr(ingest.reconcile.run, "LARGEST_INDEX", (2, 10**9, 10**9))
    monkeypatch.setattr(ingest.maintenance, "ALONE_S", -1.0)
    assert cloud.reconcile() == 500
    assert "5 photos are left" in caplog.text
    assert cloud.counts() == (5, 0, 0, 5)
    cloud.send(Event("finalized", "3.jpg", cloud.newest["3.jpg"], 1000))
    assert cloud.counts() == (5, 1, 0, 4)
    monkeypatch.setattr(ingest.maintenance, "ALONE_S", 60.0)
    assert cloud.reconcile() == 200
    assert cloud.counts() == (5, 5, 0, 0)
    assert cloud.known() == cloud.in_bucket()


def test_old_records_are_deleted(cloud):
    for _ in range(5):
        assert cloud.reconcile() == 200
    runs = {stat.name.split("/")[2] for stat in cloud.index.list(f"{cloud.space}/reconciles/")}
    assert len(runs) == 2


def test_there_is_one_log_line_for_a_message(cloud, caplog):
    cloud.put("a.jpg", jpeg())
    assert cloud.reconcile() == 200
    [record] = [r for r in caplog.records if r.name == "clipsearch"]
    line = record.getMessage()
    assert "messagePublished" in line
    assert "reconcile: 1 objects, 0 indexed, 0 failed before, 0 of them tried again" in line
    assert "0 skipped, 1 missing" in line


DATA = [jpeg("red"), jpeg("blue"), CUT]
RUNS = itertools.count()


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.booleans()), max_size=12
    ),
    bogus=st.lists(st.tuples(st.sampled_from("abcd"), st.integers(-5, 5)), max_size=3),
)
def test_whatever_happened_before_the_index_ends_as_the_bucket(cloud, steps, bogus):
    """Uploads, overwrites and deletes whose events are lost or not, and tombstones of nowhere."""
    run = next(RUNS)
    late = []
    for name, choice, is_lost in steps:
        name = f"{run}/{name}"
        events = []
        if choice < 3:
            events = cloud.put(name, DATA[choice])
        elif choice == 3 and (cloud.root / "photos" / name).exists():
            events = cloud.delete(name)
        elif choice == 4:
            assert cloud.reconcile() == 200
        elif late:
            assert cloud.send(late.pop(choice % len(late))) == 200
        late += [] if is_lost else events
    for name, distance in bogus:
        generation = cloud.newest.get(f"{run}/{name}", 10) + distance
        assert cloud.send(Event("deleted", f"{run}/{name}", generation)) == 200
    assert cloud.reconcile() == 200
    assert set(cloud.known()) == set(cloud.in_bucket())
    for name, generation in cloud.known().items():
        assert generation >= cloud.in_bucket()[name]
    found = {thumbnail_name(*photo) for photo in cloud.photos_found().items()}
    assert found <= thumbnails(cloud)
    before = cloud.segments()
    assert cloud.reconcile() == 200
    assert cloud.segments() == before


def test_the_record_names_what_was_found(cloud):
    cloud.put("a.jpg", jpeg())
    assert cloud.reconcile() == 200
    coverage = CoverageReader(open_bucket((cloud.root / "index").as_uri()), cloud.space).newest()
    assert coverage.objects == 1
    assert coverage.started <= coverage.finished
