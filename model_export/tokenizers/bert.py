"""Chinese-CLIP's tokenizer: BERT's WordPiece (BertTokenizer)."""

from __future__ import annotations

from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import WordPiece

from model_export.tokenizers.files import TOKENIZER_JSON, TokenizerFiles, special


def read_bert(files: TokenizerFiles) -> Tokenizer:
    """`[CLS] text [SEP]`, from tokenizer.json or vocab.txt."""
    config = files.config
    vocabulary = _vocabulary(files)
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token=files.token("unk_token", "[UNK]")))
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=bool(config.get("tokenize_chinese_chars", True)),
        strip_accents=config.get("strip_accents"),
        lowercase=bool(config.get("do_lower_case", True)),
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    start, end = files.token("cls_token", "[CLS]"), files.token("sep_token", "[SEP]")
    tokenizer.post_processor = processors.TemplateProcessing(
        single=[start, "$A", end], special_tokens=special(tokenizer, start, end)
    )
    return tokenizer


def _vocabulary(files: TokenizerFiles) -> dict[str, int]:
    if files.has(TOKENIZER_JSON):
        vocabulary: dict[str, int] = files.document("WordPiece")["model"]["vocab"]
        return vocabulary
    # A token a line; its number is that of the line. The last line may end without a break.
    lines = files.text("vocab.txt").split("\n")
    return {token: number for number, token in enumerate(lines[:-1] if not lines[-1] else lines)}
