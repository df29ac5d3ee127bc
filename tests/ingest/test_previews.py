"""Previews: made for photos that browsers cannot show and for large files, if the setting is on."""

import importlib
import io
import logging

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from clipsearch.images.previews import preview_name
from tests.support.old_index import facts_in_index
from tests.support.pictures import encoded, jpeg

pillow_heif.register_heif_opener()  # for writing


def noisy(size, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    return Image.fromarray(pixels)


PLAIN = Image.new("RGB", (2000, 1000), "teal")
NEED = {
    "a.heic": encoded(PLAIN, "HEIF"),
    "b.tif": encoded(PLAIN, "TIFF"),
    "large.jpg": encoded(noisy((2400, 1600)), "JPEG", quality=95),
}
DO_NOT = {
    "small.jpg": jpeg("red", (2000, 1000)),
    "tiny.tif": encoded(Image.new("RGB", (400, 300)), "TIFF"),  # the thumbnail shows all of it
    "large.gif": encoded(noisy((2400, 2000)), "GIF"),  # it may move
}


@pytest.fixture
def previews(monkeypatch):
    monkeypatch.setenv("CLIPSEARCH_PREVIEWS", "1")


def upload(cloud, photos):
    for name, data in photos.items():
        assert cloud.send(*cloud.put(name, data)) == 200
    assert cloud.photos_found() == cloud.in_bucket()


def paths(cloud, *names):
    return {preview_name(name, cloud.in_bucket()[name]) for name in names}


def there(cloud):
    return {name for name in cloud.thumbnail_names() if name.endswith(".jpg")}


def flags(cloud):
    return {name: facts.preview for name, facts in facts_in_index(cloud.index, cloud.space).items()}


def test_the_files_are_of_the_sizes_that_the_test_means():
    assert len(NEED["large.jpg"]) > 4_000_000
    assert len(DO_NOT["large.gif"]) > 4_000_000


@pytest.mark.usefixtures("previews")
def test_heic_tiff_and_large_files_have_one(cloud, caplog):
    caplog.set_level(logging.INFO)
    upload(cloud, NEED)
    assert there(cloud) == paths(cloud, *NEED)
    assert set(flags(cloud).values()) == {True}
    for name, size in (
        ("a.heic", (1600, 800)),
        ("b.tif", (1600, 800)),
        ("large.jpg", (1600, 1067)),
    ):
        [path] = paths(cloud, name)
        with Image.open(io.BytesIO(cloud.thumbnails.read(path))) as preview:
            assert (preview.format, preview.mode, preview.size) == ("JPEG", "RGB", size)
    assert caplog.text.count("preview ") == len(NEED)  # a phase of its own in the log line
    assert cloud.send(*cloud.delete("a.heic")) == 200
    assert there(cloud) == paths(cloud, "b.tif", "large.jpg")


@pytest.mark.usefixtures("previews")
def test_others_have_none(cloud, caplog):
    caplog.set_level(logging.INFO)
    upload(cloud, DO_NOT)
    assert there(cloud) == set()
    assert set(flags(cloud).values()) == {None}
    assert "preview" not in caplog.text


def test_without_the_setting_there_are_none_until_a_reconcile_with_it(cloud, monkeypatch):
    upload(cloud, NEED | DO_NOT)
    cloud.reconcile()
    assert there(cloud) == set()
    vectors = cloud.state()
    monkeypatch.setenv("CLIPSEARCH_PREVIEWS", "1")
    cloud.restart()
    assert cloud.reconcile() == 200
    assert there(cloud) == paths(cloud, *NEED)
    assert flags(cloud) == dict.fromkeys(NEED, True) | dict.fromkeys(DO_NOT)
    assert cloud.state() == vectors
    segments = len(cloud.segments())
    assert cloud.reconcile() == 200
    assert len(cloud.segments()) == segments
    monkeypatch.setenv("CLIPSEARCH_PREVIEWS", "0")
    cloud.restart()
    cloud.reconcile()
    assert there(cloud) == paths(cloud, *NEED)  # they stay
    assert len(cloud.segments()) == segments


@pytest.mark.usefixtures("previews")
@pytest.mark.parametrize(("problem", "flag"), [("UnreadablePhoto", False), ("MemoryError", None)])
def test_a_photo_whose_preview_fails_is_indexed(cloud, monkeypatch, problem, flag):
    from clipsearch import errors

    def fail(data):
        raise MemoryError if problem == "MemoryError" else errors.UnreadablePhoto("no")

    assert cloud.client
    previews = importlib.import_module("ingest.previews")
    real = previews.make_preview
    monkeypatch.setattr(previews, "make_preview", fail)
    upload(cloud, {"b.tif": NEED["b.tif"]})
    assert flags(cloud) == {"b.tif": flag}
    monkeypatch.setattr(previews, "make_preview", real)
    cloud.reconcile()  # only a fault that may pass is tried again
    assert flags(cloud) == {"b.tif": None if flag is None else False} | (
        {"b.tif": True} if flag is None else {}
    )


@pytest.mark.usefixtures("previews")
def test_a_photo_that_goes_while_its_preview_is_made_leaves_none(cloud, monkeypatch):
    [event] = cloud.put("b.tif", NEED["b.tif"])
    assert cloud.client
    previews = importlib.import_module("ingest.previews")
    real = previews.make_preview

    def meanwhile(data):
        [deleted] = cloud.delete("b.tif")
        cloud.deleted = deleted
        return real(data)

    monkeypatch.setattr(previews, "make_preview", meanwhile)
    assert cloud.send(event) == 200
    assert cloud.thumbnail_names() == set()
