"""The names and shapes of the weights that a checkpoint must have, as transformers' models name
them. A linear layer's weight is (out, in)."""

from __future__ import annotations

from model_export.config import ModelConfig, TextConfig, TowerConfig, VisionConfig

Shapes = dict[str, tuple[int, ...]]


def clip_shapes(config: ModelConfig) -> Shapes:
    text = config.text
    return {
        "text_projection.weight": (config.dim, text.width),
        **_clip_text(text),
        **_clip_image(config),
    }


def siglip_shapes(config: ModelConfig) -> Shapes:
    text, vision = config.text, config.vision
    at = "vision_model."
    return {
        "logit_scale": (1,),
        "logit_bias": (1,),
        **_clip_text(text),
        **_linear("text_model.head", config.dim, text.width),
        **_patches(vision),
        f"{at}embeddings.patch_embedding.bias": (vision.width,),
        f"{at}embeddings.position_embedding.weight": (vision.side**2, vision.width),
        **_layers(at, vision),
        **_norm(f"{at}post_layernorm", vision.width),
        f"{at}head.probe": (1, 1, vision.width),
        f"{at}head.attention.in_proj_weight": (3 * vision.width, vision.width),
        f"{at}head.attention.in_proj_bias": (3 * vision.width,),
        **_linear(f"{at}head.attention.out_proj", vision.width, vision.width),
        **_norm(f"{at}head.layernorm", vision.width),
        **_mlp(f"{at}head.", vision),
    }


def chinese_clip_shapes(config: ModelConfig) -> Shapes:
    return {
        "text_projection.weight": (config.dim, config.text.width),
        **_bert(config.text, "text_model."),
        **_clip_image(config),
    }


def altclip_shapes(config: ModelConfig) -> Shapes:
    text, teacher = config.text, config.text.projection
    assert teacher is not None
    return {
        "text_projection.weight": (config.dim, teacher),
        **_bert(text, "text_model.roberta.", layer="layers"),
        **_norm("text_model.pre_LN", text.width),
        **_linear("text_model.transformation", teacher, text.width),
        **_clip_image(config),
    }


def _clip_text(text: TextConfig) -> Shapes:
    return {
        "text_model.embeddings.token_embedding.weight": (text.vocabulary, text.width),
        "text_model.embeddings.position_embedding.weight": (text.positions, text.width),
        **_layers("text_model.", text),
        **_norm("text_model.final_layer_norm", text.width),
    }


def _clip_image(config: ModelConfig) -> Shapes:
    """The scale of the logits too."""
    vision, at = config.vision, "vision_model."
    return {
        "logit_scale": (),
        "visual_projection.weight": (config.dim, vision.width),
        f"{at}embeddings.class_embedding": (vision.width,),
        **_patches(vision),
        f"{at}embeddings.position_embedding.weight": (vision.side**2 + 1, vision.width),
        **_norm(f"{at}pre_layrnorm", vision.width),
        **_layers(at, vision),
        **_norm(f"{at}post_layernorm", vision.width),
    }


def _patches(vision: VisionConfig) -> Shapes:
    shape = (vision.width, 3, vision.patch_size, vision.patch_size)
    return {"vision_model.embeddings.patch_embedding.weight": shape}


def _layers(prefix: str, config: TowerConfig) -> Shapes:
    width = config.width
    shapes: Shapes = {}
    for number in range(config.layers):
        at = f"{prefix}encoder.layers.{number}."
        shapes |= {**_norm(f"{at}layer_norm1", width), **_norm(f"{at}layer_norm2", width)}
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes |= _linear(f"{at}self_attn.{name}", width, width)
        shapes |= _mlp(at, config)
    return shapes


def _bert(text: TextConfig, prefix: str, layer: str = "layer") -> Shapes:
    width, mlp, at = text.width, text.mlp_width, f"{prefix}embeddings."
    shapes = {
        f"{at}word_embeddings.weight": (text.vocabulary, width),
        f"{at}position_embeddings.weight": (text.positions, width),
        f"{at}token_type_embeddings.weight": (text.types, width),
        **_norm(f"{at}LayerNorm", width),
    }
    for number in range(text.layers):
        at = f"{prefix}encoder.{layer}.{number}."
        for name in ("self.query", "self.key", "self.value", "output.dense"):
            shapes |= _linear(f"{at}attention.{name}", width, width)
        shapes |= {
            **_norm(f"{at}attention.output.LayerNorm", width),
            **_linear(f"{at}intermediate.dense", mlp, width),
            **_linear(f"{at}output.dense", width, mlp),
            **_norm(f"{at}output.LayerNorm", width),
        }
    return shapes


def _mlp(at: str, config: TowerConfig) -> Shapes:
    width, mlp = config.width, config.mlp_width
    return {**_linear(f"{at}mlp.fc1", mlp, width), **_linear(f"{at}mlp.fc2", width, mlp)}


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _linear(name: str, out: int, inputs: int) -> Shapes:
    return {f"{name}.weight": (out, inputs), f"{name}.bias": (out,)}
