"""The benchmark of the models, with models of its families that are tiny."""

import dataclasses

import pytest

from benchmarks import models
from benchmarks.random_checkpoint import TOKENIZERS, RandomWeights
from benchmarks.random_tokenizers import WORDS
from model_export.facts import FACTS
from model_export.known import KNOWN

VOCABULARY = 4000
TOWER = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}
ONE_OF_EACH = {known.family: known.model for known in KNOWN.values()}


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """Makes a known model tiny, and measures in a folder of this test."""
    monkeypatch.setattr(models, "FOLDER", tmp_path / "models")
    monkeypatch.setattr(models, "PHOTO", tmp_path / "models" / "photo.jpg")
    models.prepare()

    def tiny(model):
        config = dict(FACTS[model].config)
        text = {**config.get("text_config", {}), **TOWER, "vocab_size": VOCABULARY}
        if config["model_type"] == "clip":
            text["eos_token_id"] = VOCABULARY - 1
        if config["model_type"] == "siglip":
            text["projection_size"] = TOWER["hidden_size"]
        vision = {**TOWER, "image_size": 32, "patch_size": 16}
        config |= {"text_config": text, "vision_config": vision}
        monkeypatch.setitem(FACTS, model, dataclasses.replace(FACTS[model], config=config))
        return model

    return tiny


def test_each_family_has_a_tokenizer():
    assert set(TOKENIZERS) == set(ONE_OF_EACH)


@pytest.mark.parametrize("family", TOKENIZERS)
def test_a_made_up_tokenizer_knows_the_words_of_the_queries(family):
    tokenizer = TOKENIZERS[family](VOCABULARY)
    assert tokenizer.get_vocab_size() == VOCABULARY
    around = len(tokenizer.encode("").ids)
    for word in WORDS:
        assert len(tokenizer.encode(f"a {word}").ids) == 2 + around, word


@pytest.mark.parametrize("model", ONE_OF_EACH.values(), ids=ONE_OF_EACH)
def test_a_model_of_each_family_is_written_and_measured(tiny, model):
    folder = models.write(tiny(model))
    turn = models.turn(folder)
    row = models.row(folder, [turn])
    assert 0 < row["text_ms"] < 1e3 * row["cold_start_s"]
    assert row["memory_mb"] > row["bundle_mb"] > 0
    assert row["image_ms"] > 0
    assert len(turn["image"]) == 4


def test_weights_are_the_same_each_time():
    weights = RandomWeights({"a.weight": (3, 4), "norm.weight": (4,)})
    assert (weights["a.weight"] == weights["a.weight"]).all()
    assert abs(weights["norm.weight"] - 1).max() < 0.2
    assert list(weights) == ["a.weight", "norm.weight"]


def test_the_share_of_other_processes_leaves_ours_out(monkeypatch):
    clock = {"now": 0.0, "busy": 100.0, "ours": 5.0}
    monkeypatch.setattr("time.monotonic", lambda: clock["now"])
    monkeypatch.setattr(models, "_busy", lambda: clock["busy"])
    monkeypatch.setattr(models, "_ours", lambda: clock["ours"])
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    begin = models.Busy()
    clock.update(now=10.0, busy=112.0, ours=12.0)
    assert begin.share_of_others() == 0.25
