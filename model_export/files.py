"""Which files of a checkpoint the export reads: of transformers' layout, or of OpenCLIP's."""

from __future__ import annotations

from collections.abc import Collection

CONFIG = "config.json"
OPEN_CLIP_CONFIG = "open_clip_config.json"

# The first of these that is there: safetensors before pickles, transformers' before OpenCLIP's.
WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "open_clip_model.safetensors",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "open_clip_pytorch_model.bin",
)
OPEN_CLIP_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")

# The preprocessing is in one of the two: transformers 5 writes it into the second.
PREPROCESSORS = ("preprocessor_config.json", "processor_config.json")

SMALL_FILES = (
    CONFIG,
    OPEN_CLIP_CONFIG,
    *PREPROCESSORS,
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
)
TOKENIZERS = ("tokenizer.json", "vocab.json", "vocab.txt")


def weights_of(names: Collection[str], *, is_transformers: bool = True) -> str | None:
    """Which of the files `names` has the weights, or lists the files that have them.

    `is_transformers`: the config.json is of transformers. timm's is not, and neither are the
    weights beside it.
    """
    for name in WEIGHTS:
        if name in names and (
            OPEN_CLIP_CONFIG in names if name in OPEN_CLIP_WEIGHTS else is_transformers
        ):
            return name
    return None


def lacking(names: Collection[str]) -> str | None:
    """What the files `names` lack to be a checkpoint; None if nothing."""
    if OPEN_CLIP_CONFIG not in names and not any(name in names for name in PREPROCESSORS):
        return f"preprocessing ({' or '.join(PREPROCESSORS)})"
    if not any(name in names for name in TOKENIZERS):
        return f"tokenizer ({', '.join(TOKENIZERS)})"
    return None
