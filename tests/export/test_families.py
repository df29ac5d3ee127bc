"""A checkpoint of every family, exported, gives the vectors of transformers' model."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from clipsearch.model.variants import Padding
from model_export.ranking import noise
from model_export.verify import MAX_DIFFERENCE, MOST_NOISE
from tests.export.checkpoints import change_json
from tests.export.family_folders import FAMILY
from tests.export.saved_family import images, sentences, siglip_with_logits, tiny

KINDS = list(FAMILY)


def assert_equal(vectors: np.ndarray, reference: np.ndarray) -> None:
    """The same vectors, of inputs that they tell apart."""
    among = reference @ reference.T
    assert np.median(among[~np.eye(len(among), dtype=bool)]) < 0.99
    assert np.abs(vectors - reference).max() < MAX_DIFFERENCE


@pytest.mark.parametrize("kind", KINDS)
def test_vectors_are_those_of_transformers(saved, export_family, kind):
    theirs = saved(kind)
    encoder = export_family(theirs.load())
    assert encoder.bundle.variant.family == FAMILY[kind]
    assert_equal(encoder.encode_text(sentences()).vectors, theirs.text(sentences()))
    one_by_one = [encoder.encode_text([text]).vectors[0] for text in sentences()]
    assert_equal(np.stack(one_by_one), theirs.text(sentences()))
    assert_equal(encoder.encode_image(images()), theirs.image(images()))


@pytest.mark.parametrize("kind", KINDS)
def test_8_bits_are_near(saved, export_family, kind):
    theirs = saved(kind)
    encoder = export_family(theirs.load(), "int8")
    for ours, reference in (
        (encoder.encode_text(sentences()).vectors, theirs.text(sentences())),
        (encoder.encode_image(images()), theirs.image(images())),
    ):
        assert 0 < noise(ours, reference) < MOST_NOISE["int8"]


@pytest.mark.parametrize(
    ("family", "act"),
    [
        ("metaclip_2", "gelu"),
        ("metaclip_2", "gelu_pytorch_tanh"),
        ("siglip", "gelu"),
        ("chinese_clip", "gelu_pytorch_tanh"),
    ],
)
def test_other_activations(saved, export_family, family, act):
    theirs = saved(family, tiny(family, act=act))
    encoder = export_family(theirs.load())
    assert_equal(encoder.encode_text(sentences()).vectors, theirs.text(sentences()))


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_text_is_cut_and_keeps_its_end(saved, export_family, kind):
    theirs = saved(kind)
    encoder = export_family(theirs.load())
    long = "a red car and a dog " * 30
    rows, truncated = encoder.tokenize([long, "a"])
    assert truncated == [True, False]
    assert rows[0] == theirs.tokens([long])["input_ids"][0].tolist()
    assert len(rows[0]) == encoder.bundle.context_length
    assert rows[0][-1] == rows[1][-1]


def test_pixels_beyond_the_last_whole_patch_are_not_read(saved, export_family):
    """google/siglip-so400m-patch14-384 has 27 patches of 14 px in 384 px."""
    theirs = saved("siglip", tiny("siglip", image_size=30))
    encoder = export_family(theirs.load())
    assert_equal(encoder.encode_image(images()), theirs.image(images()))


def test_the_logits_of_siglip_have_its_bias(saved, export_family):
    theirs = saved("siglip", siglip_with_logits())
    encoder = export_family(theirs.load())
    found = encoder.logits(images(), sentences())
    with torch.inference_mode():
        reference = theirs.model(**theirs.tokens(sentences()), pixel_values=theirs.pixels(images()))
    assert np.abs(found.per_image - reference.logits_per_image.numpy()).max() < 1e-3
    assert np.abs(found.per_text - reference.logits_per_text.numpy()).max() < 1e-3
    assert encoder.bundle.variant.sigmoid
    assert math.isclose(encoder.logit_bias, -12.5)


def test_altclip_has_the_name_of_a_layer_in_two_forms(saved):
    theirs = saved("altclip")
    file = theirs.folder / "model.safetensors"
    assert "text_model.roberta.encoder.layer.0.output.dense.weight" in load_file(file)
    names = set(theirs.load().weights)
    assert names == set(theirs.model.state_dict())
    save_file({name: tensor.numpy() for name, tensor in theirs.model.state_dict().items()}, file)
    assert set(theirs.load().weights) == names


@pytest.mark.parametrize("said", [True, False])
@pytest.mark.parametrize(("kind", "padding"), [("siglip", (1, 20)), ("siglip2", (0, 20))])
def test_siglip_pads_with_the_token_of_its_tokenizer(saved, kind, padding, said):
    """SigLIP with its end token, SigLIP 2 with a token of its own."""
    theirs = saved(kind)
    if not said:
        change_json(theirs.folder / "tokenizer_config.json", pad_token=None)
    assert theirs.load().padding == Padding(*padding)
