"""A checkpoint of every family, exported, gives the vectors of transformers' model."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file, save_file
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from clipsearch.model.encoder import Encoder
from clipsearch.model.manifest import Tower
from clipsearch.model.variants import Padding
from clipsearch.text import plain
from model_export.checkpoint import Checkpoint, load_checkpoint
from model_export.errors import BadCheckpoint, UnsupportedModel
from model_export.ranking import noise
from model_export.samples import pictures, texts
from model_export.towers.bert import BertLayers
from model_export.towers.layers import Layers
from model_export.towers.siglip import SiglipLayers
from model_export.verify import MAX_DIFFERENCE, MOST_NOISE, NotEqual
from model_export.write_bundle import export_bundle
from tests.export.checkpoints import change_json
from tests.export.families import TINY
from tests.export.family_folders import FAMILY, save_kind
from tests.export.trained_tokenizers import xlm_roberta
from tests.export.transformers_reference import processor_of

KINDS = list(FAMILY)
MASKED = ("chinese_clip", "altclip")
SAMPLES = 20  # of each kind are verified


@dataclass(frozen=True, slots=True)
class Saved:
    family: str
    folder: Path
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    def load(self) -> Checkpoint:
        return load_checkpoint(self.folder, "MODEL")

    def tokens(self, sentences: list[str]) -> dict[str, torch.Tensor]:
        """What transformers' processor of the family gives its model."""
        context = self.model.config.text_config.max_position_embeddings
        found = self.tokenizer(
            sentences,
            padding="max_length" if self.family == "siglip" else "longest",
            truncation=True,
            max_length=context - (2 if self.family == "altclip" else 0),
            return_tensors="pt",
        )
        wanted = ("input_ids", "attention_mask") if self.family in MASKED else ("input_ids",)
        return {name: found[name] for name in wanted}

    def pixels(self, images: list[Image.Image]) -> torch.Tensor:
        document = json.loads((self.folder / "preprocessor_config.json").read_text())
        processor = processor_of(document)
        return torch.cat([processor(image, return_tensors="pt").pixel_values for image in images])

    def text(self, sentences: list[str]) -> np.ndarray:
        with torch.inference_mode():
            return unit(self.model.get_text_features(**self.tokens(sentences)).pooler_output)

    def image(self, images: list[Image.Image]) -> np.ndarray:
        with torch.inference_mode():
            pixels = self.pixels(images)
            return unit(self.model.get_image_features(pixel_values=pixels).pooler_output)


def tiny(family: str, **changes: Any) -> PreTrainedModel:
    """With as many tokens as the tokenizers of family_folders.py have."""
    return TINY[family](vocab_size=1000, **changes)


def unit(features: torch.Tensor) -> np.ndarray:
    return np.asarray(torch.nn.functional.normalize(features))


@pytest.fixture
def saved(tmp_path) -> Callable[..., Saved]:
    def save(kind: str, model: PreTrainedModel | None = None) -> Saved:
        folder, family = tmp_path / "checkpoint", FAMILY[kind]
        model = model or tiny(family)
        return Saved(family, folder, model, save_kind(folder, kind, model))

    return save


@pytest.fixture
def export(tmp_path) -> Callable[..., Encoder]:
    def run(checkpoint: Checkpoint, precision: Any = "fp32") -> Encoder:
        both: dict[Tower, Any] = {"image": precision, "text": precision}
        folder = tmp_path / "bundle"
        # transformers' models see the texts as they are
        options: dict[str, Any] = {"name": "tiny", "samples": SAMPLES, "text_template": "{}"}
        export_bundle(checkpoint, folder, precision=both, **options)
        return Encoder.from_folder(folder)

    return run


def sentences() -> list[str]:
    """Of every length, the empty one too, and longer than the context."""
    return [plain(text) for text in texts()]


def images() -> list[Image.Image]:
    return [sample.image for sample in pictures() if sample.image.mode == "RGB"][::2]


