"""Which files of a checkpoint in transformers' layout the export reads."""

from __future__ import annotations

# The first of these that is there: transformers looks for them in this order.
WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)

# The preprocessing is in one of the two: transformers 5 writes it into the second.
PREPROCESSORS = ("preprocessor_config.json", "processor_config.json")

SMALL_FILES = (
    "config.json",
    *PREPROCESSORS,
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
)

# The same for OpenCLIP's layout, whose names of arrays are others.
OPENCLIP_CONFIG = "open_clip_config.json"
OPENCLIP_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
