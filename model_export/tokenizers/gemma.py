"""SigLIP 2's tokenizer: Gemma's BPE, in lower case (Siglip2Tokenizer)."""

from __future__ import annotations

from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors

from model_export.tokenizers.files import TOKENIZER_JSON, TokenizerFiles, special

SPACE = "▁"


def read_gemma(files: TokenizerFiles) -> Tokenizer:
    """`text <eos>`, as SigLIP 2 was trained.

    Lower case also where tokenizer_config.json says GemmaTokenizer, as that of the checkpoints
    with a fixed resolution does: their training had no capitals.
    """
    files.document("BPE")
    tokenizer = Tokenizer.from_str(files.text(TOKENIZER_JSON))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Lowercase(), normalizers.Replace(" ", SPACE)]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", behavior="merged_with_previous")
    end = files.token("eos_token", "<eos>")
    tokenizer.post_processor = processors.TemplateProcessing(
        single=["$A", end], special_tokens=special(tokenizer, end)
    )
    return tokenizer
