"""SentencePiece models of SigLIP's and XLM-RoBERTa's kind, with the normalizer of the real ones
(nmt_nfkc), and the tokenizer.json that such checkpoints have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as protobuf
from tokenizers import Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import Unigram
from transformers.models.siglip.tokenization_siglip import SiglipTokenizer

from tests.export.languages import captions

SPECIAL = {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}  # T5's and SigLIP's
XLM_FIRST = ["<s>", "<pad>", "</s>", "<unk>"]


def siglip(folder: Path) -> SiglipTokenizer:
    """transformers' tokenizer; `folder` gets its tokenizer.json, whose normalizer is T5's."""
    model = _trained(folder, "spiece", lower=True, **SPECIAL)
    vocabulary = [(piece.piece, piece.score) for piece in model.pieces]
    tokenizer = Tokenizer(Unigram(vocabulary, unk_id=2))
    _save(folder, tokenizer, model)
    theirs = SiglipTokenizer(str(folder / "spiece.model"))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "SiglipTokenizer", "eos_token": "</s>", "pad_token": "</s>"})
    )
    return theirs


class XlmRoberta:
    """What fairseq makes of a SentencePiece model: `<s> text </s>`, the numbers moved by one."""

    def __init__(self, path: Path) -> None:
        self._model = sentencepiece.SentencePieceProcessor(str(path))

    def __call__(
        self, text: str, truncation: bool = False, max_length: int = 0
    ) -> dict[str, list[int]]:
        numbers = [number + 1 if number else 3 for number in self._model.encode(text)]
        if truncation:
            numbers = numbers[: max_length - 2]
        return {"input_ids": [0, *numbers, 2]}

    def convert_ids_to_tokens(self, ids: list[int]) -> list[int]:
        return ids


def xlm_roberta(folder: Path) -> Any:
    """The SentencePiece model; `folder` gets the tokenizer.json of XLM-RoBERTa's checkpoints."""
    model = _trained(folder, "sentencepiece.bpe", lower=False, unk_id=0, bos_id=1, eos_id=2)
    learnt = [(piece.piece, piece.score) for piece in model.pieces[3:]]
    vocabulary = [*((token, 0.0) for token in XLM_FIRST), *learnt, ("<mask>", 0.0)]
    _save(folder, Tokenizer(Unigram(vocabulary, unk_id=3)), model)
    return XlmRoberta(folder / "sentencepiece.bpe.model")


def _trained(folder: Path, name: str, lower: bool, **special: int) -> Any:
    folder.mkdir()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text.lower() if lower else text for text in captions()),
        model_prefix=str(folder / name),
        vocab_size=600,
        character_coverage=0.99,  # so that some letters are unknown
        hard_vocab_limit=False,
        minloglevel=2,
        **special,
    )
    model = protobuf.ModelProto()
    model.ParseFromString((folder / f"{name}.model").read_bytes())
    return model


def _save(folder: Path, tokenizer: Tokenizer, model: Any) -> None:
    tokenizer.normalizer = normalizers.Precompiled(model.normalizer_spec.precompiled_charsmap)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.save(str(folder / "tokenizer.json"))
