"""Another model becomes current while the function answers: not one answer mixes the two."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from clipsearch.model.bundle import publish_bundle
from clipsearch.model.pointer import start_filling, switch_to
from tests.search.conftest import Gallery, classify
from tests.search.test_broken_model import look_at_once
from tests.search.test_fresh import eventually
from tests.support.pictures import png
from tests.support.tiny_bundle import make_tiny_bundle

PHOTOS = {"red": "red", "green": "lime", "blue": "blue", "white": "white"}  # as in filled_folder
WORDS = "the photo of a red picture"
PICTURE = png((200, 90, 30))
LABELS = ["red", "the green", "photo"]


@pytest.fixture
def galleries(gallery, tmp_path):
    """Three models over the same folders; the last one's index is empty."""
    others = [make_tiny_bundle(tmp_path / str(seed), seed=seed) for seed in (1, 2)]
    second, empty = (Gallery(gallery.folder, bundle) for bundle in others)
    second.add(**PHOTOS)
    return gallery, second, empty


def expected(gallery):
    """What the model of `gallery` must answer to each question, from its encoder alone."""
    from tests.support.pictures import jpeg

    encoder = gallery.encoder
    pictures = [encoder.decode(jpeg(colour)).square for colour in PHOTOS.values()]
    photos = encoder.encode_image(pictures)
    picture = encoder.decode(PICTURE).square
    questions = {
        "words": encoder.encode_text([WORDS]).vectors[0],
        "picture": encoder.encode_image([picture])[0],
        "like": photos[0],
    }
    scores = {
        question: {f"{name}.jpg": score for name, score in zip(PHOTOS, photos @ v, strict=True)}
        for question, v in questions.items()
    }
    del scores["like"]["red.jpg"]
    logits = encoder.logits([picture], LABELS).per_image[0]
    return scores | {
        "labels": dict(zip(LABELS, logits, strict=True)),
        "embedding": dict(enumerate(questions["words"])),
    }


def ask(client, question):
    if question == "words":
        return client.get("/", params={"q": WORDS})
    if question == "picture":
        return client.post_image(PICTURE)
    if question == "like":
        return client.get("/?like=red.jpg")
    if question == "labels":
        return classify(client, PICTURE, *LABELS)
    return client.get("/embed", params={"q": WORDS})


def facts(question, answer):
    """(the space that an answer says it is of, its numbers)."""
    if question == "labels":
        return answer["space"], {entry["label"]: entry["logit"] for entry in answer["labels"]}
    if question == "embedding":
        return answer["space"], dict(enumerate(answer["embedding"]))
    return answer["index"]["space"], {r["name"]: r["score"] for r in answer["results"]}


def test_each_answer_under_load_is_of_one_model(galleries, client_of, monkeypatch):
    client = client_of(galleries[0])
    monkeypatch.setattr("search.engine.model.LOOK_FOR_MODEL_EVERY", 0.02)
    wanted = {gallery.space: expected(gallery) for gallery in galleries}
    answers, stop = [], threading.Event()

    def read(question):
        while not stop.is_set():
            answers.append((question, ask(client, question)))

    def served():
        return client.get("/embed?q=red").json()["space"]

    first, second, empty = galleries
    questions = [*wanted[first.space]]
    with ThreadPoolExecutor(len(questions)) as readers:
        reading = [readers.submit(read, question) for question in questions]
        try:
            for current in (first, second, first, empty, second):
                current.publish()
                eventually(lambda space=current.space: served() == space)
                since = len(answers)
                eventually(lambda since=since: len(answers) > since + 3 * len(questions))
        finally:
            stop.set()
    for reader in reading:
        reader.result()

    seen = set()
    for question, response in answers:
        if response.status_code == 503:
            assert question in ("words", "picture", "like"), response.text
            assert response.json()["detail"].startswith("No photos yet.")
            continue
        assert response.status_code == 200, response.text
        space, found = facts(question, response.json())
        right = wanted[space][question]
        assert found.keys() == right.keys()
        for key in right:
            assert abs(found[key] - right[key]) < (1e-3 if question == "labels" else 1e-5)
        seen.add((question, space))
    assert {(q, g.space) for q in questions for g in (first, second)} <= seen
    assert ("words", 503) in {(q, r.status_code) for q, r in answers}


