"""Checkpoints in the layouts that transformers and the Hugging Face hub have had."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPProcessor,
    CLIPTextConfig,
    CLIPTokenizer,
    CLIPVisionConfig,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from benchmarks.random_clip import MEAN, STD, TINY_VOCABULARY, clip_tokenizer

TOP = {
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.final_layer_norm": "ln_final",
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.patch_embedding": "visual.conv1",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
    "vision_model.pre_layrnorm": "visual.ln_pre",
    "vision_model.post_layernorm": "visual.ln_post",
    "text_model.encoder.layers": "transformer.resblocks",
    "vision_model.encoder.layers": "visual.transformer.resblocks",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}


def clip_with_heads_of_64() -> CLIPModel:
    """OpenCLIP's vision towers have no others."""
    torch.manual_seed(5)
    text = CLIPTextConfig(
        vocab_size=TINY_VOCABULARY,
        hidden_size=32,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=20,
        bos_token_id=TINY_VOCABULARY - 2,
        eos_token_id=TINY_VOCABULARY - 1,
    )
    vision = CLIPVisionConfig(
        hidden_size=128,
        intermediate_size=512,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=24,
        patch_size=8,
    )
    config = CLIPConfig(
        text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=40
    )
    return CLIPModel(config).eval()


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


def openclip_state(model: CLIPModel) -> dict[str, torch.Tensor]:
    state = {}
    fused: dict[str, list[torch.Tensor]] = {}
    for name, tensor in model.state_dict().items():
        for ours, theirs in TOP.items():
            name = name.replace(ours, theirs)
        if name == "text_projection.weight":
            state["text_projection"] = tensor.t().contiguous()
        elif name == "visual_projection.weight":
            state["visual.proj"] = tensor.t().contiguous()
        elif "self_attn." in name:
            layer, _, rest = name.partition("self_attn.")
            fused.setdefault(f"{layer}attn.in_proj_{rest.partition('.')[2]}", []).append(tensor)
            order = "kvq".index(rest[0])  # as transformers registers them
            assert len(fused[f"{layer}attn.in_proj_{rest.partition('.')[2]}"]) == order + 1
        else:
            state[name] = tensor
    for name, (key, value, query) in fused.items():
        state[name] = torch.cat([query, key, value])
    return state


def openclip_config(model: CLIPModel) -> dict:
    text, vision = model.config.text_config, model.config.vision_config
    return {
        "model_cfg": {
            "embed_dim": model.config.projection_dim,
            "quick_gelu": text.hidden_act == "quick_gelu",
            "vision_cfg": {
                "image_size": vision.image_size,
                "layers": vision.num_hidden_layers,
                "width": vision.hidden_size,
                "patch_size": vision.patch_size,
            },
            "text_cfg": {
                "context_length": text.max_position_embeddings,
                "vocab_size": text.vocab_size,
                "width": text.hidden_size,
                "heads": text.num_attention_heads,
                "layers": text.num_hidden_layers,
            },
        }
    }


def save_openclip(folder: Path, model: CLIPModel, tokenizer: CLIPTokenizer | None = None) -> Path:
    """As OpenCLIP and timm put it on the hub."""
    folder.mkdir(parents=True)
    save_file(openclip_state(model), folder / "open_clip_model.safetensors")
    (folder / "open_clip_config.json").write_text(json.dumps(openclip_config(model)))
    (folder / "config.json").write_text('{"architecture": "vit_base_patch32_clip_224"}')  # timm's
    (tokenizer or clip_tokenizer()).save_pretrained(folder)
    return folder


def change_json(path: Path, **changes: Any) -> None:
    """Set keys of the object in a file; None takes one away."""
    document = {**json.loads(path.read_text()), **changes}
    kept = {key: value for key, value in document.items() if value is not None}
    path.write_text(json.dumps(kept))
