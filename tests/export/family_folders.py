"""A model of a family with a small tokenizer of its kind, as transformers saves the two."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, trainers
from transformers import PreTrainedModel, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from benchmarks.random_clip import MEAN, STD
from model_export.tokenizers.read import read_tokenizer
from tests.export.families import TINY
from tests.export.languages import captions
from tests.export.trained_tokenizers import bert, gemma, xlm_roberta

# SigLIP has two kinds of tokenizers.
FAMILY = {"siglip2": "siglip", **{family: family for family in TINY if family != "clip"}}
SAVE: dict[str, Callable[[], PreTrainedTokenizerBase]] = {
    "metaclip_2": xlm_roberta,
    "siglip2": gemma,
    "chinese_clip": bert,
    "altclip": xlm_roberta,
}


def save_kind(folder: Path, kind: str, model: PreTrainedModel) -> PreTrainedTokenizerBase:
    """Write the folder; return its tokenizer as transformers has it. `kind` is in FAMILY."""
    model.save_pretrained(folder)
    steps = preprocessing(FAMILY[kind], model.config.vision_config.image_size)
    (folder / "preprocessor_config.json").write_text(json.dumps(steps))
    if kind == "siglip":
        return _save_siglip_tokenizer(folder)
    tokenizer = SAVE[kind]()
    tokenizer.save_pretrained(folder)
    return tokenizer


def _save_siglip_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """transformers' class needs SentencePiece; test_languages.py compares ours with it."""
    tokenizer = Tokenizer(models.Unigram())
    trainer = trainers.UnigramTrainer(
        vocab_size=500,
        special_tokens=["<pad>", "</s>", "<unk>"],
        unk_token="<unk>",
        show_progress=False,
    )
    tokenizer.train_from_iterator(captions(), trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    layout = {"tokenizer_class": "SiglipTokenizer", "pad_token": "</s>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(layout))
    ours = read_tokenizer(folder, "MODEL", "siglip")
    return PreTrainedTokenizerFast(tokenizer_object=ours, pad_token="</s>")


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
