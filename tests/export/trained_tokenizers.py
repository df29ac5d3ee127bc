"""Small tokenizers of each family's kind, learnt from captions in 20 languages, as transformers'
own classes have and save them."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import (
    BertTokenizer,
    CLIPTokenizer,
    GemmaTokenizer,
    PreTrainedTokenizerBase,
    XLMRobertaTokenizer,
)
from transformers.models.siglip2.tokenization_siglip2 import Siglip2Tokenizer

from tests.export.languages import captions

# A table of characters as a SentencePiece model has it (precompiled_charsmap), but of 16 rules:
# for ﬁ, full-width letters and digits, ½, ™, ①, ㍿, single accents, … and e with U+0301.
TABLE = zlib.decompress(
    base64.b64decode(
        "eNod01dMFFEUxvFvF0008UF9MkYNsddVwC72XrBi7wUU+4O97uqaYBQR7NhWRAKIIoh9KYoFde29K92OvZf/ZZJfzpnM"
        "zZ0z59xRKUnrLQry95JHVjmqSnUlexnwyF4Jcc1kLntFRBRZFVtaKkcevVBKqiVVJ3eVlVIGS+XJU+dKYcVWZbCuAfcO"
        "Isvs9kyrKhOrIG205My2qhp5Yp5V3sQaKtnLrFVN1EFt1FNJTWYv1UcjNERj2OB2eqkJ0Q++MOU2RQs0Ryu0RBu0Rlv4"
        "oz3aISLAog7EDUEWRVawqCt5F3RHN/RED/RGLwSgD/qhLwagPwZhIGiDAjEUQzAcwzASI8CnaxTGYgzGYxwmYgKCMAmT"
        "EYwQTME0TMUMTMcszMSeZItmE/fyHdHktF9zMB/zwJi0AIuxCEuxBMuxDA4zXKzECqyCEzlsmsvC1eShWIP3DC+MuBbh"
        "WGf6Z46Q6R8isQkbsQWbsQ1bsR1R2Ikd2I1dpn64TP2Ixj7E4AyHL5YYjzjsRwIOIBFJOIhkHMJhpOAIUnEMR3ECx3EK"
        "J5FmzgwykI7TyESWeSfO4Swu4DwuIhuXcQlX4ME1XMUNXMct3MQd3MY93MUD3McjPMQTPMYzPMULPEeu6TnykYdCFOAl"
        "ivAar/AWb8ws8A4fUIxP+Igv+Ixv+Iof+I5f+Ik/+I1/+AtvjwNOhMpms8lHPjkOpy//kp86qpM6KzBAwSHKileBKyHf"
        "HZ7njiqMSdd/KIS0Rw=="
    )
)
XLM_TOKENS = ["<s>", "<pad>", "</s>", "<unk>"]
GEMMA_TOKENS = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
BERT_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def clip() -> CLIPTokenizer:
    tokenizer = CLIPTokenizer().backend_tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        end_of_word_suffix="</w>",
        special_tokens=["<|startoftext|>", "<|endoftext|>"],
        show_progress=False,
    )
    learnt = _learnt(tokenizer, trainer)
    return CLIPTokenizer(vocab=learnt["vocab"], merges=[tuple(m) for m in learnt["merges"]])


def xlm_roberta() -> XLMRobertaTokenizer:
    tokenizer = XLMRobertaTokenizer(_spm_precompiled_charsmap=TABLE).backend_tokenizer
    trainer = trainers.UnigramTrainer(
        vocab_size=500, special_tokens=XLM_TOKENS, unk_token="<unk>", show_progress=False
    )
    learnt = _learnt(tokenizer, trainer)
    vocab = [(piece, score) for piece, score in learnt["vocab"]]
    return XLMRobertaTokenizer(vocab=[*vocab, ("<mask>", 0.0)], _spm_precompiled_charsmap=TABLE)


def gemma(kind: type[PreTrainedTokenizerBase] = Siglip2Tokenizer) -> PreTrainedTokenizerBase:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Lowercase(), normalizers.Replace(" ", "▁")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", behavior="merged_with_next")
    all_bytes = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=800, special_tokens=[*GEMMA_TOKENS, *all_bytes], show_progress=False
    )
    # rare letters are left to the bytes, such as those of Thai
    learnt = _learnt(tokenizer, trainer, [text for text in captions() if not text > "\u0e00"])
    return kind(
        vocab=learnt["vocab"],
        merges=[tuple(merge) for merge in learnt["merges"]],
        add_bos_token=False,
        add_eos_token=True,
        padding_side="right",
    )


def gemma_with_capitals() -> PreTrainedTokenizerBase:
    """What the checkpoints of SigLIP 2 with a fixed resolution name."""
    return gemma(GemmaTokenizer)


def bert(**options: bool) -> BertTokenizer:
    tokenizer = BertTokenizer(**options).backend_tokenizer
    trainer = trainers.WordPieceTrainer(
        vocab_size=900, special_tokens=BERT_TOKENS, show_progress=False
    )
    # some letters become [UNK]
    learnt = _learnt(tokenizer, trainer, [text for text in captions() if "د" not in text])
    return BertTokenizer(vocab=learnt["vocab"], **options)


def bert_with_capitals() -> BertTokenizer:
    return bert(do_lower_case=False, tokenize_chinese_chars=False)


def save_vocab_txt(tokenizer: BertTokenizer, folder: Path) -> None:
    """As BERT's checkpoints of before 2020 have it: no tokenizer.json."""
    folder.mkdir(parents=True)
    numbers = tokenizer.get_vocab()
    lines = sorted(numbers, key=lambda token: numbers[token])
    (folder / "vocab.txt").write_text("\n".join([*lines, ""]), encoding="utf-8")


def _learnt(
    tokenizer: Tokenizer, trainer: trainers.Trainer, texts: Iterable[str] | None = None
) -> dict[str, Any]:
    tokenizer.train_from_iterator(captions() if texts is None else texts, trainer)
    model: dict[str, Any] = json.loads(tokenizer.to_str())["model"]
    return model
