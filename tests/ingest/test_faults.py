"""Infrastructure that fails: the event is answered 500, and nothing is lost when it comes again."""

import logging
import shutil

import pytest

from clipsearch.index.format.entries import Kind
from clipsearch.model.bundle import publish_bundle
from tests.support.pictures import jpeg


@pytest.fixture
def event(cloud):
    [event] = cloud.put("a.jpg", jpeg("red", (400, 300)))
    return event


def break_folder(cloud, name):
    """Put a file where the folder is: nothing can be read or written there."""
    folder = cloud.root / name
    if folder.exists():
        folder.rename(cloud.root / f"{name}-kept")
    folder.write_bytes(b"")


def mend_folder(cloud, name):
    (cloud.root / name).unlink()
    if (cloud.root / f"{name}-kept").exists():
        (cloud.root / f"{name}-kept").rename(cloud.root / name)


@pytest.mark.parametrize("folder", ["index", "thumbnails"])
def test_an_upload_is_not_acknowledged_before_it_is_durable(cloud, event, folder, caplog):
    assert cloud.client
    break_folder(cloud, folder)
    assert cloud.send(event) == 500
    [record] = [r for r in caplog.records if r.name == "clipsearch"]
    assert record.levelno == logging.ERROR
    assert "will be delivered again" in record.getMessage()
    mend_folder(cloud, folder)
    assert cloud.send(event) == 200
    assert cloud.photos_found() == {"a.jpg": event.generation}
    assert cloud.has_thumbnail(event)


@pytest.mark.parametrize("folder", ["index", "thumbnails"])
def test_a_delete_is_not_acknowledged_before_it_is_durable(cloud, event, folder):
    cloud.send(event)
    [deleted] = cloud.delete("a.jpg")
    break_folder(cloud, folder)
    assert cloud.send(deleted) == (500 if folder == "index" else 200)  # else it has no thumbnail
    mend_folder(cloud, folder)
    assert cloud.send(deleted) == 200
    assert cloud.photos_found() == {}
    assert not cloud.has_thumbnail(event)


def test_a_failure_is_not_acknowledged_before_it_is_durable(cloud):
    [event] = cloud.put("notes.jpg", b"Dear photo,")
    cloud.send(event)
    shutil.rmtree(cloud.root / "index" / cloud.space)
    (cloud.root / "index" / cloud.space).write_bytes(b"")
    assert cloud.send(event) == 500
    (cloud.root / "index" / cloud.space).unlink()
    assert cloud.send(event) == 200
    assert cloud.state() == {"notes.jpg": (Kind.FAILURE, event.generation)}


def test_without_a_model_the_event_comes_again(cloud, event, model_folder):
    shutil.rmtree(cloud.root / "index")
    assert cloud.send(event) == 500
    publish_bundle(model_folder, cloud.index)
    assert cloud.send(event) == 200
    assert cloud.photos_found() == {"a.jpg": event.generation}


def test_with_a_damaged_model_nothing_is_indexed(cloud, event):
    weights = cloud.root / "index" / "models" / cloud.space / "image.onnx.data"
    good = weights.read_bytes()
    weights.write_bytes(bytes([good[0] ^ 1]) + good[1:])
    assert cloud.send(event) == 500
    assert cloud.state() == {}
    weights.write_bytes(good)
    assert cloud.send(event) == 200
    assert cloud.photos_found() == {"a.jpg": event.generation}


def test_wrong_settings_are_an_error_that_names_them(cloud, event, monkeypatch, caplog):
    monkeypatch.setenv("CLIPSEARCH_INDEX", "s3://elsewhere")
    assert cloud.send(event) == 500
    assert "CLIPSEARCH_INDEX is 's3://elsewhere'" in caplog.text
