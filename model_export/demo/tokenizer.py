"""The demo model's tokenizer: a byte-level BPE like CLIP's, learned from the demo's captions."""

from __future__ import annotations

import numpy as np
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from model_export.demo.captions import facts_of, part_of, word
from model_export.demo.scenes import random_scene

START, END = "<|startoftext|>", "<|endoftext|>"
START_ID, END_ID = 0, 1
VOCABULARY = 512
CONTEXT_LENGTH = 32


def train_tokenizer(seed: int) -> Tokenizer:
    """Learn `VOCABULARY` tokens from 4,000 captions; other text falls back to bytes."""
    rng = np.random.default_rng(seed)
    scenes = [random_scene(rng) for _ in range(2000)]
    captions = [word(of(s), rng) for s in scenes for of in (facts_of, lambda s: part_of(s, rng))]

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace("\\s+", " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[START, END],  # in the order of their ids
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(captions, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(START, START_ID), (END, END_ID)]
    )
    return tokenizer
