"""The names and shapes of the weights that a checkpoint must have."""

from __future__ import annotations

from model_export.config import ModelConfig, TowerConfig

Shapes = dict[str, tuple[int, ...]]


def clip_shapes(config: ModelConfig) -> Shapes:
    """As transformers' CLIPModel names them; a linear layer's weight is (out, in)."""
    text, vision, dim = config.text, config.vision, config.dim
    return {
        "logit_scale": (),
        "text_projection.weight": (dim, text.width),
        "visual_projection.weight": (dim, vision.width),
        "text_model.embeddings.token_embedding.weight": (text.vocabulary, text.width),
        "text_model.embeddings.position_embedding.weight": (text.positions, text.width),
        **_norm("text_model.final_layer_norm", text.width),
        **_layers("text_model.", text),
        "vision_model.embeddings.class_embedding": (vision.width,),
        "vision_model.embeddings.patch_embedding.weight": (
            *(vision.width, 3, vision.patch_size, vision.patch_size),
        ),
        "vision_model.embeddings.position_embedding.weight": (vision.side**2 + 1, vision.width),
        **_norm("vision_model.pre_layrnorm", vision.width),
        **_norm("vision_model.post_layernorm", vision.width),
        **_layers("vision_model.", vision),
    }


def _layers(prefix: str, config: TowerConfig) -> Shapes:
    width, mlp = config.width, config.mlp_width
    shapes: Shapes = {}
    for number in range(config.layers):
        at = f"{prefix}encoder.layers.{number}."
        shapes |= {**_norm(f"{at}layer_norm1", width), **_norm(f"{at}layer_norm2", width)}
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes |= _linear(f"{at}self_attn.{name}", width, width)
        shapes |= {**_linear(f"{at}mlp.fc1", mlp, width), **_linear(f"{at}mlp.fc2", width, mlp)}
    return shapes


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _linear(name: str, out: int, inputs: int) -> Shapes:
    return {f"{name}.weight": (out, inputs), f"{name}.bias": (out,)}
