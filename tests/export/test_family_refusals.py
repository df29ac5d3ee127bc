"""A wrong export of a family is refused, as is a checkpoint that does not fit its family."""

from __future__ import annotations

import dataclasses

import pytest

from clipsearch.model.encoder import Encoder
from clipsearch.model.variants import Padding
from model_export.errors import BadCheckpoint, UnsupportedModel
from model_export.towers.bert import BertLayers
from model_export.towers.layers import Layers
from model_export.towers.siglip import SiglipLayers
from model_export.verify import NotEqual
from tests.export.checkpoints import change_json
from tests.export.saved_family import siglip_with_logits, tiny
from tests.export.trained_tokenizers import xlm_roberta


def test_another_logit_bias_is_refused(saved, export_family, monkeypatch):
    checkpoint = saved("siglip", siglip_with_logits()).load()
    monkeypatch.setattr(Encoder, "logit_bias", property(lambda _: 12.5))
    with pytest.raises(NotEqual, match=r"logit bias: 12\.5, the checkpoint's is -12\.5"):
        export_family(checkpoint)


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
def test_wrong_padding_is_refused(saved, export_family, monkeypatch, family, padding):
    checkpoint = saved(family).load()
    real = Encoder.from_folder

    def broken(folder):
        encoder = real(folder)
        tower = encoder._text.get()
        tower._variant = dataclasses.replace(tower._variant, padding=padding)
        return encoder

    monkeypatch.setattr(Encoder, "from_folder", broken)
    with pytest.raises(NotEqual, match="text in fp32: a value differs by"):
        export_family(checkpoint)


def test_a_tower_that_looks_at_padding_is_refused(saved, export_family, monkeypatch):
    real = Layers._attend
    monkeypatch.setattr(
        Layers, "_attend", lambda self, parts, past=(), mask="": real(self, parts, past)
    )
    with pytest.raises(NotEqual, match="text in fp32: a value differs by"):
        export_family(saved("altclip").load())


@pytest.mark.parametrize("family", ["siglip", "chinese_clip", "altclip"])
def test_wrong_pooling_is_refused(saved, export_family, monkeypatch, family):
    layers, name = (SiglipLayers, "layer") if family == "siglip" else (BertLayers, "_bert_layer")
    real = getattr(layers, name)

    def second(self, number, name, x, context, *rest):
        if name == "last":
            g = self.g
            x = g.add("Slice", context, g.ints(1), g.ints(2), g.ints(1))
        return real(self, number, name, x, context, *rest)

    monkeypatch.setattr(layers, name, second)
    with pytest.raises(NotEqual, match="text in fp32: a value differs by"):
        export_family(saved(family).load())


def test_wrong_pooling_of_a_picture_is_refused(saved, export_family, monkeypatch):
    monkeypatch.setattr(SiglipLayers, "_mlp", lambda self, name, x, *_: x)
    with pytest.raises(NotEqual, match="a value differs by"):
        export_family(saved("siglip").load())


@pytest.mark.parametrize("kind", ["metaclip_2", "altclip"])
def test_weights_of_another_family_are_refused(saved, kind):
    theirs = saved(kind)
    # the two have the same tokenizer, which is read first
    other = "altclip" if kind == "metaclip_2" else "metaclip_2"
    change_json(theirs.folder / "config.json", model_type=other)
    with pytest.raises(BadCheckpoint, match="weights that do not fit its config"):
        theirs.load()


def test_tokens_around_a_text_are_those_of_the_family(saved, export_family):
    siglip = saved("siglip").load()
    wrong = dataclasses.replace(siglip, tokenizer=xlm_roberta().backend_tokenizer)
    with pytest.raises(UnsupportedModel, match=r"\[0, 2\] of an empty text; it must add an end"):
        export_family(wrong)
    wrong = dataclasses.replace(siglip, padding=Padding(1000, 20))
    with pytest.raises(UnsupportedModel, match="padded with token 1000; the model has 1000 tokens"):
        export_family(wrong)
    altclip = saved("altclip", tiny("altclip", pad_token_id=0)).load()
    with pytest.raises(UnsupportedModel, match="pad_token_id 0 is a token around every text"):
        export_family(altclip)


def test_padding_that_the_tokenizer_does_not_know_is_refused(saved):
    theirs = saved("siglip")
    change_json(theirs.folder / "tokenizer_config.json", pad_token="<nothing>")
    with pytest.raises(BadCheckpoint, match="pads texts with '<nothing>'"):
        theirs.load()
