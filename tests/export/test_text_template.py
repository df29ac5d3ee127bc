"""The sentence that texts are put into: chosen at the export, applied to each text."""

from __future__ import annotations

import json

import numpy as np
import pytest

from clipsearch.model.bundle import MODEL_JSON
from clipsearch.model.encoder import Encoder
from clipsearch.model.manifest import Precision, Tower
from clipsearch.model.variants import CLIP, Padding, Variant
from model_export.checkpoint import load_checkpoint
from model_export.verify import NotEqual
from model_export.write_bundle import write_bundle
from tests.export.families import TINY
from tests.export.family_folders import save_kind

FP32: dict[Tower, Precision] = {"image": "fp32", "text": "fp32"}
TEXTS = ["a cat", "two red cars", "a &amp; b {} c"]


@pytest.fixture
def exported(export, model, tmp_path):
    """exported(template): a CLIP's encoder."""

    def run(template: str | None) -> Encoder:
        export(model, text_template=template, samples=6)
        return Encoder.from_folder(tmp_path / "bundle")

    return run


def test_each_text_is_put_into_the_template(exported, tmp_path):
    plain = exported(None)
    worded = [f"a photo of {text}" for text in TEXTS]
    wanted, tokens = plain.encode_text(worded).vectors, plain.tokenize(worded)
    as_they_are, space = plain.encode_text(TEXTS).vectors, plain.space
    encoder = exported("a photo of {}")
    document = json.loads((tmp_path / "bundle" / MODEL_JSON).read_text())
    assert document["text_template"] == "a photo of {}"
    assert encoder.space == space
    assert encoder.tokenize(TEXTS) == tokens
    np.testing.assert_array_equal(encoder.encode_text(TEXTS).vectors, wanted)
    assert np.abs(wanted - as_they_are).max() > 0.01


def test_clip_has_none_unless_one_is_asked_for(exported, tmp_path):
    for template in (None, "{}"):
        exported(template)
        assert "text_template" not in json.loads((tmp_path / "bundle" / MODEL_JSON).read_text())


def test_siglip_has_its_own_and_its_bundle_says_all_that_is_siglips(tmp_path):
    save_kind(tmp_path / "checkpoint", "siglip", TINY["siglip"](vocab_size=500))
    checkpoint = load_checkpoint(tmp_path / "checkpoint", "MODEL")
    # not compared: the template alone fills the 20 tokens of this model
    write_bundle(checkpoint, tmp_path / "bundle", "tiny", FP32)
    encoder = Encoder.from_folder(tmp_path / "bundle")
    padding = Padding(1, 20)
    assert encoder.bundle.variant == Variant(
        "siglip", "squash", "bilinear", padding, "this is a photo of {}."
    )
    [tokens], _ = encoder.tokenize(["A cat!"])
    whole = checkpoint.tokenizer.encode("this is a photo of a cat").ids
    assert tokens == [*whole[:19], whole[-1]]


@pytest.mark.parametrize("template", ["a photo", "{} {}", "", "a\n{}"])
def test_what_is_no_template_is_refused(exported, template):
    with pytest.raises(ValueError, match=r"it must have one \{\}, such as"):
        exported(template)


def test_a_template_that_is_not_applied_is_found(exported, monkeypatch):
    real = Encoder.from_folder

    def broken(folder):
        encoder = real(folder)
        encoder._text.get()._variant = CLIP
        return encoder

    monkeypatch.setattr(Encoder, "from_folder", broken)
    with pytest.raises(NotEqual, match="tokens_equal for 0 of 6"):
        exported("a photo of {}")
