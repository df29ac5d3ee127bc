"""Tokenizers of each family's kind with a vocabulary of full size, mostly made up.

They load and split like the real ones: a word of WORDS is one token, as frequent words are.
"""

from __future__ import annotations

import itertools
import json
import string
from collections.abc import Iterator, Sequence
from typing import Any

from tokenizers import (
    AddedToken,
    Tokenizer,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

QUERIES = (
    "two blue mushrooms",
    "a white boat at sunset",
    "a dog and a child playing in the snow",
    "people waiting at a train station",
    "a photo of an old wooden house by the sea",
)
WORDS = tuple(dict.fromkeys(" ".join(QUERIES).split()))
SPACE = "▁"  # SentencePiece's
WORD_END = "</w>"


def clip(vocabulary: int) -> Tokenizer:
    """CLIP's: bytes, bytes that end a word, merges, start, end."""
    start, end = "<|startoftext|>", "<|endoftext|>"
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*alphabet, *(letter + WORD_END for letter in alphabet)]
    merges = _fill(tokens, _learnt(WORD_END, alphabet), tokens[:], vocabulary - 2)
    tokenizer = Tokenizer(
        models.BPE(_numbered(tokens), merges, end_of_word_suffix=WORD_END, unk_token=end)
    )
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(" ", "removed"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    return _laid_out(tokenizer, [start, end], f"{start} $A {end}")


def xlm_roberta(vocabulary: int) -> Tokenizer:
    """XLM-R's and XLM-V's Unigram: start 0, padding 1, end 2."""
    return _unigram(["<s>", "<pad>", "</s>", "<unk>"], "<s> $A </s>", vocabulary)


def siglip(vocabulary: int) -> Tokenizer:
    """SigLIP's Unigram: the end token is 1 and fills up, too."""
    return _unigram(["<pad>", "</s>", "<unk>"], "$A </s>", vocabulary)


def gemma(vocabulary: int) -> Tokenizer:
    """SigLIP 2's BPE over whole texts: padding 0, end 1. The real one has more merges."""
    special = ["<pad>", "<eos>", "<bos>", "<unk>"]
    tokens = [*special, SPACE, *_letters()]
    merges = _fill(tokens, _learnt("", _letters()), _letters(), vocabulary)
    tokenizer = Tokenizer(models.BPE(_numbered(tokens), merges, unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Replace(" ", SPACE)
    return _laid_out(tokenizer, special, "$A <eos>")


def bert(vocabulary: int) -> Tokenizer:
    """Chinese BERT's WordPiece: padding 0, unknown 100, start 101, end 102."""
    special = ["[PAD]", *(f"[unused{i}]" for i in range(1, 100)), "[UNK]", "[CLS]", "[SEP]"]
    tokens = list(dict.fromkeys([*special, *_letters(), *WORDS]))
    tokens += itertools.islice(_made_up("##"), vocabulary - len(tokens))
    tokenizer = Tokenizer(models.WordPiece(_numbered(tokens), unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return _laid_out(tokenizer, ["[PAD]", "[UNK]", "[CLS]", "[SEP]"], "[CLS] $A [SEP]")


def _unigram(special: Sequence[str], layout: str, vocabulary: int) -> Tokenizer:
    frequent = [*special, *_letters(), SPACE, *(SPACE + word for word in WORDS)]
    tokens = [*frequent, *itertools.islice(_made_up(""), vocabulary - len(frequent))]
    scores = [(token, -12.0 + (token in frequent)) for token in tokens]
    tokenizer = Tokenizer(models.Unigram(scores, special.index("<unk>"), byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    return _laid_out(tokenizer, special, layout)


def _laid_out(tokenizer: Tokenizer, special: Sequence[str], layout: str) -> Tokenizer:
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in special])
    around = [(name, tokenizer.token_to_id(name)) for name in layout.split() if name != "$A"]
    tokenizer.post_processor = processors.TemplateProcessing(single=layout, special_tokens=around)
    return tokenizer


def _learnt(word_end: str, alphabet: Sequence[str]) -> list[tuple[str, str]]:
    """The merges that make each of WORDS one token, with a SPACE before it if none has an end."""
    suffix: dict[str, Any] = {"end_of_word_suffix": word_end} if word_end else {}
    learner = Tokenizer(models.BPE(**suffix))
    if word_end:
        learner.pre_tokenizer = pre_tokenizers.Split(" ", "removed")
    else:
        learner.normalizer = normalizers.Replace(" ", SPACE)
        learner.pre_tokenizer = pre_tokenizers.Split(SPACE, "merged_with_next")
    trainer = trainers.BpeTrainer(
        vocab_size=2000,
        initial_alphabet=list(alphabet),
        show_progress=False,
        **suffix,
    )
    learner.train_from_iterator(2 * [f"{word} {word}" for word in WORDS], trainer)
    return [(left, right) for left, right in json.loads(learner.to_str())["model"]["merges"]]


def _fill(
    tokens: list[str],
    learnt: Sequence[tuple[str, str]],
    endings: Sequence[str],
    vocabulary: int,
) -> list[tuple[str, str]]:
    """Add merged tokens until there are `vocabulary`, first `learnt`, then others that end with
    one of `endings`; return the merges."""
    there = set(tokens)
    merges = []
    # `tokens` grows meanwhile, so that later tokens are longer.
    more = (
        (token, ending)
        for token in tokens
        if not token.startswith("<") and not token.endswith(WORD_END)
        for ending in endings
    )
    for left, right in itertools.chain(learnt, more):
        if len(tokens) == vocabulary:
            break
        if left + right not in there:
            there.add(left + right)
            tokens.append(left + right)
            merges.append((left, right))
    return merges


def _letters() -> list[str]:
    return list(string.ascii_lowercase)


def _made_up(prefix: str) -> Iterator[str]:
    """Words of four letters and more that no text has."""
    for length in itertools.count(4):
        for letters in itertools.product("qxzjvkwy", repeat=length):
            yield prefix + "".join(letters)


def _numbered(tokens: Sequence[str]) -> dict[str, int]:
    return {token: number for number, token in enumerate(tokens)}
