"""SentencePiece's Unigram: XLM-RoBERTa's tokenizer (MetaCLIP 2, AltCLIP) and SigLIP's."""

from __future__ import annotations

import re
import string

from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers, processors

from model_export.tokenizers.files import TOKENIZER_JSON, TokenizerFiles, precompiled, special

SPACE = "▁"


def read_xlm_roberta(files: TokenizerFiles) -> Tokenizer:
    """XLMRobertaTokenizer: `<s> text </s>`."""
    tokenizer, table = _unigram(files)
    if table is not None:
        tokenizer.normalizer = normalizers.Precompiled(table)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            _spaces(bool(files.config.get("add_prefix_space", True))),
        ]
    )
    start, end = files.token("bos_token", "<s>"), files.token("eos_token", "</s>")
    tokenizer.post_processor = processors.TemplateProcessing(
        single=[start, "$A", end], special_tokens=special(tokenizer, start, end)
    )
    return tokenizer


def read_siglip(files: TokenizerFiles) -> Tokenizer:
    """SiglipTokenizer: lower case without punctuation, `text </s>`."""
    tokenizer, table = _unigram(files)
    steps: list[normalizers.Normalizer] = [normalizers.Replace(SPACE, " ")]
    if files.config.get("do_lower_case", True):
        # Lowercase knows no final sigma; Python's lower() does
        steps += [normalizers.Replace(Regex(r"(?<=\p{L})Σ(?!\p{L})"), "ς"), normalizers.Lowercase()]
    steps += [
        normalizers.Replace(Regex(f"[{re.escape(string.punctuation)}]"), ""),
        normalizers.Replace(Regex(r"\s+"), " "),
        normalizers.Strip(),
    ]
    if table is not None:
        # the table may give spaces again: for an accent without a letter
        steps += [normalizers.Precompiled(table), normalizers.Replace(Regex(" {2,}"), " ")]
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = _spaces(prefix=True)
    end = files.token("eos_token", "</s>")
    tokenizer.post_processor = processors.TemplateProcessing(
        single=["$A", end], special_tokens=special(tokenizer, end)
    )
    return tokenizer


def _unigram(files: TokenizerFiles) -> tuple[Tokenizer, bytes | None]:
    """The tokenizer in tokenizer.json without a normalizer, and the table of that."""
    document = files.document("Unigram")
    tokenizer = Tokenizer.from_str(files.text(TOKENIZER_JSON))
    tokenizer.normalizer = None
    return tokenizer, precompiled(document)


def _spaces(prefix: bool) -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Metaspace(
        replacement=SPACE, prepend_scheme="always" if prefix else "never"
    )
