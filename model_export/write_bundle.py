"""A CLIPModel and its tokenizer -> a bundle in a folder, compared with PyTorch on the way."""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import onnxruntime
import tokenizers
import torch
import transformers
from tokenizers import Tokenizer
from transformers import CLIPModel, CLIPTokenizer
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from clipsearch.images.preprocess import PREPROCESSING
from clipsearch.model.bundle import MODEL_JSON, Bundle, Tower, read_bundle, space_of
from clipsearch.model.manifest import Precision, tower_of
from model_export.onnx_export import UnsupportedModel, export_image, export_text
from model_export.reference import Reference, image_processor
from model_export.text_direction import text_direction
from model_export.verify import expect, verify, verify_exact


def export_bundle(
    model: CLIPModel,
    tokenizer: Tokenizer | CLIPTokenizer | Path,
    folder: Path,
    *,
    name: str,
    image_size: int,
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
    context_length: int,
    image_precision: Precision = "fp32",
    text_precision: Precision = "fp32",
    processor: CLIPImageProcessorPil | None = None,
    source: Mapping[str, str] | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Bundle:
    """Write a verified bundle into `folder` and return it; its report is in `Bundle.report`.

    `tokenizer` adds the start and end tokens itself; it may be the path of a tokenizer.json.
    `processor` is what the pictures are compared with, if the checkpoint has its own; `source`
    says in the report where the model is from; `say` is told each step.
    A bundle that is already in `folder` is replaced, and stays as it is if this raises:
    UnsupportedModel, or verify.NotEqual when the result is too far from PyTorch.
    """
    if isinstance(tokenizer, Path):
        tokenizer = Tokenizer.from_file(str(tokenizer))
    processor = processor or image_processor(image_size, mean, std)
    reference = Reference(model.eval(), tokenizer, processor, context_length)
    backend = tokenizer if isinstance(tokenizer, Tokenizer) else tokenizer.backend_tokenizer
    _start_and_end(model, backend)  # refused before the long work
    _check_sizes(model, backend, image_size, context_length)
    writer = _Writer(model, backend, name, image_size, mean, std, context_length)
    precision: dict[Tower, Precision] = {"image": image_precision, "text": text_precision}
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".export-") as temporary:
        say("running PyTorch on the samples")
        expected = expect(reference)
        say("writing both towers in fp32, to compare them with PyTorch")
        new = Path(temporary) / "fp32"
        bundle = writer.write(new, dict.fromkeys(precision, "fp32"))
        exact = verify_exact(new, expected)
        if precision != bundle.precision:
            say(f"writing the image tower in {image_precision}, the text tower in {text_precision}")
            new = Path(temporary) / "bundle"
            bundle = writer.write(new, precision)
        say("comparing and timing the result")
        report = verify(new, reference, expected)
        for tower in precision:
            report[tower]["fp32_max_difference"] = exact[tower]["max_difference"]
        report |= {"source": dict(source or {}), "versions": _versions()}
        bundle = dataclasses.replace(bundle, text_direction=text_direction(new), report=report)
        (new / MODEL_JSON).write_bytes(bundle.to_json())
        _move(new, folder)
    return read_bundle(folder).bundle


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes one model as a bundle, in any precision."""

    model: CLIPModel
    tokenizer: Tokenizer
    name: str
    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    context_length: int

    def write(self, folder: Path, precision: Mapping[Tower, Precision]) -> Bundle:
        """Into a new folder; without a report."""
        folder.mkdir()
        start, end = _start_and_end(self.model, self.tokenizer)
        export_image(self.model, folder / "image.onnx", self.mean, self.std, precision["image"])
        export_text(self.model, folder / "text.onnx", start, end, precision["text"])
        (folder / "tokenizer.json").write_text(_tokenizer_json(self.tokenizer), encoding="utf-8")
        facts = {
            "dim": self.model.config.projection_dim,
            "context_length": self.context_length,
            "image_size": self.image_size,
            "preprocessing": PREPROCESSING,
            "mean": self.mean,
            "std": self.std,
        }
        files = sorted(path.name for path in folder.iterdir())
        digests = {file: _sha256(folder / file) for file in files}
        bundle = Bundle(
            space=space_of(digests, **facts),
            name=self.name,
            **facts,
            logit_scale=math.exp(self.model.logit_scale.item()),
            files=digests,
            sizes={file: (folder / file).stat().st_size for file in files},
            precision=dict(precision),
            text_direction=None,  # comes when the towers are there, as the report does
            report={},
        )
        (folder / MODEL_JSON).write_bytes(bundle.to_json())
        return bundle


def _versions() -> dict[str, str]:
    """What made and compared it."""
    modules = (onnxruntime, tokenizers, torch, transformers)
    return {module.__name__: module.__version__ for module in modules}


def _start_and_end(model: CLIPModel, tokenizer: Tokenizer) -> tuple[int, int]:
    """The tokens around every text; at the latter the text tower pools."""
    config = model.config.text_config
    ids = tokenizer.encode("").ids
    if len(ids) != 2:
        raise UnsupportedModel(
            f"the tokenizer makes {ids} of an empty text; it must add a start and an end token"
        )
    start, end = ids
    # Before transformers 4.31 every CLIP's configuration said 2, and transformers then pools
    # at the highest token: https://github.com/huggingface/transformers/pull/24773
    pooled = config.vocab_size - 1 if config.eos_token_id == 2 else config.eos_token_id
    if end != pooled:
        raise UnsupportedModel(
            f"the tokenizer ends texts with token {end}, the model pools at token {pooled} "
            f"(eos_token_id {config.eos_token_id}, vocabulary {config.vocab_size})"
        )
    return start, end


def _check_sizes(
    model: CLIPModel, tokenizer: Tokenizer, image_size: int, context_length: int
) -> None:
    text, vision = model.config.text_config, model.config.vision_config
    if vision.image_size % vision.patch_size or vision.num_channels != 3:
        raise UnsupportedModel(
            f"an image_size of {vision.image_size} in patches of {vision.patch_size} and "
            f"{vision.num_channels} channels; whole patches of 3 channels are supported"
        )
    if image_size != vision.image_size:
        raise UnsupportedModel(f"image_size {image_size}; the model's is {vision.image_size}")
    if not 3 <= context_length <= text.max_position_embeddings:
        raise UnsupportedModel(
            f"context_length {context_length}; the model has {text.max_position_embeddings} "
            "positions, and a text needs a start, an end and a token"
        )
    if tokenizer.get_vocab_size() > text.vocab_size:
        raise UnsupportedModel(
            f"the tokenizer knows {tokenizer.get_vocab_size()} tokens, the model {text.vocab_size}"
        )


def _tokenizer_json(tokenizer: Tokenizer) -> str:
    """As the library writes it, but with merges as "a b" in place of ["a", "b"]: it reads both,
    and these in half the time (CLIP's 49,000: 49 against 80 ms)."""
    document = json.loads(tokenizer.to_str())
    merges = document["model"].get("merges", [])
    if not any(" " in part for merge in merges for part in merge):
        document["model"]["merges"] = [" ".join(merge) for merge in merges]
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _move(source: Path, folder: Path) -> None:
    """model.json goes first and comes last: whoever looks in between finds no bundle. Of two
    exports at once one waits for the other: the files must be of one."""
    folder.mkdir(exist_ok=True)
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        (folder / MODEL_JSON).unlink(missing_ok=True)
        for old in folder.iterdir():
            if tower_of(old.name):
                old.unlink()
        for new in sorted(source.iterdir(), key=lambda path: path.name == MODEL_JSON):
            shutil.move(new, folder / new.name)
    finally:
        os.close(held)
