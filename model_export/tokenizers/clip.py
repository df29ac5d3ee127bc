"""CLIP's tokenizer (CLIPTokenizer): a byte-level BPE with "</w>" at the end of a word."""

from __future__ import annotations

import json

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

from model_export.tokenizers.files import TOKENIZER_JSON, TokenizerFiles

START, END = "<|startoftext|>", "<|endoftext|>"
WORD_END = "</w>"

# OpenAI's pattern (simple_tokenizer.py in github.com/openai/CLIP).
WORDS = (
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d"
    r"|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
)


def read_clip(files: TokenizerFiles) -> Tokenizer:
    """From tokenizer.json, or vocab.json and merges.txt."""
    vocabulary, merges = _from_json(files) if files.has(TOKENIZER_JSON) else _from_two_files(files)
    return clip_bpe(
        vocabulary, merges, files.token("bos_token", START), files.token("eos_token", END)
    )


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


def _from_json(files: TokenizerFiles) -> tuple[dict[str, int], list[tuple[str, str]]]:
    model = files.document("BPE")["model"]
    if model["end_of_word_suffix"] != WORD_END:
        raise ValueError(f"{TOKENIZER_JSON} does not end words with {WORD_END}; CLIP's does")
    return model["vocab"], [_pair(merge) for merge in model["merges"]]


def _from_two_files(files: TokenizerFiles) -> tuple[dict[str, int], list[tuple[str, str]]]:
    vocabulary = json.loads(files.text("vocab.json"))
    lines = files.text("merges.txt").split("\n")
    merges = [_pair(line) for line in lines if line.strip() and not line.startswith("#version")]
    return vocabulary, merges


def _pair(merge: str | list[str]) -> tuple[str, str]:
    left, right = merge.split() if isinstance(merge, str) else merge
    return left, right