def test_the_numbers_tell_the_models_apart(galleries):
    """Else the test above could not fail."""
    first, second, _ = (expected(gallery) for gallery in galleries)
    for question, numbers in first.items():
        difference = [numbers[key] - second[question][key] for key in numbers]
        assert np.abs(difference).max() > 0.01, question


def test_a_search_begun_with_one_model_ends_with_it(galleries, client_of, monkeypatch):
    """The switch comes after it has found its model, and before it reads the index."""
    first, second, _ = galleries
    client = client_of(first)
    monkeypatch.setattr("search.engine.model.LOOK_FOR_MODEL_EVERY", 0)
    assert client.get("/?q=red").status_code == 200
    from search.engine.state import StateKeeper

    begun, goes_on = threading.Event(), threading.Event()
    state = StateKeeper.state

    def slow(keeper):
        begun.set()
        assert goes_on.wait(60)
        return state(keeper)

    monkeypatch.setattr(StateKeeper, "state", slow)
    with ThreadPoolExecutor(1) as pool:
        answering = pool.submit(ask, client, "words")
        assert begun.wait(60)
        monkeypatch.setattr(StateKeeper, "state", state)
        second.publish()
        eventually(lambda: client.get("/status").json()["space"] == second.space)
        goes_on.set()
        space, found = facts("words", answering.result().json())
    assert space == first.space
    assert found == pytest.approx(expected(first)["words"], abs=1e-5)


def test_a_cold_instance_finds_the_index_of_a_new_model_empty(galleries, client_of):
    empty = galleries[2]
    empty.publish()
    client = client_of(empty)
    assert client.get("/?q=red").status_code == 503
    assert client.get("/embed?q=red").json()["space"] == empty.space
    empty.add(red="red")
    eventually(lambda: client.get("/?q=red").status_code == 200)


def test_after_a_switch_to_an_empty_index_the_model_before_answers(
    galleries, client_of, monkeypatch
):
    """Instances that were there and new ones alike, until the first photo is indexed."""
    first, _, empty = galleries
    publish_bundle(empty.bundle, empty.index, make_current=False)
    warm = client_of(first)
    look_at_once(monkeypatch)
    assert warm.get("/?q=red").json()["index"]["space"] == first.space
    switch_to(empty.index, empty.space)
    assert warm.get("/?q=red").json()["index"]["space"] == first.space
    refused = warm.get("/status").json()["refused_model"]
    assert refused["space"] == empty.space
    assert "No photos yet" in refused["reason"]

    cold = client_of(first)
    look_at_once(monkeypatch)
    for question in ("words", "picture", "like", "labels", "embedding"):
        response = ask(cold, question)
        assert response.status_code == 200
        assert facts(question, response.json())[0] == first.space
    empty.add(red="red")
    for client in (warm, cold):
        assert client.get("/?q=red").json()["index"]["space"] == empty.space


def test_a_model_that_is_being_filled_does_not_answer(galleries, client_of, monkeypatch):
    first, second, _ = galleries
    publish_bundle(second.bundle, second.index, make_current=False)
    client = client_of(first)
    look_at_once(monkeypatch)
    start_filling(second.index, second.space)
    assert client.get("/?q=red").json()["index"]["space"] == first.space
    assert client_of(first).get("/?q=red").json()["index"]["space"] == first.space


def test_a_cursor_of_the_model_before_is_no_server_error(galleries, client_of, monkeypatch):
    first, second, _ = galleries
    publish_bundle(second.bundle, second.index, make_current=False)
    client = client_of(first)
    look_at_once(monkeypatch)
    cursor = client.get("/?q=red&limit=1").json()["next_cursor"]
    switch_to(second.index, second.space)
    eventually(lambda: client.get("/status").json()["space"] == second.space)
    response = client.get("/", params={"q": "red", "limit": 1, "cursor": cursor})
    assert response.status_code == 400
    assert "or to an earlier model" in response.json()["detail"]
