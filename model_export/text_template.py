"""The sentence that texts are put into: each family's own, or what a person asks for."""

from __future__ import annotations

from clipsearch.model.variants import PLACE, checked_template
from model_export.config import Family

# transformers' documentation recommends it for SigLIP and SigLIP 2, to get the results of its
# pipeline. Their tokenizers make it lower case anyway.
SIGLIP = "this is a photo of {}."
OWN: dict[Family, str] = {"siglip": SIGLIP}


def own_template(family: Family) -> str | None:
    """None: texts stay as they are."""
    return OWN.get(family)


def asked_template(template: str) -> str | None:
    """The template that a person asks for; `{}` asks for none. ValueError."""
    return None if template == PLACE else checked_template(template)
