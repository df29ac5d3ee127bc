"""Which model `ingest` uses, and which half of it."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from clipsearch.index.format.entries import Kind
from clipsearch.model.bundle import publish_bundle
from tests.support.pictures import jpeg
from tests.support.tiny_bundle import make_tiny_bundle


@pytest.fixture
def other_model(tmp_path):
    return make_tiny_bundle(tmp_path / "other-model", seed=1)


@pytest.fixture
def no_waiting(cloud, monkeypatch):
    """Every event looks for the current model."""
    assert cloud.client
    import ingest.services

    monkeypatch.setattr(ingest.services, "LOOK_FOR_MODEL_EVERY", 0.0)


def test_the_text_encoder_is_never_loaded(cloud):
    for name, data in [("a.jpg", jpeg()), ("b.jpg", b"no photo")]:
        [event] = cloud.put(name, data)
        cloud.send(event)
        cloud.send(*cloud.delete(name))
    assert cloud.services.model.encoder().loaded == {"image"}


def test_nothing_is_loaded_for_a_delete(cloud):
    cloud.put("a.jpg", jpeg())
    cloud.send(*cloud.delete("a.jpg"))
    assert cloud.services.model.encoder().loaded == set()


def test_the_text_encoders_files_are_not_even_needed(cloud):
    for path in (cloud.root / "index" / "models" / cloud.space).glob("text.*"):
        path.unlink()
    [event] = cloud.put("a.jpg", jpeg())
    assert cloud.send(event) == 200


@pytest.mark.usefixtures("no_waiting")
def test_a_switch_of_the_model_is_picked_up(cloud, other_model):
    [first] = cloud.put("a.jpg", jpeg("red"))
    cloud.send(first)
    old, cloud.space = cloud.space, publish_bundle(other_model, cloud.index)
    assert cloud.space != old
    [second] = cloud.put("b.jpg", jpeg("blue"))
    cloud.send(second)
    assert list(cloud.photos_found()) == ["b.jpg"]
    cloud.send(*cloud.delete("b.jpg"))
    assert cloud.state()["b.jpg"][0] == Kind.TOMBSTONE
    cloud.space = old
    assert list(cloud.photos_found()) == ["a.jpg"]


@pytest.mark.usefixtures("no_waiting")
def test_a_fixed_model_stays(cloud, other_model, monkeypatch):
    monkeypatch.setenv("CLIPSEARCH_MODEL", cloud.space)
    publish_bundle(other_model, cloud.index)
    [event] = cloud.put("a.jpg", jpeg())
    cloud.send(event)
    assert list(cloud.photos_found()) == ["a.jpg"]


def test_many_events_at_once_share_one_encoder(cloud):
    events = [event for n in range(12) for event in cloud.put(f"{n}.jpg", jpeg())]
    assert cloud.client
    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(cloud.send, events)) == {200}
    assert len(cloud.photos_found()) == 12
