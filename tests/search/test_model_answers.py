"""POST /classify and /embed: what the model makes of a picture or a text, without any index."""

import dataclasses
import math
import shutil
import sys

import httpx
import numpy as np
import pytest
from PIL import Image

from clipsearch.model.bundle import MODEL_JSON, read_bundle, space_of
from clipsearch.model.variants import Padding, Variant
from tests.search.conftest import Gallery, classify, form
from tests.search.test_errors import MEGABYTES_20, assert_problem
from tests.support.function_server import PATIENCE
from tests.support.pictures import encoded, jpeg, png, turning


@pytest.fixture
def model_client(empty_gallery, client_of):
    """A model is there, and no photo was ever indexed."""
    empty_gallery.publish()
    return client_of(empty_gallery)


def labels_of(response):
    assert response.status_code == 200, response.text
    return [entry["label"] for entry in response.json()["labels"]]


def vector_of(response):
    assert response.status_code == 200, response.text
    return np.array(response.json()["embedding"], np.float32)


def test_the_label_that_the_picture_shows_is_the_most_probable(model_client):
    labels = ["blue", " a photo of the red ", "green"]
    response = classify(model_client, jpeg("red"), *labels)
    assert labels_of(response)[0] == "a photo of the red"
    assert labels_of(classify(model_client, png("blue"), *labels))[0] == "blue"


def test_logits_are_those_of_the_encoder_and_probabilities_their_softmax(
    empty_gallery, model_client
):
    labels = ["red", "green", "the photo and a picture", "black"]
    picture = png((200, 30, 90))
    answer = classify(model_client, picture, *labels).json()
    assert answer["space"] == empty_gallery.space
    assert answer["model"] == "tiny-0"
    image = empty_gallery.encoder.decode(picture).square
    logits = empty_gallery.encoder.logits([image], labels).per_image[0].astype(float)
    odds = np.exp(logits)
    wanted = sorted(zip(labels, logits, odds / odds.sum(), strict=True), key=lambda row: -row[1])
    for entry, (label, logit, probability) in zip(answer["labels"], wanted, strict=True):
        assert entry["label"] == label
        assert entry["logit"] == pytest.approx(logit, abs=1e-3)
        assert entry["probability"] == pytest.approx(probability, abs=1e-4)
    assert sum(entry["probability"] for entry in answer["labels"]) == pytest.approx(1, abs=1e-4)


def test_siglip_gives_each_label_a_probability_of_its_own(tiny_bundle, tmp_path, client_of):
    folder = shutil.copytree(tiny_bundle, tmp_path / "siglip")
    bundle = read_bundle(folder).bundle
    variant = Variant("siglip", padding=Padding(1, 4))  # the tiny model reads no padding
    facts = {name: getattr(bundle, name) for name in ("dim", "context_length", "image_size")}
    space = space_of(bundle.files, mean=bundle.mean, std=bundle.std, variant=variant, **facts)
    siglip = dataclasses.replace(
        bundle, space=space, variant=variant, logit_scale=20.0, logit_bias=-9.5
    )
    (folder / MODEL_JSON).write_bytes(siglip.to_json())
    gallery = Gallery(tmp_path / "gallery", folder)
    gallery.publish()

    labels = ["red", "green", "a photo of the red", "black"]
    answer = classify(client_of(gallery), png((200, 30, 90)), *labels).json()["labels"]
    image = gallery.encoder.decode(png((200, 30, 90))).square
    cosines = gallery.encoder.encode_image([image]) @ gallery.encoder.encode_text(labels).vectors.T
    wanted = dict(zip(labels, (20 * cosines[0] - 9.5).tolist(), strict=True))
    for entry in answer:
        logit = wanted[entry["label"]]
        assert entry["logit"] == pytest.approx(logit, abs=1e-3)
        assert entry["probability"] == pytest.approx(1 / (1 + math.exp(-logit)), abs=1e-5)
    assert [entry["label"] for entry in answer] == sorted(labels, key=lambda label: -wanted[label])


def test_a_hundred_labels_are_answered_and_may_stand_in_the_address(model_client):
    labels = [f"photo {number} of red" for number in range(100)]
    assert set(labels_of(classify(model_client, png("red"), *labels))) == set(labels)
    mixed = model_client.post(
        "/classify?label=red&label=blue",
        files={"image": png("red")},
        data={"label": "green"},
    )
    assert labels_of(mixed) == labels_of(classify(model_client, png("red"), "red", "blue", "green"))


