"""model.json: the description of a bundle, and the space derived from it."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from clipsearch.errors import DamagedObject
from clipsearch.images.preprocess import PREPROCESSING, READABLE
from clipsearch.matching import Matching, parse_matching
from clipsearch.model.variants import CLIP, Variant, parse_variant

FORMAT = 1
MODEL_JSON = "model.json"

Tower = Literal["image", "text"]
TOWERS: tuple[Tower, ...] = ("image", "text")
Precision = Literal["fp32", "int8"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "int8")

# Files that every bundle has. Weights may be in more files, named after their graph.
FILES = ("image.onnx", "image.onnx.data", "text.onnx", "text.onnx.data", "tokenizer.json")


def tower_of(file: str) -> Tower | None:
    """Return the tower of a file; None if bundles have no such file."""
    if re.fullmatch(r"image\.onnx(\.[a-z]+)?", file):
        return "image"
    if re.fullmatch(r"text\.onnx(\.[a-z]+)?|tokenizer\.json", file):
        return "text"
    return None


@dataclass(frozen=True, slots=True)
class Bundle:
    """The content of model.json.

    `files` maps file names to SHA-256 (hex), `sizes` to bytes. `text_direction` (dim,): the
    component that all text vectors share; None in older bundles. `matching`: which photos match a
    query; None in older bundles. `logit_bias` is added to a cosine times `logit_scale`; only SigLIP
    has one.
    """

    space: str
    name: str
    dim: int
    logit_scale: float
    context_length: int
    image_size: int
    preprocessing: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    files: Mapping[str, str]
    sizes: Mapping[str, int]
    precision: Mapping[Tower, Precision]
    text_direction: tuple[float, ...] | None
    report: Mapping[str, Any]
    matching: Matching | None = None
    variant: Variant = CLIP
    logit_bias: float = 0.0

    def files_of(self, tower: Tower) -> list[str]:
        return [file for file in self.files if tower_of(file) == tower]

    def to_json(self) -> bytes:
        document = {
            "format": FORMAT,
            "space": self.space,
            "name": self.name,
            "dim": self.dim,
            "logit_scale": self.logit_scale,
            **({"logit_bias": self.logit_bias} if self.logit_bias else {}),
            "context_length": self.context_length,
            "image_size": self.image_size,
            "preprocessing": self.preprocessing,
            "mean": list(self.mean),
            "std": list(self.std),
            "files": {
                file: {"sha256": digest, "bytes": self.sizes[file]}
                for file, digest in self.files.items()
            },
            "precision": dict(self.precision),
            "text_direction": self.text_direction,
            **({"matching": self.matching.to_json()} if self.matching else {}),
            **self.variant.to_json(),
            "report": dict(self.report),
        }
        return json.dumps(document, indent=1).encode() + b"\n"


def space_of(
    files: Mapping[str, str],
    *,
    dim: int,
    context_length: int,
    image_size: int,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    preprocessing: int = PREPROCESSING,
    variant: Variant = CLIP,
) -> str:
    """Return the embedding space: 12 hex digits, a hash of all that determines a photo's vector."""
    facts = {
        "files": dict(files),
        "dim": dim,
        "context_length": context_length,
        "image_size": image_size,
        "mean": list(mean),
        "std": list(std),
        "preprocessing": preprocessing,
        **variant.facts(),
    }
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def parse_bundle(data: bytes, where: str) -> Bundle:
    """Parse model.json.

    Raises DamagedObject(where, …) if it is invalid, or if its space does not fit its contents,
    for example a changed digest.
    """
    try:
        document = json.loads(data)
        if document["format"] != FORMAT:
            raise DamagedObject(where, f"format {document['format']!r}; supported: {FORMAT}")
        red, green, blue = (float(value) for value in document["mean"])
        std_red, std_green, std_blue = (float(value) for value in document["std"])
        bundle = Bundle(
            space=str(document["space"]),
            name=str(document["name"]),
            dim=int(document["dim"]),
            logit_scale=float(document["logit_scale"]),
            context_length=int(document["context_length"]),
            image_size=int(document["image_size"]),
            preprocessing=int(document.get("preprocessing", 1)),  # 1 has no such field
            mean=(red, green, blue),
            std=(std_red, std_green, std_blue),
            files={file: str(entry["sha256"]) for file, entry in document["files"].items()},
            sizes={file: int(entry["bytes"]) for file, entry in document["files"].items()},
            precision=dict(document["precision"]),
            text_direction=_direction(document.get("text_direction")),
            matching=parse_matching(document.get("matching"), int(document["dim"])),
            report=dict(document["report"]),
            variant=parse_variant(document, int(document["context_length"])),
            logit_bias=float(document.get("logit_bias", 0.0)),
        )
        if not set(FILES) <= set(bundle.files) or not all(map(tower_of, bundle.files)):
            raise ValueError(f"wrong files {list(bundle.files)}")
        if bundle.preprocessing not in READABLE:
            raise ValueError(f"preprocessing {bundle.preprocessing} is unknown; update clipsearch")
        # not part of the space, so its hash does not cover them
        if not (math.isfinite(bundle.logit_scale) and bundle.logit_scale > 0):
            raise ValueError(f"logit_scale {bundle.logit_scale} is not a positive number")
        if not math.isfinite(bundle.logit_bias):
            raise ValueError(f"logit_bias {bundle.logit_bias} is not a number")
        if not all(bundle.precision[tower] in PRECISIONS for tower in TOWERS):
            given = ", ".join(bundle.precision.values())
            raise ValueError(f"precision {given}; supported: {', '.join(PRECISIONS)}")
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as exc:
        raise DamagedObject(where, f"not a model.json: {type(exc).__name__} {exc}") from exc
    space = space_of(
        bundle.files,
        dim=bundle.dim,
        context_length=bundle.context_length,
        image_size=bundle.image_size,
        mean=bundle.mean,
        std=bundle.std,
        preprocessing=bundle.preprocessing,
        variant=bundle.variant,
    )
    if space != bundle.space:
        raise DamagedObject(where, f"its space is {bundle.space!r}, its contents give {space!r}")
    if bundle.text_direction is not None and len(bundle.text_direction) != bundle.dim:
        count = len(bundle.text_direction)
        raise DamagedObject(where, f"text_direction has {count} numbers, not {bundle.dim}")
    return bundle


def _direction(values: Any) -> tuple[float, ...] | None:
    if values is None:
        return None
    direction = tuple(float(value) for value in values)
    if not all(abs(value) <= 1 for value in direction) or not any(direction):
        raise ValueError("text_direction is not a direction")
    return direction
