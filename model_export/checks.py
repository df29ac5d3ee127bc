"""What a checkpoint must be so that its towers can be written; asked before the long work."""

from __future__ import annotations

from model_export.checkpoint import Checkpoint
from model_export.errors import UnsupportedModel


def start_and_end(checkpoint: Checkpoint) -> tuple[int, int]:
    """The tokens around every text; the text tower pools at the latter. UnsupportedModel."""
    ids = checkpoint.tokenizer.encode("").ids
    if len(ids) != 2:
        raise UnsupportedModel(
            f"the tokenizer makes {ids} of an empty text; it must add a start and an end token"
        )
    start, end = ids
    text = checkpoint.config.text
    pooled = text.vocabulary - 1 if text.pooling == "highest" else text.end_id
    if end != pooled:
        raise UnsupportedModel(
            f"the tokenizer ends texts with token {end}, the model pools at token {pooled} "
            f"(pooling: {text.pooling}, vocabulary {text.vocabulary})"
        )
    return start, end


def check_sizes(checkpoint: Checkpoint) -> None:
    """UnsupportedModel if tokenizer, preprocessing and towers do not fit together."""
    text, vision = checkpoint.config.text, checkpoint.config.vision
    size = checkpoint.preprocessing.size
    if vision.image_size % vision.patch_size:
        raise UnsupportedModel(
            f"an image_size of {vision.image_size} in patches of {vision.patch_size}; "
            "whole patches are supported"
        )
    if size != vision.image_size:
        raise UnsupportedModel(f"image_size {size}; the model's is {vision.image_size}")
    if text.context < 3:
        raise UnsupportedModel(
            f"{text.context} positions; a text needs a start, an end and a token"
        )
    if checkpoint.tokenizer.get_vocab_size() > text.vocabulary:
        raise UnsupportedModel(
            f"the tokenizer knows {checkpoint.tokenizer.get_vocab_size()} tokens, "
            f"the model {text.vocabulary}"
        )
