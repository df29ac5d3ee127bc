"""model.json: what a bundle says of itself, and the space that follows from it."""

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

FORMAT = 1
MODEL_JSON = "model.json"

Tower = Literal["image", "text"]
TOWERS: tuple[Tower, ...] = ("image", "text")
Precision = Literal["fp32", "int8"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "int8")

# What every bundle has. The graphs' weights may be in more files, named after their graph.
FILES = ("image.onnx", "image.onnx.data", "text.onnx", "text.onnx.data", "tokenizer.json")


def tower_of(file: str) -> Tower | None:
    """The tower that a file of a bundle belongs to; None if it is no file of a bundle."""
    if re.fullmatch(r"image\.onnx(\.[a-z]+)?", file):
        return "image"
    if re.fullmatch(r"text\.onnx(\.[a-z]+)?|tokenizer\.json", file):
        return "text"
    return None


@dataclass(frozen=True, slots=True)
class Bundle:
    """What model.json says.

    `files` maps each file's name to its SHA-256 (hex). `text_direction` (dim,): what the vectors
    of all texts have in common; None in bundles that were exported before it was told.
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

    def files_of(self, tower: Tower) -> list[str]:
        return [file for file in self.files if tower_of(file) == tower]

    def to_json(self) -> bytes:
        document = {
            "format": FORMAT,
            "space": self.space,
            "name": self.name,
            "dim": self.dim,
            "logit_scale": self.logit_scale,
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
) -> str:
    """The embedding space: 12 hex digits over all that decides what a vector is."""
    facts = {
        "files": dict(files),
        "dim": dim,
        "context_length": context_length,
        "image_size": image_size,
        "mean": list(mean),
        "std": list(std),
        "preprocessing": preprocessing,
    }
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def parse_bundle(data: bytes, where: str) -> Bundle:
    """model.json -> Bundle. DamagedObject(where, …) if it is not one, or if its space is not
    the one that its contents give (a changed digest, say)."""
    try:
        document = json.loads(data)
        if document["format"] != FORMAT:
            raise DamagedObject(where, f"format {document['format']!r}; this code reads {FORMAT}")
        red, green, blue = (float(value) for value in document["mean"])
        std_red, std_green, std_blue = (float(value) for value in document["std"])
        bundle = Bundle(
            space=str(document["space"]),
            name=str(document["name"]),
            dim=int(document["dim"]),
            logit_scale=float(document["logit_scale"]),
            context_length=int(document["context_length"]),
            image_size=int(document["image_size"]),
            preprocessing=int(document.get("preprocessing", 1)),  # bundles before 2 say nothing
            mean=(red, green, blue),
            std=(std_red, std_green, std_blue),
            files={file: str(entry["sha256"]) for file, entry in document["files"].items()},
            sizes={file: int(entry["bytes"]) for file, entry in document["files"].items()},
            precision=dict(document["precision"]),
            text_direction=_direction(document.get("text_direction")),
            report=dict(document["report"]),
        )
        if not set(FILES) <= set(bundle.files) or not all(map(tower_of, bundle.files)):
            raise ValueError(f"the files {list(bundle.files)}")
        if bundle.preprocessing not in READABLE:
            raise ValueError(f"the preprocessing {bundle.preprocessing}; {READABLE} are known")
        # of no consequence for the space, so not covered by it
        if not (math.isfinite(bundle.logit_scale) and bundle.logit_scale > 0):
            raise ValueError(f"the logit_scale {bundle.logit_scale}")
        if not all(bundle.precision[tower] in PRECISIONS for tower in TOWERS):
            raise ValueError(f"the precision {bundle.precision}")
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
    )
    if space != bundle.space:
        raise DamagedObject(where, f"it says space {bundle.space!r}, its contents give {space!r}")
    if bundle.text_direction is not None and len(bundle.text_direction) != bundle.dim:
        raise DamagedObject(where, f"a text_direction of {len(bundle.text_direction)} numbers")
    return bundle


def _direction(values: Any) -> tuple[float, ...] | None:
    if values is None:
        return None
    direction = tuple(float(value) for value in values)
    if not all(abs(value) <= 1 for value in direction) or not any(direction):
        raise ValueError("a text_direction that is none")
    return direction
