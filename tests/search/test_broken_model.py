"""A bundle that is damaged or not complete: a 503 that says so, or the model before goes on."""

import json
import logging
import sys

import pytest

from clipsearch.model.bundle import digest_in
from tests.search.conftest import Gallery, classify
from tests.search.test_errors import assert_problem
from tests.search.test_fresh import eventually
from tests.support.pictures import png
from tests.support.tiny_bundle import make_tiny_bundle


def cut(path):
    path.write_bytes(path.read_bytes()[:-10])


def flip(path):
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def remove(path):
    path.unlink()


FAULTS = [
    ("text.onnx.data", flip, "its SHA-256 is"),
    ("text.onnx.data", cut, "bytes; model.json says|its SHA-256 is"),
    ("text.onnx", remove, "missing, but model.json lists it"),
    ("tokenizer.json", remove, "missing, but model.json lists it"),
    ("model.json", cut, "not a model.json"),
    ("model.json", remove, "its upload is incomplete"),
]
named = pytest.mark.parametrize(
    ("file", "spoil", "said"), FAULTS, ids=[f"{f} {s.__name__}" for f, s, _ in FAULTS]
)


class Spoiled:
    """A file of the bundle of `gallery` in the bucket, spoiled until `heal`."""

    def __init__(self, gallery, file, spoil):
        self._path = gallery.folder / "index" / "models" / gallery.space / file
        self._data = self._path.read_bytes()
        spoil(self._path)

    def heal(self):
        self._path.write_bytes(self._data)


def assert_said(text, said):
    assert any(part in text for part in said.split("|")), text


@named
def test_at_the_start_it_is_a_503_until_the_bundle_is_whole(gallery, client_of, file, spoil, said):
    spoiled = Spoiled(gallery, file, spoil)
    client = client_of(gallery)
    for response in (
        client.get("/?q=red"),
        client.get("/embed?q=red"),
        classify(client, png("red"), "red", "blue"),
        client.get("/?q=red"),
    ):
        assert_problem(response, 503, "")
        assert int(response.headers["retry-after"]) > 0
        assert_said(response.json()["detail"], said)
        assert str(gallery.folder) not in response.text
        if file != "model.json" or spoil is cut:
            assert f"models/{gallery.space}/{file}" in response.json()["detail"]
    assert client.get("/health").status_code == 200

    spoiled.heal()
    eventually(lambda: client.get("/?q=red").status_code == 200)
    assert classify(client, png("red"), "red", "blue").json()["labels"][0]["label"] == "red"


@pytest.fixture
def successor(gallery, tmp_path):
    """Another model over the same folders, whole but not current."""
    from clipsearch.model.bundle import publish_bundle

    other = Gallery(gallery.folder, make_tiny_bundle(tmp_path / "other", seed=1))
    other.add(scarlet="red")
    publish_bundle(other.bundle, other.index, make_current=False)
    return other


def point_to(gallery):
    """As somebody does who copies a bundle by hand and does not wait for its end."""
    pointer = json.dumps({"space": gallery.space}).encode()
    gallery.index.create("models/current/000000000002.json", pointer)


def look_at_once(monkeypatch):
    """Every request looks for the current model, and tries one that was refused."""
    monkeypatch.setattr("search.engine.model.LOOK_FOR_MODEL_EVERY", 0)
    monkeypatch.setattr("search.engine.model.TRY_REFUSED_EVERY", 0)


def asked(client):
    return [
        client.get("/?q=red"),
        client.post_image(png("red")),
        client.get("/?like=red.jpg"),
        classify(client, png("red"), "red", "blue"),
        client.get("/status"),
    ]


def spaces(responses):
    assert [r.status_code for r in responses] == [200] * len(responses), responses[-1].text
    answers = [response.json() for response in responses]
    return {a["index"]["space"] if "index" in a else a["space"] for a in answers}


IMAGE_FAULTS = [
    ("image.onnx.data", flip, "its SHA-256 is"),
    ("image.onnx", remove, "missing, but model.json lists it"),
]


@pytest.mark.parametrize(
    ("file", "spoil", "said"),
    FAULTS + IMAGE_FAULTS,
    ids=[f"{f} {s.__name__}" for f, s, _ in FAULTS + IMAGE_FAULTS],
)
def test_a_broken_successor_leaves_the_model_that_serves(
    gallery, successor, client_of, monkeypatch, caplog, file, spoil, said
):
    client = client_of(gallery)
    look_at_once(monkeypatch)
    assert spaces(asked(client)) == {gallery.space}

    spoiled = Spoiled(successor, file, spoil)
    point_to(successor)
    with caplog.at_level(logging.WARNING, "clipsearch"):
        for _ in range(2):
            assert spaces(asked(client)) == {gallery.space}
    assert "could not refresh the model" in caplog.text
    assert f"the model of space {successor.space} is refused: " in caplog.text  # an alert's words
    refused = client.get("/status").json()["refused_model"]
    assert refused["space"] == successor.space
    assert_said(refused["reason"], said)
    assert str(gallery.folder) not in refused["reason"]

    spoiled.heal()
    assert client.get("/?q=red").json()["index"]["space"] == successor.space
    status = client.get("/status").json()
    assert status["space"] == successor.space
    assert "refused_model" not in status


