"""A tiny model of a family with a tokenizer of its kind, as transformers saves the two."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from benchmarks.random_clip import MEAN, STD
from model_export.samples import texts
from tests.export.families import VOCABULARY

START, END, PAD, UNKNOWN = "<s>", "</s>", "<pad>", "<unk>"


def unigram(special: list[str], layout: str, vocabulary: int = VOCABULARY) -> Tokenizer:
    """As SentencePiece makes it. `special` tokens have the first numbers; `layout` puts them
    around a text, such as "<s> $A </s>"."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=vocabulary, special_tokens=special, unk_token=UNKNOWN, show_progress=False
    )
    tokenizer.train_from_iterator(texts(count=100), trainer)
    return _laid_out(tokenizer, layout)


def wordpiece(vocabulary: int = VOCABULARY) -> Tokenizer:
    """As BERT's for Chinese: the special tokens have the numbers 0 and 100 to 102."""
    special = ["[PAD]", *(f"[unused{i}]" for i in range(1, 100)), "[UNK]", "[CLS]", "[SEP]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary, special_tokens=special, show_progress=False
    )
    tokenizer.train_from_iterator(texts(count=100), trainer)
    return _laid_out(tokenizer, "[CLS] $A [SEP]")


def _laid_out(tokenizer: Tokenizer, layout: str) -> Tokenizer:
    names = [name for name in layout.split() if name != "$A"]
    numbers = [(name, tokenizer.token_to_id(name)) for name in names]
    tokenizer.post_processor = processors.TemplateProcessing(single=layout, special_tokens=numbers)
    return tokenizer


def xlm_roberta(vocabulary: int = VOCABULARY) -> Tokenizer:
    return unigram([START, PAD, END, UNKNOWN], f"{START} $A {END}", vocabulary)


def siglip(vocabulary: int = VOCABULARY) -> Tokenizer:
    return unigram([PAD, END, UNKNOWN], f"$A {END}", vocabulary)


TOKENIZERS: dict[str, Callable[..., Tokenizer]] = {
    "metaclip_2": xlm_roberta,
    "siglip": siglip,
    "chinese_clip": wordpiece,
    "altclip": xlm_roberta,
}
PADS = {"metaclip_2": PAD, "siglip": END, "chinese_clip": "[PAD]", "altclip": PAD}
CLASSES = {
    "metaclip_2": "XLMRobertaTokenizer",
    "siglip": "SiglipTokenizer",
    "chinese_clip": "BertTokenizer",
    "altclip": "XLMRobertaTokenizer",
}


def save_family(folder: Path, family: str, model: PreTrainedModel) -> PreTrainedTokenizerFast:
    """Write the folder; return its tokenizer as transformers has it."""
    backend = TOKENIZERS[family]()
    model.save_pretrained(folder)
    backend.save(str(folder / "tokenizer.json"))
    layout = {"tokenizer_class": CLASSES[family], "pad_token": PADS[family]}
    (folder / "tokenizer_config.json").write_text(json.dumps(layout))
    steps = preprocessing(family, model.config.vision_config.image_size)
    (folder / "preprocessor_config.json").write_text(json.dumps(steps))
    return PreTrainedTokenizerFast(tokenizer_object=backend, pad_token=PADS[family])


def preprocessing(family: str, size: int) -> dict[str, Any]:
    """The object in preprocessor_config.json."""
    if family == "siglip":
        return {
            "image_processor_type": "SiglipImageProcessorPil",
            "size": {"height": size, "width": size},
            "resample": 2,
            "image_mean": [0.5, 0.5, 0.5],
            "image_std": [0.5, 0.5, 0.5],
        }
    kind = "ChineseCLIP" if family == "chinese_clip" else "CLIP"
    return {
        "image_processor_type": f"{kind}ImageProcessorPil",
        "size": {"shortest_edge": size},
        "crop_size": {"height": size, "width": size},
        "resample": 3,
        "image_mean": list(MEAN),
        "image_std": list(STD),
    }
