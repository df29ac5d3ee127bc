"""fastembed: ONNX Runtime with our own graphs in 8 bits, as it takes them from a local folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.peers.given import Given

PRECISION = "int8"


def open_side(what: str, given: Given, effort: None) -> Callable[[int], Any]:
    return opened(what, given, PRECISION)


def opened(what: str, given: Given, precision: str) -> Callable[[int], Any]:
    from fastembed import ImageEmbedding, TextEmbedding

    folder = given.own("fastembed") / precision
    if what == "text":
        text_model = TextEmbedding(
            "Qdrant/clip-ViT-B-32-text", specific_model_path=str(folder / "text")
        )
        texts = given.texts
        return lambda number: list(text_model.embed([texts[number % len(texts)]]))
    model = ImageEmbedding("Qdrant/clip-ViT-B-32-vision", specific_model_path=str(folder / "image"))
    paths = given.picture_paths
    if what == "picture":
        return lambda number: list(model.embed([paths[number % len(paths)]]))
    many = given.many_paths
    return lambda _: list(model.embed(many))