def test_a_file_nobody_used_yet_must_be_there_too(gallery, successor, client_of, monkeypatch):
    """Only words were asked for, and still a model without its image encoder is not taken."""
    client = client_of(gallery)
    look_at_once(monkeypatch)
    assert client.get("/?q=red").status_code == 200
    spoiled = Spoiled(successor, "image.onnx.data", cut)
    point_to(successor)
    assert client.get("/?q=red").json()["index"]["space"] == gallery.space
    assert client.post_image(png("red")).json()["index"]["space"] == gallery.space
    spoiled.heal()
    assert client.post_image(png("red")).json()["index"]["space"] == successor.space


def test_a_successor_whose_index_cannot_be_read_is_not_taken(
    gallery, successor, client_of, monkeypatch
):
    client = client_of(gallery)
    look_at_once(monkeypatch)
    assert client.get("/?q=red").status_code == 200
    segment = next((gallery.folder / "index" / successor.space).rglob("*.npz"))
    segment.write_bytes(b"damaged")
    point_to(successor)
    assert client.get("/?q=red").json()["index"]["space"] == gallery.space
    assert "segments/" in client.get("/status").json()["refused_model"]["reason"]


def test_a_refused_model_is_not_downloaded_again_and_again(
    gallery, successor, client_of, monkeypatch
):
    client = client_of(gallery)
    monkeypatch.setattr("search.engine.model.LOOK_FOR_MODEL_EVERY", 0)
    assert client.get("/?q=red").status_code == 200
    spoiled = Spoiled(successor, "text.onnx.data", flip)
    point_to(successor)
    assert client.get("/?q=red").json()["index"]["space"] == gallery.space
    spoiled.heal()
    for _ in range(3):
        assert client.get("/?q=red").json()["index"]["space"] == gallery.space
    assert "SHA-256" in client.get("/status").json()["refused_model"]["reason"]
    monkeypatch.setattr("search.engine.model.TRY_REFUSED_EVERY", 0)
    assert client.get("/?q=red").json()["index"]["space"] == successor.space


def test_pointing_back_ends_the_refusal(gallery, successor, client_of, monkeypatch):
    client = client_of(gallery)
    look_at_once(monkeypatch)
    assert client.get("/?q=red").status_code == 200
    Spoiled(successor, "model.json", remove)
    point_to(successor)
    assert client.get("/status").json()["refused_model"]["space"] == successor.space
    gallery.publish()
    assert "refused_model" not in client.get("/status").json()


def test_a_pointer_that_is_damaged_or_gone_leaves_the_model_too(gallery, client_of, monkeypatch):
    client = client_of(gallery)
    look_at_once(monkeypatch)
    assert client.get("/?q=red").status_code == 200
    [pointer] = (gallery.folder / "index/models/current").glob("*.json")
    pointer.write_bytes(b"{")
    assert client.get("/?q=red").status_code == 200
    pointer.unlink()
    assert client.get("/?q=blue").status_code == 200


def test_a_pointer_to_a_bundle_that_comes_later_is_a_503_until_it_is_there(
    empty_gallery, client_of
):
    point_to(empty_gallery)
    empty_gallery.add(red="red")
    client = client_of(empty_gallery)
    assert_problem(client.get("/?q=red"), 503, "its upload is incomplete")
    assert_problem(client.get("/status"), 503, "its upload is incomplete")
    empty_gallery.publish()
    eventually(lambda: client.get("/?q=red").status_code == 200)


def test_a_successor_is_as_ready_as_the_model_before_and_no_more(
    gallery, successor, client_of, monkeypatch
):
    """No request waits for encoders twice, and words still load no image encoder."""
    client = client_of(gallery)
    look_at_once(monkeypatch)
    assert client.get("/?q=red").status_code == 200
    point_to(successor)
    timing = client.get("/?q=blue").json()["timing_ms"]
    assert timing["encode"] > 0  # else it would have counted as loading
    model = sys.modules["search.resources"]._make_service()._keeper.model()
    assert model.space == successor.space
    assert model.encoder.loaded == {"text"}


def test_a_model_that_is_not_allowed_is_not_taken(gallery, successor, client_of, monkeypatch):
    """CLIPSEARCH_MODEL_SHA256 has the digest of the present model only."""
    client = client_of(gallery, CLIPSEARCH_MODEL_SHA256=digest_in(gallery.bundle))
    look_at_once(monkeypatch)
    assert spaces(asked(client)) == {gallery.space}
    point_to(successor)
    assert spaces(asked(client)) == {gallery.space}
    refused = client.get("/status").json()["refused_model"]
    assert refused["space"] == successor.space
    assert "CLIPSEARCH_MODEL_SHA256 allows only" in refused["reason"]

    both = ",".join(digest_in(one.bundle) for one in (gallery, successor))
    client = client_of(gallery, CLIPSEARCH_MODEL_SHA256=both)
    assert client.get("/?q=red").json()["index"]["space"] == successor.space


def test_without_an_allowed_model_it_is_a_503_that_names_the_setting(gallery, client_of):
    client = client_of(gallery, CLIPSEARCH_MODEL_SHA256="0" * 64)
    response = client.get("/?q=red")
    assert_problem(response, 503, "CLIPSEARCH_MODEL_SHA256 allows only")
    assert digest_in(gallery.bundle) in response.json()["detail"]
