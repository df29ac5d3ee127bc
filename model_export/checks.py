"""What a checkpoint must be so that its towers can be written; asked before the long work."""

from __future__ import annotations

from model_export.checkpoint import Checkpoint
from model_export.errors import UnsupportedModel


def start_and_end(checkpoint: Checkpoint) -> tuple[int | None, int]:
    """The tokens around every text. SigLIP has no start token. UnsupportedModel."""
    ids = checkpoint.tokenizer.encode("").ids
    siglip = checkpoint.config.family == "siglip"
    if len(ids) != (1 if siglip else 2):
        tokens = "an end token and nothing else" if siglip else "a start and an end token"
        raise UnsupportedModel(f"the tokenizer makes {ids} of an empty text; it must add {tokens}")
    _check_pooling(checkpoint, ids[-1])
    _check_padding(checkpoint, ids)
    return None if siglip else ids[0], ids[-1]


def _check_pooling(checkpoint: Checkpoint, end: int) -> None:
    """The first and the last token need no check: each text has them."""
    text = checkpoint.config.text
    if text.pooling not in ("end", "highest"):
        return
    pooled = text.vocabulary - 1 if text.pooling == "highest" else text.end_id
    if end != pooled:
        raise UnsupportedModel(
            f"the tokenizer ends texts with token {end}, the model pools at token {pooled} "
            f"(pooling: {text.pooling}, vocabulary {text.vocabulary})"
        )


def _check_padding(checkpoint: Checkpoint, ids: list[int]) -> None:
    text, padding = checkpoint.config.text, checkpoint.padding
    token = None if padding is None else padding.token
    if token is not None and token >= text.vocabulary:
        raise UnsupportedModel(
            f"texts are padded with token {token}; the model has {text.vocabulary} tokens"
        )
    if text.pad_id is not None and text.pad_id in ids:
        raise UnsupportedModel(
            f"pad_token_id {text.pad_id} is a token around every text ({ids}), and the model "
            "does not look at padding"
        )


def check_sizes(checkpoint: Checkpoint) -> None:
    """UnsupportedModel if tokenizer, preprocessing and towers do not fit together."""
    text, vision = checkpoint.config.text, checkpoint.config.vision
    size = checkpoint.preprocessing.size
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