def test_several_pictures_are_answered_each_and_in_their_order(empty_gallery, model_client):
    labels = ["red", "green", "blue"]
    pictures = [png("blue"), jpeg("red"), png((200, 30, 90)), png("lime")]
    answer = classify(model_client, pictures, *labels).json()
    assert list(answer) == ["images", "space", "model", "timing_ms"]
    best = [entry["labels"][0]["label"] for entry in answer["images"]]
    assert (best[0], best[1], best[3]) == ("blue", "red", "green")
    squares = [empty_gallery.encoder.decode(picture).square for picture in pictures]
    logits = empty_gallery.encoder.logits(squares, labels).per_image
    for entry, picture, row in zip(answer["images"], pictures, logits, strict=True):
        alone = classify(model_client, picture, *labels).json()["labels"]
        for one, other in zip(entry["labels"], alone, strict=True):
            assert one["label"] == other["label"]
            assert one["logit"] == pytest.approx(other["logit"], abs=1e-3)
            assert one["logit"] == pytest.approx(row[labels.index(one["label"])], abs=1e-3)
            assert one["probability"] == pytest.approx(other["probability"], abs=1e-4)


def test_the_server_of_the_cloud_answers_several_pictures(server):
    files = [("image", ("a", png("lime"))), ("image", ("b", jpeg("red")))]
    answer = httpx.post(
        f"{server}/classify?label=red&label=green", files=files, timeout=PATIENCE
    ).json()
    best = [entry["labels"][0]["label"] for entry in answer["images"]]
    assert best == ["green", "red"]


def test_eight_pictures_are_answered_and_nine_are_a_400(model_client):
    answer = classify(model_client, [png("red")] * 8, "red", "blue")
    assert [entry["labels"][0]["label"] for entry in answer.json()["images"]] == ["red"] * 8
    refused = classify(model_client, [png("red")] * 9, "red", "blue")
    assert_problem(refused, 400, "parameter image is given more than 8 times")


def test_each_picture_is_decoded_once_and_each_label_encoded_once(model_client, monkeypatch):
    classify(model_client, png("red"), "red", "blue")
    decoded, encoded = [], []
    encoder = sys.modules["clipsearch.model.encoder"].Encoder
    decode, encode_text = encoder.square, encoder.encode_text
    monkeypatch.setattr(
        encoder, "square", lambda self, data: decoded.append(data) or decode(self, data)
    )
    monkeypatch.setattr(
        encoder,
        "encode_text",
        lambda self, texts: encoded.extend(texts) or encode_text(self, texts),
    )
    pictures = [png("red"), png("blue"), png("lime")]
    assert classify(model_client, pictures, "red", "green", "blue").status_code == 200
    assert decoded == pictures
    assert encoded == ["green"]


def test_of_several_pictures_the_one_that_is_none_is_named(model_client):
    refused = classify(model_client, [png("red"), b"words", png("blue")], "red", "blue")
    assert_problem(refused, 422, "image 2: ")
    assert "not a picture" in refused.json()["detail"]


def test_several_pictures_together_are_bounded(model_client):
    half = jpeg("red") + bytes(MEGABYTES_20 // 2 + 200_000)
    refused = classify(model_client, [half, half], "red", "blue")
    assert_problem(refused, 413, "all pictures together may have at most 20,000,000 bytes")


def test_a_label_that_is_cut_is_said(model_client):
    assert "truncated" not in classify(model_client, png("red"), "red", "blue").json()
    assert classify(model_client, png("red"), "red", "blue " * 50).json()["truncated"] is True


def test_the_vector_of_a_text_and_of_a_picture_are_the_encoders(empty_gallery, model_client):
    encoder = empty_gallery.encoder
    by_address = model_client.get("/embed?q=a+red+photo")
    wanted = encoder.encode_text(["a red photo"]).vectors[0]
    assert (vector_of(by_address) == wanted).all()  # to the last bit
    answer = by_address.json()
    assert (answer["dim"], answer["space"]) == (len(wanted), empty_gallery.space)
    assert "truncated" not in answer

    picture = png((10, 200, 90))
    posted = model_client.post("/embed", files={"image": picture})
    wanted = encoder.encode_image([encoder.decode(picture).square])[0]
    assert (vector_of(posted) == wanted).all()

    words = model_client.post("/embed", **form(("q", None, b"a red photo"), ("image", "", b"")))
    assert (vector_of(words) == vector_of(by_address)).all()


def test_a_text_that_is_cut_is_said(model_client):
    assert model_client.get("/embed", params={"q": "red " * 50}).json()["truncated"] is True


def test_an_upright_picture_and_a_turned_one_have_one_vector(model_client):
    """As in a search: EXIF orientation is applied."""
    picture = Image.new("RGB", (60, 40), "red")
    picture.paste("blue", (0, 0, 60, 20))

    def posted(image, **options):
        return vector_of(model_client.post("/embed", files={"image": encoded(image, **options)}))

    turned = picture.transpose(Image.Transpose.ROTATE_90)
    np.testing.assert_allclose(posted(turned, exif=turning(6)), posted(picture), atol=1e-6)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([], "label is given 0 times; give 2 to 100 labels"),
        (["red"], "given 1 times"),
        ([f"red {n}" for n in range(101)], "given 101 times"),
        (["red", " "], "label is empty"),
        (["red", "blue", " red"], "label 'red' is given more than once"),
    ],
    ids=["none", "one", "101", "empty", "twice"],
)
def test_wrong_labels_are_a_400(client, labels, said):
    assert_problem(classify(client, png("red"), *labels), 400, said)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ([("label", None, b"red"), ("label", None, b"blue")], "nothing to classify"),
        ([("labels", None, b"red"), ("image", "a", png("red"))], "unknown parameter 'labels'"),
        ([("label", None, b"red"), ("picture", "a", png("red"))], "unknown file 'picture'"),
    ],
)
def test_a_bad_form_to_classify_is_a_400(client, fields, said):
    assert_problem(client.post("/classify", **form(*fields)), 400, said)


