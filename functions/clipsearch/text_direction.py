"""The direction that all texts share in a space, by which packs tell photos apart for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clipsearch.encoder import Encoder

if TYPE_CHECKING:
    from clipsearch.quantizer import Vectors

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


def text_direction(encoder: Encoder) -> Vectors:
    """(dim,), of any length. Raises what loading the text tower does."""
    mean: Vectors = encoder.encode_text(TEXTS).vectors.mean(axis=0)
    return mean
