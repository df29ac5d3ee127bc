"""Checkpoints in the layouts that transformers and the Hugging Face hub have had."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from transformers import CLIPModel, CLIPProcessor, CLIPTokenizer
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from benchmarks.random_clip import MEAN, STD, clip_tokenizer


def old_preprocessing(size: int) -> dict[str, Any]:
    """As openai/clip-vit-base-patch32 and laion's have it in preprocessor_config.json."""
    return {
        "crop_size": size,
        "do_center_crop": True,
        "do_normalize": True,
        "do_resize": True,
        "feature_extractor_type": "CLIPFeatureExtractor",
        "image_mean": list(MEAN),
        "image_std": list(STD),
        "resample": 3,
        "size": size,
    }


def save_new(folder: Path, model: CLIPModel, tokenizer: CLIPTokenizer | None = None) -> Path:
    """As transformers 5 writes it: safetensors, tokenizer.json, processor_config.json."""
    size = model.config.vision_config.image_size
    processor = CLIPImageProcessorPil(
        size={"shortest_edge": size},
        crop_size={"height": size, "width": size},
        image_mean=list(MEAN),
        image_std=list(STD),
    )
    model.save_pretrained(folder)
    CLIPProcessor(processor, tokenizer or clip_tokenizer()).save_pretrained(folder)
    return folder


def save_old(folder: Path, model: CLIPModel, tokenizer: CLIPTokenizer | None = None) -> Path:
    """As of 2021: pytorch_model.bin with the position_ids, vocab.json and merges.txt, and a
    configuration that says that texts end with token 2."""
    folder.mkdir(parents=True)
    bpe = json.loads((tokenizer or clip_tokenizer()).backend_tokenizer.to_str())["model"]
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in bpe["merges"]]
    (folder / "vocab.json").write_text(json.dumps(bpe["vocab"]))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))
    config = model.config.to_dict()
    config["text_config"] |= {"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}
    (folder / "config.json").write_text(json.dumps(config))
    size = model.config.vision_config.image_size
    (folder / "preprocessor_config.json").write_text(json.dumps(old_preprocessing(size)))
    weights = dict(model.state_dict())
    length = model.config.text_config.max_position_embeddings
    weights["text_model.embeddings.position_ids"] = torch.arange(length)[None]
    torch.save(weights, folder / "pytorch_model.bin")
    return folder


def change_json(path: Path, **changes: Any) -> None:
    """Set keys of the object in a file; None takes one away."""
    document = {**json.loads(path.read_text()), **changes}
    kept = {key: value for key, value in document.items() if value is not None}
    path.write_text(json.dumps(kept))
