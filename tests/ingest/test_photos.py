"""Photos that come, change and go."""

import gc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from clipsearch.errors import ObjectNotFound
from clipsearch.images.thumbnails import THUMBNAIL, thumbnail_name
from clipsearch.index.format.entries import Kind
from clipsearch.index.format.segments import read_segment, segments_prefix
from clipsearch.model.encoder import Encoder
from tests.support.buckets import HookedBucket
from tests.support.pictures import jpeg, picture, png, turning


def test_an_upload_is_in_the_index_when_its_event_is_answered(cloud):
    [event] = cloud.put("holidays/red house.jpg", jpeg("red", (60, 40)))
    assert cloud.send(event) == 200
    assert cloud.photos_found() == {"holidays/red house.jpg": event.generation}
    [segment] = cloud.segments()
    name = segment.name.removeprefix(segments_prefix(cloud.space))
    entries = read_segment(cloud.index, cloud.space, name)
    assert (entries.widths[0], entries.heights[0]) == (60, 40)


def test_the_vector_is_the_encoders(cloud, model_folder):
    [event] = cloud.put("a.png", picture("PNG", "teal"))
    cloud.send(event)
    [segment] = cloud.segments()
    name = segment.name.removeprefix(segments_prefix(cloud.space))
    expected = Encoder.from_folder(model_folder).encode_image([Image.new("RGB", (40, 30), "teal")])
    found = read_segment(cloud.index, cloud.space, name).vectors
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_size_is_that_of_the_upright_photo(cloud):
    [event] = cloud.put("turned.jpg", jpeg("blue", (3000, 2000), exif=turning(6)))
    cloud.send(event)
    [segment] = cloud.segments()
    name = segment.name.removeprefix(segments_prefix(cloud.space))
    entries = read_segment(cloud.index, cloud.space, name)
    assert (entries.widths[0], entries.heights[0]) == (2000, 3000)


def test_overwriting_leaves_the_new_generation(cloud):
    [first] = cloud.put("a.jpg", jpeg("red"))
    cloud.send(first)
    second, old_gone = cloud.put("a.jpg", jpeg("blue"))
    assert [cloud.send(second), cloud.send(old_gone)] == [200, 200]
    assert cloud.photos_found() == {"a.jpg": second.generation}


def test_a_deleted_photo_is_gone(cloud):
    [event] = cloud.put("a.jpg", jpeg())
    cloud.send(event)
    [deleted] = cloud.delete("a.jpg")
    assert cloud.send(deleted) == 200
    assert cloud.photos_found() == {}
    assert cloud.state() == {"a.jpg": (Kind.TOMBSTONE, event.generation)}


def test_an_upload_that_arrives_after_its_delete_does_not_come_back(cloud):
    [event] = cloud.put("a.jpg", jpeg())
    [deleted] = cloud.delete("a.jpg")
    assert cloud.send(deleted) == 200
    assert cloud.send(event) == 200
    assert cloud.photos_found() == {}


def test_an_upload_that_is_already_replaced_needs_no_entry(cloud):
    [first] = cloud.put("a.jpg", jpeg("red"))
    cloud.put("a.jpg", jpeg("blue"))
    assert cloud.send(first) == 200
    assert cloud.segments() == []


def test_the_same_event_twice_changes_nothing(cloud):
    [event] = cloud.put("a.jpg", jpeg())
    cloud.send(event)
    before = cloud.state()
    assert cloud.send(event) == 200
    assert cloud.state() == before


def test_each_upload_costs_one_segment_whatever_is_there(cloud):
    sizes = []
    for number in range(5):
        [event] = cloud.put(f"{number}.jpg", jpeg())
        cloud.send(event)
        assert len(cloud.segments()) == number + 1
        sizes.append(max(segment.size for segment in cloud.segments()))
    assert max(sizes) == min(sizes)


def test_a_thumbnail_is_made_and_goes_with_the_photo(cloud):
    [event] = cloud.put("a.jpg", jpeg("red", (900, 600)))
    cloud.send(event)
    data = cloud.thumbnails.read(thumbnail_name("a.jpg", event.generation, THUMBNAIL))
    (cloud.root / "thumbnail.webp").write_bytes(data)
    with Image.open(cloud.root / "thumbnail.webp") as thumbnail:
        assert (thumbnail.format, thumbnail.size) == ("WEBP", (480, 320))
    [deleted] = cloud.delete("a.jpg")
    cloud.send(deleted)
    assert cloud.thumbnail_names() == set()


