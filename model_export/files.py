"""Which files of a checkpoint the export reads: of transformers' layout, or of OpenCLIP's."""

from __future__ import annotations

from collections.abc import Collection

CONFIG = "config.json"

# The first of these that is there: transformers looks for them in this order.
WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)

# The same for OpenCLIP's layout, whose names of arrays are others.
OPENCLIP_CONFIG = "open_clip_config.json"
OPENCLIP_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")

# The preprocessing is in one of the two: transformers 5 writes it into the second.
PREPROCESSORS = ("preprocessor_config.json", "processor_config.json")
TOKENIZERS = ("tokenizer.json", "vocab.json", "vocab.txt")

SMALL_FILES = (
    CONFIG,
    OPENCLIP_CONFIG,
    *PREPROCESSORS,
    *TOKENIZERS,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "merges.txt",
)


def weights_of(names: Collection[str], is_openclip: bool) -> str | None:
    """Which of the files `names` has the weights, or lists the files that have them."""
    wanted = OPENCLIP_WEIGHTS if is_openclip else WEIGHTS
    return next((name for name in wanted if name in names), None)


def lacking(names: Collection[str], is_openclip: bool) -> str | None:
    """What the files `names` lack to be a checkpoint; None if nothing."""
    wanted: dict[str, tuple[str, ...]] = {"tokenizer": TOKENIZERS}
    if not is_openclip:
        wanted["preprocessing"] = PREPROCESSORS
    wanted["weights"] = OPENCLIP_WEIGHTS if is_openclip else WEIGHTS
    for what, files in wanted.items():
        if not any(name in names for name in files):
            return f"{what} ({', '.join(files)})"
    return None
