"""Models that change, or are not whole, while events come: nothing is mixed, nothing lost."""

import itertools
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.index.search.photo_index import PhotoIndex
from clipsearch.model.bundle import digest_in, publish_bundle
from clipsearch.model.encoder import Encoder
from tests.support.pictures import jpeg
from tests.support.tiny_bundle import make_tiny_bundle


@pytest.fixture(autouse=True)
def no_waiting(cloud, monkeypatch):
    """Every event looks for the current model."""
    assert cloud.client
    import ingest.services

    monkeypatch.setattr(ingest.services, "LOOK_FOR_MODEL_EVERY", 0.0)


def vectors_of(cloud, space):
    """{name: vector} of the photos in the index of `space`."""
    snapshot = SnapshotReader(cloud.index, space).refresh()
    index = PhotoIndex()
    index.update(snapshot)
    entries = snapshot.entries
    names = [entries.name(row) for row in range(len(entries))]
    return {name: index.vector_of(name) for name in names}


def test_each_photo_is_in_the_space_of_the_model_that_saw_it(cloud, model_folder, tmp_path):
    folders = [model_folder, make_tiny_bundle(tmp_path / "other", seed=1)]
    colours = ["red", "lime", "blue", "gold"]
    events = [
        event
        for number in range(40)
        for event in cloud.put(f"{number}.jpg", jpeg(colours[number % 4]))
    ]
    done = threading.Event()

    def switch():
        for folder in itertools.cycle(folders):
            publish_bundle(folder, cloud.index)
            if done.wait(0.02):
                return

    with ThreadPoolExecutor(4) as pool:
        switching = pool.submit(switch)
        try:
            assert set(pool.map(cloud.send, events)) == {200}
        finally:
            done.set()
        switching.result()

    found = []
    for folder in folders:
        encoder = Encoder.from_folder(folder)
        vectors = vectors_of(cloud, encoder.space)
        for name, vector in vectors.items():
            image = encoder.decode((cloud.root / "photos" / name).read_bytes()).square
            np.testing.assert_allclose(vector, encoder.encode_image([image])[0], atol=1e-6)
        assert vectors  # both had their turn
        found += vectors
    assert sorted(found) == sorted(event.name for event in events)


def cut(path):
    path.write_bytes(path.read_bytes()[:-10])


@pytest.mark.parametrize("is_successor", [False, True], ids=["first", "successor"])
@pytest.mark.parametrize(
    ("file", "spoil"),
    [
        ("image.onnx.data", cut),
        ("image.onnx", lambda path: path.unlink()),
        ("model.json", cut),
        ("model.json", lambda path: path.unlink()),
    ],
    ids=["cut", "missing", "model.json cut", "model.json missing"],
)
def test_with_a_model_that_is_not_whole_events_come_again(
    cloud, tmp_path, caplog, file, spoil, is_successor
):
    if is_successor:
        [event] = cloud.put("before.jpg", jpeg())
        assert cloud.send(event) == 200
        other = make_tiny_bundle(tmp_path / "other", seed=1)
        cloud.space = publish_bundle(other, cloud.index)
    path = cloud.root / "index" / "models" / cloud.space / file
    whole = path.read_bytes()
    spoil(path)
    [event] = cloud.put("a.jpg", jpeg("red"))
    for _ in range(2):
        assert cloud.send(event) == 500
    assert "will be delivered again" in caplog.text
    assert cloud.space in caplog.text
    assert cloud.state() == {}  # no failure entry: the photo is not at fault

    path.write_bytes(whole)
    assert cloud.send(event) == 200
    assert cloud.photos_found() == {"a.jpg": event.generation}


def test_with_a_pointer_to_a_model_that_is_not_there_events_come_again(cloud, tmp_path):
    other = make_tiny_bundle(tmp_path / "other", seed=1)
    cloud.space = Encoder.from_folder(other).space
    pointer = json.dumps({"space": cloud.space}).encode()
    cloud.index.create("models/current/000000000002.json", pointer)
    [event] = cloud.put("a.jpg", jpeg("red"))
    assert cloud.send(event) == 500
    publish_bundle(other, cloud.index)
    assert cloud.send(event) == 200
    assert cloud.photos_found() == {"a.jpg": event.generation}


def test_with_a_model_that_is_not_allowed_events_come_again(
    cloud, model_folder, monkeypatch, caplog
):
    [event] = cloud.put("a.jpg", jpeg("red"))
    with monkeypatch.context() as context:
        context.setenv("CLIPSEARCH_MODEL_SHA256", "0" * 64)
        cloud.restart()
        assert cloud.send(event) == 500
        assert "CLIPSEARCH_MODEL_SHA256 allows only" in caplog.text
        assert cloud.state() == {}
    monkeypatch.setenv("CLIPSEARCH_MODEL_SHA256", digest_in(model_folder))
    cloud.restart()
    assert cloud.send(event) == 200
    assert cloud.photos_found() == {"a.jpg": event.generation}
