"""A folder -> its tokenizer, by the family of the model and what tokenizer_config.json says."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from model_export.config import Family
from model_export.errors import BadCheckpoint, first_line
from model_export.tokenizers.bert import read_bert
from model_export.tokenizers.clip import read_clip
from model_export.tokenizers.files import TOKENIZER_JSON, TokenizerFiles
from model_export.tokenizers.gemma import read_gemma
from model_export.tokenizers.unigram import read_siglip, read_xlm_roberta

Reader = Callable[[TokenizerFiles], Tokenizer]

# The first of a family is the one that a folder has which does not say.
KINDS: Mapping[Family, Mapping[str, Reader]] = {
    "clip": {"CLIPTokenizer": read_clip},
    "metaclip_2": {"XLMRobertaTokenizer": read_xlm_roberta},
    "altclip": {"XLMRobertaTokenizer": read_xlm_roberta},
    "siglip": {
        "SiglipTokenizer": read_siglip,
        "GemmaTokenizer": read_gemma,
        "Siglip2Tokenizer": read_gemma,
    },
    "chinese_clip": {"BertTokenizer": read_bert},
}
# One of these sets of files must be there.
FILES: Mapping[Reader, tuple[tuple[str, ...], ...]] = {
    read_clip: ((TOKENIZER_JSON,), ("vocab.json", "merges.txt")),
    read_bert: ((TOKENIZER_JSON,), ("vocab.txt",)),
}
ONLY_JSON = ((TOKENIZER_JSON,),)
SENTENCEPIECE = ("spiece.model", "sentencepiece.bpe.model", "tokenizer.model")


def read_tokenizer(folder: Path, where: str, family: Family = "clip") -> Tokenizer:
    """The tokenizer of a checkpoint, with its start and end tokens. BadCheckpoint(where, …)."""
    files = TokenizerFiles(folder, tokenizer_config(folder, where))
    reader = _reader(files, where, family)
    wanted = FILES.get(reader, ONLY_JSON)
    if not any(files.has(*names) for names in wanted):
        raise BadCheckpoint(where, _missing(files, wanted))
    try:
        tokenizer = reader(files)
    except Exception as exc:  # tokenizers raises bare Exceptions
        raise BadCheckpoint(where, f"has a damaged tokenizer: {first_line(exc)}") from exc
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _reader(files: TokenizerFiles, where: str, family: Family) -> Reader:
    kinds = KINDS[family]
    name = files.config.get("tokenizer_class")
    if name is None:
        return next(iter(kinds.values()))
    # transformers 4 had two classes of each kind
    kind = str(name).removesuffix("Fast")
    if kind not in kinds:
        raise BadCheckpoint(where, f"has a {name}; {' or '.join(kinds)} is supported")
    return kinds[kind]


def _missing(files: TokenizerFiles, wanted: tuple[tuple[str, ...], ...]) -> str:
    names = [" and ".join(names) for names in wanted]
    said = f"has no tokenizer: no {', nor '.join(names)}"
    found = [name for name in SENTENCEPIECE if files.has(name)]
    if not found:
        return said
    return (
        f"{said}. {found[0]} cannot be read. Take {TOKENIZER_JSON} from another copy of the model "
        "on the hub, or write it with AutoTokenizer of transformers (save_pretrained)"
    )


def tokenizer_config(folder: Path, where: str) -> dict[str, Any]:
    """The object in tokenizer_config.json; empty without the file. BadCheckpoint(where, …)."""
    path = folder / "tokenizer_config.json"
    if not path.exists():
        return {}
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as exc:
        raise BadCheckpoint(where, f"has a damaged tokenizer_config.json: {exc}") from exc
    return document if isinstance(document, dict) else {}