def test_an_old_generations_thumbnail_goes_and_the_new_one_stays(cloud):
    [first] = cloud.put("a.jpg", jpeg("red"))
    cloud.send(first)
    second, old_gone = cloud.put("a.jpg", jpeg("blue"))
    cloud.send(second)
    cloud.send(old_gone)
    assert not cloud.has_thumbnail(first)
    assert cloud.has_thumbnail(second)


def test_a_thumbnail_left_by_a_killed_attempt_goes_when_the_photo_is_gone(cloud):
    [event] = cloud.put("a.jpg", jpeg())
    [deleted] = cloud.delete("a.jpg")
    cloud.send(deleted)
    cloud.thumbnails.create(thumbnail_name("a.jpg", event.generation, THUMBNAIL), b"left over")
    cloud.send(event)
    assert cloud.thumbnail_names() == set()


def test_a_photo_deleted_while_it_is_indexed_leaves_no_thumbnail(cloud, caplog):
    def delete(method, name):
        if method == "read":
            assert cloud.send(*cloud.delete(name)) == 200

    [event] = cloud.put("a.jpg", jpeg())
    assert cloud.client
    cloud.services.photos = HookedBucket(cloud.photos, after=delete)
    assert cloud.send(event) == 200
    assert caplog.records[-1].fields["outcome"] == "gone"
    assert cloud.thumbnail_names() == set()
    assert cloud.photos_found() == {}


def test_a_thumbnail_that_vanishes_while_it_is_written_loses_no_photo(cloud):
    def vanish(method, name):
        if method == "create":
            raise ObjectNotFound(name)

    [event] = cloud.put("a.jpg", jpeg())
    assert cloud.client
    thumbnails = cloud.services.thumbnails
    cloud.services.thumbnails = HookedBucket(thumbnails, after=vanish)
    assert cloud.send(event) == 500
    cloud.services.thumbnails = thumbnails
    assert cloud.send(event) == 200
    assert set(cloud.photos_found()) == {"a.jpg"}


def test_photos_that_cannot_be_read_leave_no_picture_in_memory(cloud):
    """The frames of their errors hold bytes and pictures, which no budget counts any more."""
    left = []

    def look(method, name):
        if method == "create" and name.startswith(segments_prefix(cloud.space)):
            gc.collect()
            pictures = [o for o in gc.get_objects() if issubclass(type(o), Image.Image)]
            left.append([picture.size for picture in pictures if picture.size == (640, 480)])

    whole = png("red", size=(640, 480))
    for number in range(4):
        cloud.put(f"{number}.png", whole[: len(whole) - 100 - number])
    assert cloud.client
    cloud.services.index = HookedBucket(cloud.services.index, before=look)
    assert cloud.reconcile() == 200
    assert left == [[]]
    assert not cloud.photos_found()


DATA = [jpeg("red"), jpeg("blue"), b"no photo"]


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9)), max_size=15))
def test_whatever_the_order_of_events_the_index_ends_as_the_bucket(cloud, steps):
    """Uploads, overwrites, deletes and deliveries interleaved; some events twice, some late."""
    run = len(cloud.segments())  # names of its own for each example
    late = []
    for name, choice in steps:
        name = f"{run}/{name}"
        if choice < 3:
            late += cloud.put(name, DATA[choice])
        elif choice == 3 and (cloud.root / "photos" / name).exists():
            late += cloud.delete(name)
        elif late:
            event = late[choice % len(late)]
            assert cloud.send(event) == 200
            if choice % 2:  # even: it will come again
                late.remove(event)
    for event in reversed(late):
        assert cloud.send(event) == 200
    found = {name: g for name, (kind, g) in cloud.state().items() if kind != Kind.TOMBSTONE}
    assert found == {stat.name: stat.generation for stat in cloud.photos.list()}


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF"])
def test_every_format_becomes_a_vector(cloud, format_):
    if format_ == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    [event] = cloud.put(f"photo.{format_.lower()}", picture(format_, "red", (64, 64)))
    assert cloud.send(event) == 200
    assert list(cloud.photos_found()) == [event.name]
