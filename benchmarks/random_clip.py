"""CLIPs with random weights and CLIP's own kind of tokenizer, of any size, for tests of the
export, the golden vectors and the benchmarks."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, pre_tokenizers, trainers
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPProcessor,
    CLIPTextConfig,
    CLIPTokenizer,
    CLIPVisionConfig,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from model_export.samples import texts

START, END = "<|startoftext|>", "<|endoftext|>"
WORD_END = "</w>"
CLIP_VOCABULARY, TINY_VOCABULARY = 49_408, 600
MEAN = (0.48145466, 0.4578275, 0.40821073)  # OpenAI's CLIP, of its training pictures
STD = (0.26862954, 0.26130258, 0.27577711)


def tiny_clip(seed: int = 0, *, act: str = "quick_gelu") -> CLIPModel:
    """0.1 million parameters: 24 px, patch 8, two layers a tower, other widths in each."""
    torch.manual_seed(seed)
    text = CLIPTextConfig(
        vocab_size=TINY_VOCABULARY,
        hidden_size=32,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=20,
        hidden_act=act,
        bos_token_id=TINY_VOCABULARY - 2,
        eos_token_id=TINY_VOCABULARY - 1,
        pad_token_id=TINY_VOCABULARY - 1,
    )
    vision = CLIPVisionConfig(
        hidden_size=48,
        intermediate_size=144,
        num_hidden_layers=2,
        num_attention_heads=3,
        image_size=24,
        patch_size=8,
        hidden_act=act,
    )
    return _lively(CLIPModel(_config(text, vision, 40)))


def vit_b32() -> CLIPModel:
    """The size of openai/clip-vit-base-patch32: 151 million parameters."""
    torch.manual_seed(0)
    ids = {"bos_token_id": CLIP_VOCABULARY - 2, "eos_token_id": CLIP_VOCABULARY - 1}
    text = CLIPTextConfig(**ids, pad_token_id=CLIP_VOCABULARY - 1)
    return CLIPModel(_config(text, CLIPVisionConfig(), 512)).eval()


def save_vit_b32(folder: Path, words: Sequence[str] = ()) -> Path:
    """vit_b32 as a checkpoint of transformers; each of `words` is one token."""
    vit_b32().save_pretrained(folder)
    tokenizer = clip_tokenizer(CLIP_VOCABULARY, words)
    CLIPProcessor(CLIPImageProcessorPil(), tokenizer).save_pretrained(folder)
    return folder


def _config(text: CLIPTextConfig, vision: CLIPVisionConfig, dim: int) -> CLIPConfig:
    return CLIPConfig(
        text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=dim
    )


def _lively(model: CLIPModel) -> CLIPModel:
    """Fresh weights give nearly the same vector whatever the input, and would hide a fault."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1:
                weight.mul_(4)
            elif "bias" in name:
                weight.normal_(std=0.1)
            elif "norm" in name:
                weight.uniform_(0.5, 1.5)
    return model.eval()


def clip_tokenizer(vocabulary: int = TINY_VOCABULARY, words: Sequence[str] = ()) -> CLIPTokenizer:
    """CLIP's tokenizer with merges learnt from `words` (each becomes one token) and the sample
    texts, its vocabulary in CLIP's order: bytes, bytes that end a word, merges, start, end.
    Filled up with merges that few texts have.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = dict.fromkeys([*alphabet, *(letter + WORD_END for letter in alphabet)])
    merges = []
    learnt = _learn_merges(alphabet, [*texts(count=200), *words, *words])
    middles = list(dict.fromkeys(left for left, _ in learnt))
    filling = ((left, right) for right in list(tokens) for left in middles)
    for left, right in itertools.chain(learnt, filling):
        if len(tokens) == vocabulary - 2:
            break
        if left + right not in tokens:
            tokens[left + right] = None
            merges.append((left, right))
    names = [*tokens, START, END]
    return CLIPTokenizer(
        vocab={name: number for number, name in enumerate(names)},
        merges=merges,
        model_max_length=77,
    )


def _learn_merges(alphabet: list[str], sentences: list[str]) -> list[tuple[str, str]]:
    learner = Tokenizer.from_str(CLIPTokenizer().backend_tokenizer.to_str())
    trainer = trainers.BpeTrainer(
        vocab_size=4000,
        initial_alphabet=alphabet,
        end_of_word_suffix=WORD_END,
        show_progress=False,
    )
    learner.train_from_iterator(sentences, trainer)
    return [tuple(merge) for merge in json.loads(learner.to_str())["model"]["merges"]]
