"""Tokens of texts in 20 languages: the bundle's tokenizer gives what transformers' classes give."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase

from clipsearch.model.encoder import Encoder
from clipsearch.text import plain
from model_export.config import Family
from model_export.errors import BadCheckpoint
from model_export.tokenizers.read import read_tokenizer
from model_export.write_bundle import _tokenizer_json
from tests.encoder.conftest import GOLDEN
from tests.encoder.test_encoder import reseal
from tests.export import trained_tokenizers as trained
from tests.export.languages import AWKWARD, CAPTIONS, captions, every_text

FAMILIES: dict[str, tuple[Family, Callable[[], PreTrainedTokenizerBase]]] = {
    "CLIP": ("clip", trained.clip),
    "MetaCLIP 2": ("metaclip_2", trained.xlm_roberta),
    "AltCLIP": ("altclip", trained.xlm_roberta),
    "SigLIP 2": ("siglip", trained.gemma),
    "Chinese-CLIP": ("chinese_clip", trained.bert),
    "Chinese-CLIP with capitals": ("chinese_clip", trained.bert_with_capitals),
}


@pytest.fixture
def bundle(tmp_path: Path) -> Callable[[Path, Family], Encoder]:
    """bundle(checkpoint, family): a bundle with the tokenizer of the folder `checkpoint`."""

    def make(checkpoint: Path, family: Family) -> Encoder:
        folder = shutil.copytree(GOLDEN / "tiny-clip", tmp_path / "bundle")
        tokenizer = read_tokenizer(checkpoint, "FOLDER", family)
        (folder / "tokenizer.json").write_text(_tokenizer_json(tokenizer), encoding="utf-8")
        reseal(folder)
        return Encoder.from_folder(folder)

    return make


def assert_equal_tokens(encoder: Encoder, theirs: PreTrainedTokenizerBase) -> None:
    texts = every_text()
    ours, truncated = encoder.tokenize(texts)
    length = encoder.bundle.context_length
    for text, tokens, cut in zip(texts, ours, truncated, strict=True):
        whole = theirs(plain(text))["input_ids"]
        assert cut == (len(whole) > length), text
        wanted = theirs(plain(text), truncation=True, max_length=length)["input_ids"]
        assert tokens == wanted, (text, theirs.convert_ids_to_tokens(wanted))


def unlike_each_other(theirs: PreTrainedTokenizerBase) -> bool:
    """Whether the captions give tokens that tell them apart: otherwise equality says little."""
    rows = {tuple(theirs(text)["input_ids"]) for text in captions()}
    return len(rows) > 0.9 * len(captions())


def test_there_are_twenty_languages() -> None:
    assert len(CAPTIONS) == 20
    assert len(AWKWARD) > 10


@pytest.mark.parametrize("name", FAMILIES)
def test_every_language_gives_the_tokens_of_transformers(tmp_path, bundle, name):
    family, build = FAMILIES[name]
    theirs = build()
    assert unlike_each_other(theirs)
    theirs.save_pretrained(tmp_path / "checkpoint")
    loaded = type(theirs).from_pretrained(tmp_path / "checkpoint")
    assert_equal_tokens(bundle(tmp_path / "checkpoint", family), loaded)


def test_a_vocab_txt_gives_the_same_tokens(tmp_path, bundle):
    theirs = trained.bert()
    trained.save_vocab_txt(theirs, tmp_path / "checkpoint")
    loaded = type(theirs).from_pretrained(tmp_path / "checkpoint")
    assert_equal_tokens(bundle(tmp_path / "checkpoint", "chinese_clip"), loaded)


def test_siglip_2_reads_lower_case_where_the_checkpoint_names_gemma(tmp_path, bundle):
    trained.gemma_with_capitals().save_pretrained(tmp_path / "checkpoint")
    config = json.loads((tmp_path / "checkpoint" / "tokenizer_config.json").read_text())
    assert config["tokenizer_class"] == "GemmaTokenizer"
    assert_equal_tokens(bundle(tmp_path / "checkpoint", "siglip"), trained.gemma())


def test_siglip_gives_the_tokens_of_its_sentencepiece_model(tmp_path, bundle):
    pytest.importorskip("sentencepiece")  # transformers' SiglipTokenizer needs it
    from tests.export.trained_sentencepiece import siglip

    theirs = siglip(tmp_path / "checkpoint")
    assert_equal_tokens(bundle(tmp_path / "checkpoint", "siglip"), theirs)


def test_metaclip_2_gives_the_tokens_of_its_sentencepiece_model(tmp_path, bundle):
    pytest.importorskip("sentencepiece")
    from tests.export.trained_sentencepiece import xlm_roberta

    theirs = xlm_roberta(tmp_path / "checkpoint")
    assert_equal_tokens(bundle(tmp_path / "checkpoint", "metaclip_2"), theirs)


# --- what is refused ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "config", "files", "message"),
    [
        ("clip", {}, {}, "has no tokenizer: no tokenizer.json, nor vocab.json and merges.txt"),
        ("chinese_clip", {}, {}, "has no tokenizer: no tokenizer.json, nor vocab.txt"),
        (
            "siglip",
            {},
            {"spiece.model": ""},
            "has no tokenizer: no tokenizer.json. spiece.model cannot be read. Take tokenizer.json",
        ),
        (
            "siglip",
            {"tokenizer_class": "T5Tokenizer"},
            {},
            "has a T5Tokenizer; SiglipTokenizer or GemmaTokenizer or Siglip2Tokenizer is supported",
        ),
        (
            "metaclip_2",
            {"tokenizer_class": "CLIPTokenizerFast"},
            {},
            "has a CLIPTokenizerFast; XLMRobertaTokenizer is supported",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(
    tmp_path: Path, family: Family, config: dict[str, Any], files: dict[str, str], message: str
) -> None:
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(BadCheckpoint) as error:
        read_tokenizer(tmp_path, "FOLDER", family)
    assert message in str(error.value)


def test_a_tokenizer_of_another_kind_is_refused(tmp_path):
    trained.bert().save_pretrained(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text("{}")
    with pytest.raises(BadCheckpoint, match="holds a WordPiece; this tokenizer is a Unigram"):
        read_tokenizer(tmp_path, "FOLDER", "metaclip_2")


def test_a_vocabulary_without_the_end_token_is_refused(tmp_path):
    theirs = trained.xlm_roberta()
    theirs.save_pretrained(tmp_path)
    path = tmp_path / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"eos_token": "<end>"}))
    with pytest.raises(BadCheckpoint, match="the vocabulary has no <end>"):
        read_tokenizer(tmp_path, "FOLDER", "metaclip_2")
