"""What can never be indexed becomes a failure with its reason, and is answered 2xx."""

import struct
import zlib
from functools import partial

import pytest

from clipsearch.errors import BadObjectName, ObjectUnreadable
from clipsearch.images.decode import MAX_BYTES
from clipsearch.index.format.entries import Kind
from tests.support.buckets import HookedBucket
from tests.support.pictures import jpeg, picture


def png_header(width, height):
    """A PNG that claims a size and holds no pixels."""
    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", b"")


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def cut(data):
    return data[: len(data) * 2 // 3]


LARGE = (200, 150)  # so that cutting a third off cuts pixels off

UNREADABLE = {
    "empty": (b"", "empty"),
    "text": (b"Dear photo,", "supported format"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "supported format"),
    "film": (b"\0\0\0\x18ftypisom" + bytes(64), "supported format"),
    "cut.jpg": (cut(jpeg("red", LARGE)), "JPEG"),
    "cut.png": (cut(picture("PNG", "red", LARGE)), "PNG"),
    "cut.webp": (cut(picture("WEBP", "red", LARGE)), "WebP"),
    "cut.gif": (cut(picture("GIF", "red", LARGE)), "GIF"),
    "cut.bmp": (cut(picture("BMP", "red", LARGE)), "BMP"),
    "cut.tiff": (cut(picture("TIFF", "red", LARGE)), "TIFF"),
    "cut.avif": (cut(picture("AVIF", "red", LARGE)), "AVIF"),
    "header only": (b"\xff\xd8\xff", "JPEG"),
    "51 megapixels": (png_header(10_000, 5_100), "51.0 megapixels"),
    "a bomb": (png_header(60_000, 60_000), "megapixels"),
    "too many bytes": (jpeg() + bytes(MAX_BYTES), "20,000,"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_it_is_a_failure_with_its_reason(cloud, name):
    data, reason = UNREADABLE[name]
    [event] = cloud.put(name, data)
    assert cloud.send(event) == 200
    assert cloud.state() == {name: (Kind.FAILURE, event.generation)}
    assert reason in cloud.reasons()[name]
    assert cloud.thumbnail_names() == set()


def test_what_is_too_large_is_not_even_read(cloud):
    class NotToBeRead:
        def __getattr__(self, name):
            raise AssertionError(f"{name} was called")

    [event] = cloud.put("film", b"")
    assert cloud.client
    cloud.services.photos = NotToBeRead()
    assert cloud.send(event, size=str(MAX_BYTES + 1)) == 200
    assert "20,000,001 bytes" in cloud.reasons()["film"]


@pytest.mark.parametrize("extra", [0, 1])
def test_the_limit_of_bytes_is_exact(cloud, extra):
    data = picture("BMP")
    [event] = cloud.put("a.bmp", data + bytes(MAX_BYTES - len(data) + extra))
    cloud.send(event)
    assert len(cloud.photos_found()) == 1 - extra


def test_without_a_size_in_the_event_the_bucket_is_asked(cloud):
    [event] = cloud.put("large", bytes(MAX_BYTES + 1))
    assert cloud.send(event, size=None) == 200
    assert "20,000,001 bytes" in cloud.reasons()["large"]


def test_a_good_overwrite_of_a_bad_photo_is_found(cloud):
    [bad] = cloud.put("a.jpg", cut(jpeg("red", LARGE)))
    cloud.send(bad)
    for event in cloud.put("a.jpg", jpeg("red", LARGE)):
        cloud.send(event)
    assert list(cloud.photos_found()) == ["a.jpg"]
    assert cloud.reasons() == {}


def test_a_failure_goes_when_its_file_goes(cloud):
    [event] = cloud.put("notes.jpg", b"Dear photo,")
    cloud.send(event)
    cloud.send(*cloud.delete("notes.jpg"))
    assert cloud.reasons() == {}


@pytest.mark.parametrize("error", [partial(ObjectUnreadable, is_certain=True), BadObjectName])
def test_a_file_that_may_not_be_read_is_a_failure_until_it_is_another(cloud, error):
    def refuse(method, name):
        raise error(name, "Permission denied")

    [event] = cloud.put("a.jpg", jpeg())
    assert cloud.client
    cloud.services.photos = HookedBucket(cloud.photos, before=refuse)
    assert cloud.send(event) == 200
    assert cloud.reasons() == {"a.jpg": "the file cannot be read: Permission denied"}

    cloud.services.photos = cloud.photos
    for mended in cloud.put("a.jpg", jpeg()):
        cloud.send(mended)
    assert list(cloud.photos_found()) == ["a.jpg"]


def test_a_path_longer_than_any_object_name_is_a_failure(cloud):
    name = "/".join(["a" * 200] * 6)
    [event] = cloud.put("a.jpg", jpeg())
    assert cloud.send(event, name=name) == 200
    assert "1024 are allowed" in cloud.reasons()[name]
