"""A checkpoint -> a bundle in a folder, compared with the checkpoint on the way."""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import tokenizers
from tokenizers import Tokenizer

from clipsearch.images.preprocess import PREPROCESSING
from clipsearch.matching import default_matching
from clipsearch.model.bundle import MODEL_JSON, Bundle, Tower, read_bundle, space_of
from clipsearch.model.manifest import Precision, tower_of
from clipsearch.model.variants import Variant
from model_export.checkpoint import Checkpoint
from model_export.checks import check_sizes, start_and_end
from model_export.eight_bits.recipe import write_in_eight_bits
from model_export.expected import expect
from model_export.text_direction import text_direction
from model_export.text_template import asked_template
from model_export.timing import load_seconds, speed
from model_export.towers.families import export_image, export_text
from model_export.towers.plan import Precisions, of_tower
from model_export.verify import verify, verify_exact


def export_bundle(
    checkpoint: Checkpoint,
    folder: Path,
    *,
    name: str,
    precision: Mapping[Tower, Precision],
    samples: int | None = None,
    source: Mapping[str, str] | None = None,
    text_template: str | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Bundle:
    """Write a verified bundle into `folder` and return it; its report is in `Bundle.report`.

    `samples`: how many texts and pictures are compared; None: all, and the bundle is timed.
    `source` says in the report where the model is from; `say` gets a line for each step.
    `text_template`: the sentence that texts are put into; None: the family's own, "{}": none.
    ValueError if it is not a sentence with one "{}".
    A bundle that is already in `folder` is replaced. It stays as it is if this raises:
    UnsupportedModel, or NotEqual when the result is too far from the checkpoint.
    """
    if text_template is not None:
        asked = asked_template(text_template)
        checkpoint = dataclasses.replace(checkpoint, text_template=asked)
    start_and_end(checkpoint)  # refused before the long work
    check_sizes(checkpoint)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".export-") as temporary:
        say("running the checkpoint on the samples")
        expected = expect(checkpoint, samples)
        say("writing both towers in fp32, to compare them with the checkpoint")
        new = Path(temporary) / "fp32"
        matrices: dict[Tower, dict[str, Any]] = {}
        bundle = write_bundle(checkpoint, new, name, dict.fromkeys(precision, "fp32"))
        exact = verify_exact(new, expected)
        if precision != bundle.precision:
            say(
                f"writing the image tower in {precision['image']}, "
                f"the text tower in {precision['text']}"
            )
            exact_folder, new = new, Path(temporary) / "bundle"
            written = write_in_eight_bits(
                checkpoint,
                exact_folder,
                new,
                precision,
                lambda changed, folder, plans: write_bundle(changed, folder, name, plans),
                quick=samples is not None,
                say=say,
            )
            bundle, matrices = written.bundle, written.report
        say("comparing the result")
        report = verify(new, checkpoint, expected)
        for tower in precision:
            report[tower]["fp32_max_difference"] = exact[tower]["max_difference"]
            report[tower] |= {"eight_bits": matrices[tower]} if tower in matrices else {}
        if samples is None:
            report |= {"load_seconds": load_seconds(new), "speed": speed(new)}
        report |= {"source": dict(source or {}), "versions": _versions()}
        bundle = dataclasses.replace(bundle, text_direction=text_direction(new), report=report)
        (new / MODEL_JSON).write_bytes(bundle.to_json())
        _move(new, folder)
    return read_bundle(folder).bundle


def write_bundle(
    checkpoint: Checkpoint, folder: Path, name: str, precision: Mapping[Tower, Precisions]
) -> Bundle:
    """Into a new folder; without a report and not compared."""
    folder.mkdir()
    start, end = start_and_end(checkpoint)
    weights, steps = checkpoint.weights, checkpoint.preprocessing
    image, text = folder / "image.onnx", folder / "text.onnx"
    export_image(checkpoint.config, weights, image, steps.mean, steps.std, precision["image"])
    export_text(checkpoint.config, weights, text, start, end, precision["text"])
    (folder / "tokenizer.json").write_text(_tokenizer_json(checkpoint.tokenizer), encoding="utf-8")
    facts: dict[str, Any] = {
        "dim": checkpoint.config.dim,
        "context_length": checkpoint.config.text.context,
        "image_size": steps.size,
        "preprocessing": PREPROCESSING,
        "mean": steps.mean,
        "std": steps.std,
        "variant": Variant(
            checkpoint.config.family,
            steps.resize,
            steps.resample,
            checkpoint.padding,
            checkpoint.text_template,
        ),
    }
    files = sorted(path.name for path in folder.iterdir())
    digests = {file: _sha256(folder / file) for file in files}
    bundle = Bundle(
        space=space_of(digests, **facts),
        name=name,
        **facts,
        logit_scale=checkpoint.logit_scale,
        logit_bias=checkpoint.logit_bias,
        files=digests,
        sizes={file: (folder / file).stat().st_size for file in files},
        precision={tower: of_tower(precision[tower]) for tower in precision},
        text_direction=None,  # comes when the towers are there, as the report does
        report={},
        matching=default_matching(checkpoint.logit_scale),
    )
    (folder / MODEL_JSON).write_bytes(bundle.to_json())
    return bundle


def _versions() -> dict[str, str]:
    """What made and compared it."""
    return {module.__name__: module.__version__ for module in (np, onnxruntime, tokenizers)}


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
