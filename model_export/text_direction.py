"""The direction that all texts share, which goes into model.json: `ingest` tells photos apart by
it for texts (clipsearch.index.format.quantizer), and has no text tower."""

from __future__ import annotations

from pathlib import Path

from clipsearch.model.encoder import Encoder

# As different as can be; what their vectors have in common, most queries have.
TEXTS = (
    "a dog",
    "a red car in front of a house",
    "people at a birthday party",
    "sunset over the sea",
    "an old black and white photo",
    "food on a table",
    "a city street at night",
    "a child playing in the snow",
    "text on a sign",
    "a mountain lake",
    "portrait of a woman",
    "the interior of a room",
)


def text_direction(bundle: Path) -> tuple[float, ...]:
    """(dim,), of any length, by the text tower of the bundle in this folder."""
    vectors = Encoder.from_folder(bundle).encode_text(TEXTS).vectors
    # 6 digits are more than a byte needs, to which its products are rounded.
    return tuple(vectors.mean(axis=0).astype(float).round(6).tolist())
