"""What a checkpoint says about its tokenizer."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer

TOKENIZER_JSON = "tokenizer.json"


@dataclass(frozen=True, slots=True)
class TokenizerFiles:
    """The folder of a checkpoint, and the object in its tokenizer_config.json."""

    folder: Path
    config: Mapping[str, Any]

    def token(self, name: str, default: str) -> str:
        """A special token: in tokenizer_config.json it is a text, or an AddedToken."""
        value = self.config.get(name) or default
        return str(value["content"] if isinstance(value, dict) else value)

    def has(self, *names: str) -> bool:
        return all((self.folder / name).exists() for name in names)

    def text(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")

    def document(self, kind: str) -> dict[str, Any]:
        """The object in tokenizer.json. ValueError if its model is not of this kind."""
        document: dict[str, Any] = json.loads(self.text(TOKENIZER_JSON))
        found = document["model"]["type"]
        if found != kind:
            raise ValueError(f"{TOKENIZER_JSON} holds a {found}; this tokenizer is a {kind}")
        return document


def precompiled(document: Mapping[str, Any]) -> bytes | None:
    """SentencePiece's table of characters in a tokenizer.json: which become which."""
    for step in _steps(document.get("normalizer")):
        if step.get("type") == "Precompiled":
            return base64.b64decode(step["precompiled_charsmap"])
    return None


def _steps(normalizer: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
    if normalizer is None:
        return
    if normalizer["type"] == "Sequence":
        for step in normalizer["normalizers"]:
            yield from _steps(step)
    else:
        yield normalizer


def special(tokenizer: Tokenizer, *tokens: str) -> list[tuple[str, int]]:
    """Make `tokens` special and return each with its number. ValueError if one is not in the
    vocabulary."""
    for token in tokens:
        if tokenizer.token_to_id(token) is None:
            raise ValueError(f"the vocabulary has no {token}")
    tokenizer.add_special_tokens(
        [AddedToken(token, normalized=False, special=True) for token in tokens]
    )
    numbers = tokenizer.get_vocab()
    return [(token, numbers[token]) for token in tokens]
