"""Names in a file -> the names in transformers' models, where the two differ."""

from __future__ import annotations

from model_export.config import Family
from model_export.weights.named_arrays import Weights

ALTCLIP_FILE, ALTCLIP_MODEL = (
    "text_model.roberta.encoder.layer.",
    "text_model.roberta.encoder.layers.",
)


def as_in_transformers(family: Family, weights: Weights) -> Weights:
    """The same arrays. Only files of AltCLIP have other names than its model."""
    if family != "altclip":
        return weights
    return Weights(
        {name.replace(ALTCLIP_FILE, ALTCLIP_MODEL): weights.stored(name) for name in weights}
    )