def assert_equal(vectors: np.ndarray, reference: np.ndarray) -> None:
    """The same vectors, of inputs that they tell apart."""
    among = reference @ reference.T
    assert np.median(among[~np.eye(len(among), dtype=bool)]) < 0.99
    assert np.abs(vectors - reference).max() < MAX_DIFFERENCE


@pytest.mark.parametrize("kind", KINDS)
def test_vectors_are_those_of_transformers(saved, export, kind):
    theirs = saved(kind)
    encoder = export(theirs.load())
    assert encoder.bundle.variant.family == FAMILY[kind]
    assert_equal(encoder.encode_text(sentences()).vectors, theirs.text(sentences()))
    one_by_one = [encoder.encode_text([text]).vectors[0] for text in sentences()]
    assert_equal(np.stack(one_by_one), theirs.text(sentences()))
    assert_equal(encoder.encode_image(images()), theirs.image(images()))


@pytest.mark.parametrize("kind", KINDS)
def test_8_bits_are_near(saved, export, kind):
    theirs = saved(kind)
    encoder = export(theirs.load(), "int8")
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
def test_other_activations(saved, export, family, act):
    theirs = saved(family, tiny(family, act=act))
    encoder = export(theirs.load())
    assert_equal(encoder.encode_text(sentences()).vectors, theirs.text(sentences()))


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_text_is_cut_and_keeps_its_end(saved, export, kind):
    theirs = saved(kind)
    encoder = export(theirs.load())
    long = "a red car and a dog " * 30
    rows, truncated = encoder.tokenize([long, "a"])
    assert truncated == [True, False]
    assert rows[0] == theirs.tokens([long])["input_ids"][0].tolist()
    assert len(rows[0]) == encoder.bundle.context_length
    assert rows[0][-1] == rows[1][-1]


def test_pixels_beyond_the_last_whole_patch_are_not_read(saved, export):
    """google/siglip-so400m-patch14-384 has 27 patches of 14 px in 384 px."""
    theirs = saved("siglip", tiny("siglip", image_size=30))
    encoder = export(theirs.load())
    assert_equal(encoder.encode_image(images()), theirs.image(images()))


def test_the_logits_of_siglip_have_its_bias(saved, export):
    theirs = saved("siglip", siglip_with_logits())
    encoder = export(theirs.load())
    found = encoder.logits(images(), sentences())
    with torch.inference_mode():
        reference = theirs.model(**theirs.tokens(sentences()), pixel_values=theirs.pixels(images()))
    assert np.abs(found.per_image - reference.logits_per_image.numpy()).max() < 1e-3
    assert np.abs(found.per_text - reference.logits_per_text.numpy()).max() < 1e-3
    assert encoder.bundle.variant.sigmoid
    assert math.isclose(encoder.logit_bias, -12.5)


def siglip_with_logits() -> PreTrainedModel:
    """Scale and bias near those of google/siglip-base-patch16-224: 118 and -12.9."""
    model = tiny("siglip")
    with torch.no_grad():
        model.logit_scale.fill_(math.log(118))
        model.logit_bias.fill_(-12.5)
    return model


def test_another_logit_bias_is_refused(saved, export, monkeypatch):
    checkpoint = saved("siglip", siglip_with_logits()).load()
    monkeypatch.setattr(Encoder, "logit_bias", property(lambda _: 12.5))
    with pytest.raises(NotEqual, match=r"logit bias: 12\.5, the checkpoint's is -12\.5"):
        export(checkpoint)


@pytest.mark.parametrize(
    ("family", "padding"),
    [
        ("siglip", None),  # only up to the longest of a batch
        ("siglip", Padding(1, 12)),
        ("siglip", Padding(0, 20)),
        ("chinese_clip", Padding(5, None)),  # not what the graph masks
        ("altclip", Padding(2, None)),
    ],
)
def test_wrong_padding_is_refused(saved, export, monkeypatch, family, padding):
    checkpoint = saved(family).load()
    real = Encoder.from_folder

    def broken(folder):
        encoder = real(folder)
        tower = encoder._text.get()
        tower._variant = dataclasses.replace(tower._variant, padding=padding)
        return encoder

    monkeypatch.setattr(Encoder, "from_folder", broken)
    with pytest.raises(NotEqual, match="text in fp32: a value differs by"):
        export(checkpoint)


