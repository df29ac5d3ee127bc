"""sentence-transformers: CLIP in PyTorch, with texts and pictures through `encode`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.peers.given import Given


def open_side(what: str, given: Given, effort: None) -> Callable[[int], Any]:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(given.checkpoint, device="cpu")
    if what == "text":
        texts = given.texts
        return lambda number: model.encode(
            texts[number % len(texts)], normalize_embeddings=True, show_progress_bar=False
        )
    from PIL import Image

    def opened(paths: Any) -> list[Any]:
        return [Image.open(path) for path in paths]

    paths = given.picture_paths
    if what == "picture":
        return lambda number: model.encode(
            opened([paths[number % len(paths)]]), normalize_embeddings=True, show_progress_bar=False
        )
    many = given.many_paths
    return lambda _: model.encode(opened(many), normalize_embeddings=True, show_progress_bar=False)
