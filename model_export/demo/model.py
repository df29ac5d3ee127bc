"""The demo model's architecture: the CLIP classes of transformers with 2.9 million parameters."""

from __future__ import annotations

from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig

from model_export.demo.preprocessing import IMAGE_SIZE
from model_export.demo.tokenizer import CONTEXT_LENGTH, END_ID, START_ID, VOCABULARY

PATCH = 8


def new_model() -> CLIPModel:
    """A CLIPModel with random weights, for training."""
    text = CLIPTextConfig(
        vocab_size=VOCABULARY,
        hidden_size=128,
        intermediate_size=512,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=CONTEXT_LENGTH,
        bos_token_id=START_ID,
        eos_token_id=END_ID,
        pad_token_id=END_ID,
        hidden_act="gelu",  # one kernel; CLIP's quick_gelu needs several, forward and backward
    )
    vision = CLIPVisionConfig(
        hidden_size=192,
        intermediate_size=768,
        num_hidden_layers=5,
        num_attention_heads=3,
        image_size=IMAGE_SIZE,
        patch_size=PATCH,
        hidden_act="gelu",
    )
    config = CLIPConfig(
        text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=128
    )
    # at 65 tokens, eager attention trains twice as fast on a CPU as the fused kernel
    return CLIPModel._from_config(config, attn_implementation="eager")
