"""A folder in transformers' layout -> a CLIP with its tokenizer and its preprocessing.

transformers warns about weights that do not fit the configuration and goes on with random
ones; here they are refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.utils import logging

from model_export.errors import BadCheckpoint, first_line
from model_export.files import PREPROCESSORS, WEIGHTS
from model_export.preprocessing import (
    Preprocessing,
    UnsupportedPreprocessing,
    parse_preprocessing,
)

TOKENIZERS = {None, "CLIPTokenizer", "CLIPTokenizerFast"}
NAMED = 3  # of many keys that are wrong


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A CLIP as transformers has it; `processor` is its own preprocessing of pictures, and
    `preprocessing` what we read from the same file."""

    model: CLIPModel
    tokenizer: CLIPTokenizer
    processor: CLIPImageProcessorPil
    preprocessing: Preprocessing


def load_checkpoint(folder: Path, where: str) -> Checkpoint:
    """Read the checkpoint in `folder`; errors call it `where`. BadCheckpoint."""
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    config = _config(folder, where)
    # what is small and may be missing before what is large
    processor, preprocessing = _preprocessing(folder, where)
    tokenizer = _tokenizer(folder, where)
    return Checkpoint(_model(folder, where, config), tokenizer, processor, preprocessing)


def _config(folder: Path, where: str) -> CLIPConfig:
    document = _json(folder, "config.json", where)
    if document is None:
        raise BadCheckpoint(where, "has no config.json: it is not a model of transformers")
    kind = document.get("model_type")
    if kind != "clip":
        raise BadCheckpoint(where, f"is not a CLIP: the model_type in its config.json is {kind!r}")
    try:
        return CLIPConfig.from_dict(document)
    except Exception as exc:  # whatever transformers makes of values that cannot be
        raise BadCheckpoint(where, f"has a bad config.json: {first_line(exc)}") from exc


def _preprocessing(folder: Path, where: str) -> tuple[CLIPImageProcessorPil, Preprocessing]:
    for name in PREPROCESSORS:
        document = _json(folder, name, where)
        if document is not None and name == "processor_config.json":
            document = document.get("image_processor")
        if document is not None:
            break
    else:
        raise BadCheckpoint(where, f"says nothing of its pictures: no {' or '.join(PREPROCESSORS)}")
    try:
        preprocessing = parse_preprocessing(document)
    except UnsupportedPreprocessing as exc:
        raise BadCheckpoint(where, f"has preprocessing that is not supported: {exc}") from exc
    return CLIPImageProcessorPil.from_dict(document), preprocessing


def _tokenizer(folder: Path, where: str) -> CLIPTokenizer:
    files = {path.name for path in folder.iterdir()}
    if "tokenizer.json" not in files and not {"vocab.json", "merges.txt"} <= files:
        raise BadCheckpoint(
            where, "has no tokenizer: no tokenizer.json, nor vocab.json and merges.txt"
        )
    kind = (_json(folder, "tokenizer_config.json", where) or {}).get("tokenizer_class")
    if kind not in TOKENIZERS:
        raise BadCheckpoint(where, f"has a {kind}; CLIPTokenizer is supported")
    try:
        return CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as exc:  # a damaged file gives any of a dozen
        raise BadCheckpoint(where, f"has a damaged tokenizer: {first_line(exc)}") from exc


def _model(folder: Path, where: str, config: CLIPConfig) -> CLIPModel:
    if not any((folder / name).exists() for name in WEIGHTS):
        raise BadCheckpoint(where, f"has no weights: none of {', '.join(WEIGHTS)}")
    try:
        model, info = CLIPModel.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            local_files_only=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # listed instead
        )
    except Exception as exc:  # of safetensors, pickle, zipfile, torch
        raise BadCheckpoint(where, f"has weights that cannot be read: {first_line(exc)}") from exc
    wrong = {
        "missing": sorted(info["missing_keys"]),
        "unexpected": sorted(info["unexpected_keys"]),
        "of another shape": sorted(
            f"{name} {tuple(found)} instead of {tuple(wanted)}"
            for name, found, wanted in info["mismatched_keys"]
        ),
    }
    problems = [f"{kind}: {_some(names)}" for kind, names in wrong.items() if names]
    if problems:
        reason = f"has weights that do not fit its config.json: {'; '.join(problems)}"
        raise BadCheckpoint(where, reason)
    return model.eval()


def _some(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _json(folder: Path, name: str, where: str) -> dict[str, Any] | None:
    """The object in a file, None if there is no such file."""
    path = folder / name
    if not path.exists():
        return None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as exc:
        raise BadCheckpoint(where, f"has a damaged {name}: {exc}") from exc
    if not isinstance(document, dict):
        raise BadCheckpoint(where, f"has a damaged {name}: it is no JSON object")
    return document
