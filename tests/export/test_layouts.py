"""The same weights in each layout that checkpoints come in give the same bundle, byte for byte."""

from __future__ import annotations

import torch
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig

from benchmarks.random_clip import TINY_VOCABULARY, clip_tokenizer
from model_export.checkpoint import load_checkpoint
from model_export.write_bundle import export_bundle
from tests.export.checkpoints import save_new, save_old, save_openclip
from tests.export.models import checkpoint_of


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


def test_every_layout_gives_the_bundle_that_pytorch_s_arrays_give(tmp_path):
    model, tokenizer = clip_with_heads_of_64(), clip_tokenizer()
    checkpoints = {
        "memory": checkpoint_of(model, tokenizer.backend_tokenizer),
        **{
            save.__name__: load_checkpoint(save(tmp_path / save.__name__, model, tokenizer), "x")
            for save in (save_new, save_old, save_openclip)
        },
    }
    files = {
        name: export_bundle(
            checkpoint,
            tmp_path / "out" / name,
            name=name,
            precision={"image": "int8", "text": "fp32"},
        ).files
        for name, checkpoint in checkpoints.items()
    }
    assert len(files) == 4
    for name, digests in files.items():
        assert digests == files["memory"], name
