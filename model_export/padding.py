"""What fills texts up to one length, by family: what the model was trained with, or masks."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer

from clipsearch.model.variants import Padding
from model_export.config import ModelConfig
from model_export.errors import BadCheckpoint
from model_export.tokenizers.files import TokenizerFiles
from model_export.tokenizers.read import tokenizer_config

# If tokenizer_config.json does not say: SigLIP pads with its end token, SigLIP 2 does not.
SIGLIP, SIGLIP_PAD, OTHER_PAD = "SiglipTokenizer", "</s>", "<pad>"


def read_padding(
    folder: Path, config: ModelConfig, tokenizer: Tokenizer, where: str
) -> Padding | None:
    """None for CLIP and MetaCLIP 2, which read nothing after the end token. BadCheckpoint."""
    if config.text.pad_id is not None:  # masked
        return Padding(config.text.pad_id, None)
    if config.family != "siglip":
        return None
    files = TokenizerFiles(folder, tokenizer_config(folder, where))
    kind = str(files.config.get("tokenizer_class") or SIGLIP).removesuffix("Fast")
    token = files.token("pad_token", SIGLIP_PAD if kind == SIGLIP else OTHER_PAD)
    number = tokenizer.token_to_id(token)
    if number is None:
        raise BadCheckpoint(where, f"pads texts with {token!r}, which its tokenizer does not know")
    return Padding(number, config.text.context)