def test_a_tower_that_looks_at_padding_is_refused(saved, export, monkeypatch):
    real = Layers._attend
    monkeypatch.setattr(
        Layers, "_attend", lambda self, parts, past=(), mask="": real(self, parts, past)
    )
    with pytest.raises(NotEqual, match="text in fp32: a value differs by"):
        export(saved("altclip").load())


@pytest.mark.parametrize("family", ["siglip", "chinese_clip", "altclip"])
def test_wrong_pooling_is_refused(saved, export, monkeypatch, family):
    layers, name = (SiglipLayers, "layer") if family == "siglip" else (BertLayers, "_bert_layer")
    real = getattr(layers, name)

    def second(self, number, name, x, context, *rest):
        if name == "last":
            g = self.g
            x = g.add("Slice", context, g.ints(1), g.ints(2), g.ints(1))
        return real(self, number, name, x, context, *rest)

    monkeypatch.setattr(layers, name, second)
    with pytest.raises(NotEqual, match="text in fp32: a value differs by"):
        export(saved(family).load())


def test_wrong_pooling_of_a_picture_is_refused(saved, export, monkeypatch):
    monkeypatch.setattr(SiglipLayers, "_mlp", lambda self, name, x, *_: x)
    with pytest.raises(NotEqual, match="a value differs by"):
        export(saved("siglip").load())


def test_altclip_has_the_name_of_a_layer_in_two_forms(saved):
    theirs = saved("altclip")
    file = theirs.folder / "model.safetensors"
    assert "text_model.roberta.encoder.layer.0.output.dense.weight" in load_file(file)
    names = set(theirs.load().weights)
    assert names == set(theirs.model.state_dict())
    save_file({name: tensor.numpy() for name, tensor in theirs.model.state_dict().items()}, file)
    assert set(theirs.load().weights) == names


@pytest.mark.parametrize("kind", ["metaclip_2", "altclip"])
def test_weights_of_another_family_are_refused(saved, kind):
    theirs = saved(kind)
    # the two have the same tokenizer, which is read first
    other = "altclip" if kind == "metaclip_2" else "metaclip_2"
    change_json(theirs.folder / "config.json", model_type=other)
    with pytest.raises(BadCheckpoint, match="weights that do not fit its config"):
        theirs.load()


def test_tokens_around_a_text_are_those_of_the_family(saved, export):
    siglip = saved("siglip").load()
    wrong = dataclasses.replace(siglip, tokenizer=xlm_roberta().backend_tokenizer)
    with pytest.raises(UnsupportedModel, match=r"\[0, 2\] of an empty text; it must add an end"):
        export(wrong)
    wrong = dataclasses.replace(siglip, padding=Padding(1000, 20))
    with pytest.raises(UnsupportedModel, match="padded with token 1000; the model has 1000 tokens"):
        export(wrong)
    altclip = saved("altclip", tiny("altclip", pad_token_id=0)).load()
    with pytest.raises(UnsupportedModel, match="pad_token_id 0 is a token around every text"):
        export(altclip)


@pytest.mark.parametrize("said", [True, False])
@pytest.mark.parametrize(("kind", "padding"), [("siglip", (1, 20)), ("siglip2", (0, 20))])
def test_siglip_pads_with_the_token_of_its_tokenizer(saved, kind, padding, said):
    """SigLIP with its end token, SigLIP 2 with a token of its own."""
    theirs = saved(kind)
    if not said:
        change_json(theirs.folder / "tokenizer_config.json", pad_token=None)
    assert theirs.load().padding == Padding(*padding)


def test_padding_that_the_tokenizer_does_not_know_is_refused(saved):
    theirs = saved("siglip")
    change_json(theirs.folder / "tokenizer_config.json", pad_token="<nothing>")
    with pytest.raises(BadCheckpoint, match="pads texts with '<nothing>'"):
        theirs.load()