@pytest.mark.parametrize(
    ("method", "path", "options", "said"),
    [
        ("GET", "/embed", {}, "nothing to embed"),
        ("GET", "/embed?q=%20", {}, "nothing to embed"),
        ("GET", "/embed?q=red&limit=3", {}, "unknown parameter 'limit'; allowed: q"),
        ("GET", "/embed?q=red&q=blue", {}, "q is given more than once"),
        ("POST", "/embed", form(), "nothing to embed"),
        (
            "POST",
            "/embed?q=red",
            form(("image", "a", png("red"))),
            "q and image cannot be combined",
        ),
        ("POST", "/embed?q=red", form(("q", None, b"red")), "q is given more than once"),
        ("POST", "/embed", form(("image", None, b"red")), "it must be a file"),
        (
            "POST",
            "/embed",
            form(*[("image", "a", png("red"))] * 2),
            "image is given more than once",
        ),
    ],
)
def test_a_bad_request_to_embed_is_a_400(client, method, path, options, said):
    assert_problem(client.request(method, path, **options), 400, said)


@pytest.mark.parametrize("path", ["/classify?label=red&label=blue", "/embed"])
def test_pictures_are_refused_as_in_a_search(client, path):
    assert_problem(client.post(path, files={"image": b"words"}), 422, "not a picture")
    large = jpeg("red") + bytes(MEGABYTES_20)
    assert_problem(client.post(path, files={"image": large}), 413, "at most 20,000,000")
    json = {"content": b"{}", "headers": {"Content-Type": "application/json"}}
    assert_problem(client.post(path, **json), 415, "multipart/form-data")


def test_without_a_model_it_is_a_503_with_retry_after(empty_gallery, client_of):
    client = client_of(empty_gallery)
    answers = [
        classify(client, png("red"), "red", "blue"),
        client.get("/embed?q=red"),
        client.post("/embed", files={"image": png("red")}),
    ]
    for response in answers:
        assert_problem(response, 503, "no model has been published yet")
        assert int(response.headers["retry-after"]) > 0


def test_words_load_no_image_encoder_and_neither_loads_the_index(gallery, client_of):
    for file in gallery.folder.glob("index/models/*/image.onnx*"):
        file.unlink()
    for segment in gallery.folder.rglob("*.npz"):
        segment.write_bytes(b"damaged")
    client = client_of(gallery)
    assert client.get("/embed?q=red").status_code == 200
    assert_problem(client.post("/embed", files={"image": png("red")}), 503, "image.onnx")
    assert_problem(client.get("/?q=red"), 503, "segments/")


def test_other_origins_may_ask(client):
    for path, methods in (
        ("/classify", "POST, OPTIONS"),
        ("/embed", "GET, POST, HEAD, OPTIONS"),
    ):
        response = client.request("OPTIONS", path, headers={"Origin": "https://a.example"})
        assert response.status_code == 204
        assert response.headers["access-control-allow-methods"] == methods
        assert response.headers["access-control-allow-origin"] == "*"
    assert client.get("/embed?q=red").headers["access-control-allow-origin"] == "*"
    for method in ("GET", "HEAD"):
        response = client.request(method, "/classify")
        assert (response.status_code, response.headers["allow"]) == (405, "POST, OPTIONS")
