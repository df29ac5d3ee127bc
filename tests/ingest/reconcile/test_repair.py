"""Whatever was lost before, the index equals the bucket afterwards."""

import itertools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.run.feeder import Event
from clipsearch.images.thumbnails import THUMBNAIL, thumbnail_name
from clipsearch.index.format.entries import Kind
from clipsearch.index.format.segments import segments_prefix
from clipsearch.index.reconcile_log import CoverageReader
from clipsearch.model.bundle import publish_bundle
from clipsearch.storage import open_bucket
from tests.ingest.conftest import CUT
from tests.support.pictures import jpeg
from tests.support.tiny_bundle import make_tiny_bundle


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
    assert cloud.thumbnail_names() == {
        thumbnail_name(event.name, event.generation, THUMBNAIL) for event in (kept, new, missing)
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
    assert "reconcile: 1 objects, 0 indexed, 0 failed before, 0 of them retried" in line
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
    found = {thumbnail_name(name, at, THUMBNAIL) for name, at in cloud.photos_found().items()}
    assert found <= cloud.thumbnail_names()
    before = cloud.segments()
    assert cloud.reconcile() == 200
    assert cloud.segments() == before


def test_the_record_names_what_was_found(cloud):
    cloud.put("a.jpg", jpeg())
    assert cloud.reconcile() == 200
    coverage = CoverageReader(open_bucket((cloud.root / "index").as_uri()), cloud.space).newest()
    assert coverage.objects == 1
    assert coverage.started <= coverage.finished
