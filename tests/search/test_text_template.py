"""A model with a text template: each endpoint that takes a text puts it into the template."""

import dataclasses
import shutil

import numpy as np
import pytest

from clipsearch.model.bundle import MODEL_JSON, read_bundle
from clipsearch.model.encoder import Encoder
from clipsearch.model.variants import Variant
from tests.search.conftest import Gallery, classify
from tests.search.test_errors import assert_problem
from tests.support.pictures import jpeg, png

TEMPLATE = "the black photo of {}"


@pytest.fixture
def templated(gallery, tiny_bundle, tmp_path):
    """The same photos and space; the published model has the template."""
    folder = shutil.copytree(tiny_bundle, tmp_path / "templated")
    bundle = read_bundle(folder).bundle
    bundle = dataclasses.replace(bundle, variant=Variant(text_template=TEMPLATE))
    (folder / MODEL_JSON).write_bytes(bundle.to_json())
    gallery.index.delete(f"models/{gallery.space}/{MODEL_JSON}")
    with_template = Gallery(gallery.folder, folder)
    with_template.publish()
    assert with_template.space == gallery.space
    return with_template


@pytest.fixture
def usual(tiny_bundle):
    return Encoder.from_folder(tiny_bundle)


def test_every_endpoint_with_a_text_uses_it(templated, client_of, usual):
    client = client_of(templated)
    [wanted] = usual.encode_text(["the black photo of red"]).vectors
    embedding = client.get("/embed?q=red").json()["embedding"]
    np.testing.assert_allclose(embedding, wanted, atol=1e-6)

    answer = classify(client, png("red"), "red", "blue").json()["labels"]
    logits = {entry["label"]: entry["logit"] for entry in answer}
    [cosine] = usual.encode_image([usual.decode(png("red")).square]) @ wanted
    assert logits["red"] == pytest.approx(usual.logit_scale * cosine, abs=1e-3)

    scores = {hit["name"]: hit["score"] for hit in client.get("/?q=red").json()["results"]}
    [cosine] = usual.encode_image([usual.decode(jpeg("red")).square]) @ wanted
    assert scores["red.jpg"] == pytest.approx(cosine, abs=1e-5)


@pytest.mark.parametrize("query", [{"q": "red"}, {"like": "red.jpg", "not": "blue"}], ids=str)
def test_a_cursor_of_another_template_is_refused(gallery, client_of, templated, query):
    cursor = client_of(templated).get("/", params={**query, "limit": 2}).json()["next_cursor"]
    following = {**query, "limit": 2, "cursor": cursor}
    assert client_of(templated).get("/", params=following).status_code == 200
    gallery.index.delete(f"models/{gallery.space}/{MODEL_JSON}")
    gallery.publish()
    again = client_of(gallery).get("/", params=following)
    assert_problem(again, 400, "cursor belongs to another query, filter or order")
