"""Names in a file -> the names in transformers' models, where the two differ."""

from __future__ import annotations

from model_export.config import Family
from model_export.weights.named_arrays import Weights


def as_in_transformers(family: Family, weights: Weights) -> Weights:
    """The same arrays. Only files of AltCLIP have other names than its model: the text tower's,
    and in files that transformers 5 wrote the image tower's too."""
    if family != "altclip":
        return weights
    return Weights(
        {
            name.replace(".encoder.layer.", ".encoder.layers."): weights.stored(name)
            for name in weights
        }
    )
