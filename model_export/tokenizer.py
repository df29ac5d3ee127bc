"""The tokenizer of a CLIP checkpoint, as transformers' CLIPTokenizer has it.

Byte-level BPE with "</w>" at the end of a word. A checkpoint brings the vocabulary and the merges;
the steps before and after them are the same for each CLIP, so they are built here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    normalizers,
    pre_tokenizers,
    processors,
)
from tokenizers.models import BPE

from model_export.errors import BadCheckpoint, first_line

START, END = "<|startoftext|>", "<|endoftext|>"
WORD_END = "</w>"
KINDS = {None, "CLIPTokenizer", "CLIPTokenizerFast"}

# OpenAI's pattern (simple_tokenizer.py in github.com/openai/CLIP).
WORDS = (
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d"
    r"|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
)


def read_tokenizer(folder: Path, where: str) -> Tokenizer:
    """From tokenizer.json, or vocab.json and merges.txt. BadCheckpoint(where, …)."""
    config = _config(folder, where)
    if (kind := config.get("tokenizer_class")) not in KINDS:
        raise BadCheckpoint(where, f"has a {kind}; CLIPTokenizer is supported")
    files = {path.name for path in folder.iterdir()}
    if "tokenizer.json" not in files and not {"vocab.json", "merges.txt"} <= files:
        raise BadCheckpoint(
            where, "has no tokenizer: no tokenizer.json, nor vocab.json and merges.txt"
        )
    try:
        vocabulary, merges = (
            _from_json(folder) if "tokenizer.json" in files else _from_two_files(folder)
        )
        return clip_bpe(vocabulary, merges, _content(config, "bos_token", START),
                        _content(config, "eos_token", END))  # fmt: skip
    except Exception as exc:  # tokenizers raises bare Exceptions
        raise BadCheckpoint(where, f"has a damaged tokenizer: {first_line(exc)}") from exc


def clip_bpe(
    vocabulary: dict[str, int],
    merges: list[tuple[str, str]],
    start: str = START,
    end: str = END,
) -> Tokenizer:
    """CLIP's tokenizer; it puts the tokens `start` and `end` around each text."""
    model = BPE(
        vocab=vocabulary,
        merges=merges,
        continuing_subword_prefix="",
        end_of_word_suffix=WORD_END,
        fuse_unk=False,
        unk_token=end,
    )
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [AddedToken(token, normalized=False, special=True) for token in (start, end)]
    )
    numbers = tokenizer.get_vocab()
    tokenizer.post_processor = processors.RobertaProcessing(
        (end, numbers[end]),
        (start, numbers[start]),
        False,  # trim_offsets
        False,  # add_prefix_space
    )
    return tokenizer


def _from_json(folder: Path) -> tuple[dict[str, int], list[tuple[str, str]]]:
    model = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    if model["type"] != "BPE" or model["end_of_word_suffix"] != WORD_END:
        raise ValueError(f"tokenizer.json holds a {model['type']}; a BPE with {WORD_END} is CLIP's")
    return model["vocab"], [_pair(merge) for merge in model["merges"]]


def _from_two_files(folder: Path) -> tuple[dict[str, int], list[tuple[str, str]]]:
    vocabulary = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    lines = (folder / "merges.txt").read_text(encoding="utf-8").split("\n")
    merges = [_pair(line) for line in lines if line.strip() and not line.startswith("#version")]
    return vocabulary, merges


def _pair(merge: str | list[str]) -> tuple[str, str]:
    left, right = merge.split() if isinstance(merge, str) else merge
    return left, right


def _config(folder: Path, where: str) -> dict[str, Any]:
    path = folder / "tokenizer_config.json"
    if not path.exists():
        return {}
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as exc:
        raise BadCheckpoint(where, f"has a damaged tokenizer_config.json: {exc}") from exc
    return document if isinstance(document, dict) else {}


def _content(config: dict[str, Any], key: str, default: str) -> str:
    """A special token: the text, or an AddedToken as a dictionary."""
    value = config.get(key) or default
    return str(value["content"] if isinstance(value, dict) else value)
