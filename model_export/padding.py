"""What fills texts up to one length, by family: what the model was trained with, or masks."""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import Tokenizer

from clipsearch.model.variants import Padding
from model_export.config import ModelConfig
from model_export.errors import BadCheckpoint

# transformers' defaults for a tokenizer_config.json without pad_token.
SIGLIP_PAD, OTHER_PAD = "</s>", "<pad>"


def read_padding(
    folder: Path, config: ModelConfig, tokenizer: Tokenizer, where: str
) -> Padding | None:
    """None for CLIP and MetaCLIP 2, which read nothing after the end token. BadCheckpoint."""
    if config.text.pad_id is not None:  # masked
        return Padding(config.text.pad_id, None)
    if config.family != "siglip":
        return None
    token = _pad_token(folder, where)
    number = tokenizer.token_to_id(token)
    if number is None:
        raise BadCheckpoint(where, f"pads texts with {token!r}, which its tokenizer does not know")
    return Padding(number, config.text.context)


def _pad_token(folder: Path, where: str) -> str:
    """SigLIP's is its end token; SigLIP 2 has another one."""
    path = folder / "tokenizer_config.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        token = document.get("pad_token")
        if token is None:
            is_first = document.get("tokenizer_class", "SiglipTokenizer") == "SiglipTokenizer"
            return SIGLIP_PAD if is_first else OTHER_PAD
        return str(token["content"] if isinstance(token, dict) else token)
    except (ValueError, AttributeError, KeyError) as exc:
        raise BadCheckpoint(where, f"has a damaged tokenizer_config.json: {exc}") from exc
