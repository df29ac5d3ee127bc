"""The fields of model.json that differ between families, and the spaces that they give."""

from __future__ import annotations

import dataclasses
import json
import shutil
from typing import Any

import numpy as np
import pytest
from PIL import Image

from clipsearch.errors import DamagedObject, ModelDiffers
from clipsearch.model.bundle import MODEL_JSON, Bundle, publish_bundle, read_bundle, space_of
from clipsearch.model.encoder import Encoder
from clipsearch.model.variants import CLIP, Padding, Variant
from model_export.samples import texture
from tests.encoder.conftest import GOLDEN
from tests.support.pictures import encoded

SIGLIP = Variant("siglip", "squash", "bilinear", Padding(1, 16), "this is a photo of {}.")
ONE_EACH: list[dict[str, Any]] = [
    {"family": "metaclip_2"},
    {"resize": "squash"},
    {"resample": "bilinear"},
    {"padding": Padding(0, None)},
]


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(GOLDEN / "tiny-clip", tmp_path / "bundle")


def space_with(bundle: Bundle, variant: Variant) -> str:
    return space_of(
        bundle.files,
        dim=bundle.dim,
        context_length=bundle.context_length,
        image_size=bundle.image_size,
        mean=bundle.mean,
        std=bundle.std,
        variant=variant,
    )


def write(folder, variant: Variant) -> Bundle:
    bundle = read_bundle(folder).bundle
    space = space_with(bundle, variant)
    bundle = dataclasses.replace(bundle, space=space, variant=variant)
    (folder / MODEL_JSON).write_bytes(bundle.to_json())
    return bundle


def test_a_model_json_without_the_fields_is_clips_and_stays_byte_for_byte(folder):
    data = (folder / MODEL_JSON).read_bytes()
    bundle = read_bundle(folder).bundle
    assert bundle.variant == CLIP
    assert bundle.to_json() == data


def test_clips_values_may_be_written_out(folder):
    space = read_bundle(folder).bundle.space
    document = json.loads((folder / MODEL_JSON).read_bytes())
    document |= {"family": "clip", "resize": "crop", "resample": "bicubic"}
    document |= {"padding": None, "text_template": None}
    (folder / MODEL_JSON).write_text(json.dumps(document))
    bundle = read_bundle(folder).bundle
    assert (bundle.variant, bundle.space) == (CLIP, space)


def test_another_family_is_read_as_it_was_written(folder):
    bundle = write(folder, SIGLIP)
    assert read_bundle(folder).bundle == bundle


def test_each_field_gives_a_space_of_its_own(folder):
    bundle = read_bundle(folder).bundle
    spaces = {space_with(bundle, Variant(**change)) for change in ONE_EACH}
    assert len(spaces | {bundle.space}) == len(ONE_EACH) + 1


def test_the_text_template_does_not_change_the_space(folder):
    bundle = read_bundle(folder).bundle
    template = Variant(text_template="a photo of {}")
    assert write(folder, template).space == bundle.space
    assert read_bundle(folder).bundle.variant.in_template("a cat") == "a photo of a cat"


@pytest.mark.parametrize("change", ONE_EACH, ids=str)
def test_a_reader_that_does_not_know_a_field_refuses_the_bundle(folder, change):
    """It hashes without the field; here the field is cut from the file."""
    write(folder, Variant(**change))
    document = json.loads((folder / MODEL_JSON).read_bytes())
    for name in change:
        del document[name]
    (folder / MODEL_JSON).write_text(json.dumps(document))
    with pytest.raises(DamagedObject, match="its contents give"):
        read_bundle(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"family": "blip"}, "family 'blip'; supported: clip, metaclip_2"),
        ({"resize": "pad"}, "resize 'pad'; supported: crop, squash"),
        ({"resample": 3}, "resample 3; supported: bicubic, bilinear"),
        ({"resample": ["bicubic"]}, "supported: bicubic, bilinear"),
        ({"padding": 1}, "padding 1; it must have token and length"),
        ({"padding": {"token": 1}}, "it must have token and length"),
        ({"padding": {"token": -1, "length": 8}}, "padding.token -1"),
        ({"padding": {"token": True, "length": 8}}, "padding.token True"),
        ({"padding": {"token": 1, "length": 0}}, "padding.length 0"),
        ({"padding": {"token": 1, "length": 100_000}}, r"from 1 to \d+ \(context_length\)"),
        ({"text_template": "a photo"}, "it must have one {}"),
        ({"text_template": "{} and {}"}, "it must have one {}"),
        ({"text_template": "a\nphoto of {}"}, "in one line"),
        ({"text_template": "x" * 200 + "{}"}, "at most 200 characters"),
        ({"text_template": 7}, "text_template 7"),
    ],
    ids=str,
)
def test_wrong_values_are_refused(folder, change, message):
    document = json.loads((folder / MODEL_JSON).read_bytes())
    (folder / MODEL_JSON).write_text(json.dumps({**document, **change}))
    with pytest.raises(DamagedObject, match=message):
        read_bundle(folder)


def test_photos_and_pictures_are_squashed_as_model_json_says(folder):
    picture = texture(np.random.default_rng(0), 120, 60)
    wanted = picture.resize((24, 24), Image.Resampling.BILINEAR)
    crop = Encoder.from_folder(folder)
    vectors = crop.encode_image([wanted])  # of the size already, so nothing is cropped
    write(folder, Variant(resize="squash", resample="bilinear"))
    squash = Encoder.from_folder(folder)
    assert squash.decode(encoded(picture, "PNG")).square.tobytes() == wanted.tobytes()
    assert crop.decode(encoded(picture, "PNG")).square.tobytes() != wanted.tobytes()
    np.testing.assert_array_equal(squash.encode_image([picture]), vectors)


def test_each_text_is_cleaned_and_put_into_the_template(folder):
    usual = Encoder.from_folder(folder)
    write(folder, Variant(text_template="a photo of {}."))
    encoder = Encoder.from_folder(folder)
    texts, worded = ["a  cat\n", "{}"], ["a photo of a cat.", "a photo of {}."]
    assert encoder.tokenize(texts) == usual.tokenize(worded)
    np.testing.assert_array_equal(
        encoder.encode_text(texts).vectors, usual.encode_text(worded).vectors
    )


def test_another_template_for_a_published_space_is_refused(folder, bucket):
    space = publish_bundle(folder, bucket)
    write(folder, Variant(text_template="a photo of {}"))
    with pytest.raises(ModelDiffers) as error:
        publish_bundle(folder, bucket)
    assert str(error.value) == (
        "the model is already in the bucket with no text template, and this one has the text "
        f"template 'a photo of {{}}'; delete the object 'models/{space}/model.json', publish "
        "again, then restart search"
    )
    bucket.delete(f"models/{space}/{MODEL_JSON}")
    publish_bundle(folder, bucket)
    assert Encoder.from_bucket(bucket).bundle.variant.text_template == "a photo of {}"
