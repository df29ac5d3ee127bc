"""The fields of model.json that differ between families of models.

A field that is absent has CLIP's value. So the bundles of CLIP have none of them, and older
bundles keep their space.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

from clipsearch.images.preprocess import Resample, Resize

Family = Literal["clip", "metaclip_2", "siglip", "chinese_clip", "altclip"]

LONGEST_TEMPLATE = 200  # characters
PLACE = "{}"  # of the text in a template

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Padding:
    """`token` fills a text up to `length` tokens.

    `length` None: up to the longest text of a batch. Then the text tower must mask `token`.
    """

    token: int
    length: int | None


@dataclass(frozen=True, slots=True)
class Variant:
    """`padding` None: the text tower reads nothing after the end token.

    `text_template`: a sentence with `{}`, into which each text is put; None: texts stay as they
    are.
    """

    family: Family = "clip"
    resize: Resize = "crop"
    resample: Resample = "bicubic"
    padding: Padding | None = None
    text_template: str | None = None

    @property
    def sigmoid(self) -> bool:
        """Whether the sigmoid of a logit is the probability of a text for a picture.

        Otherwise it is the softmax of the logits of one picture, if exactly one text is right.
        """
        return self.family == "siglip"

    def facts(self) -> dict[str, Any]:
        """Return the fields that differ from CLIP's and determine a space.

        The template is not among them: photos have the same vectors with any template.
        """
        facts = self.to_json()
        facts.pop("text_template", None)
        return facts

    def to_json(self) -> dict[str, Any]:
        """Return the fields that differ from CLIP's."""
        fields: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("family", "resize", "resample", "text_template")
            if getattr(self, name) != getattr(CLIP, name)
        }
        if self.padding is not None:
            fields["padding"] = {"token": self.padding.token, "length": self.padding.length}
        return fields

    def in_template(self, text: str) -> str:
        return text if self.text_template is None else self.text_template.replace(PLACE, text)


CLIP = Variant()


def parse_variant(document: Mapping[str, Any], context_length: int) -> Variant:
    """Read the fields from the object in model.json. Raises ValueError."""
    return Variant(
        family=_one_of(document, "family", get_args(Family), CLIP.family),
        resize=_one_of(document, "resize", get_args(Resize), CLIP.resize),
        resample=_one_of(document, "resample", get_args(Resample), CLIP.resample),
        padding=_padding(document.get("padding"), context_length),
        text_template=checked_template(document.get("text_template")),
    )


def checked_template(template: Any) -> str | None:
    """Return `template`. Raises ValueError if it is not a sentence with one `{}`."""
    if template is None:
        return None
    if (
        not isinstance(template, str)
        or template.count(PLACE) != 1
        or len(template) > LONGEST_TEMPLATE
        or not template.isprintable()
    ):
        raise ValueError(
            f"text_template {template!r:.{LONGEST_TEMPLATE}}; it must have one {PLACE}, such as "
            f"'a photo of {PLACE}', and at most {LONGEST_TEMPLATE} characters in one line"
        )
    return template


def _one_of(document: Mapping[str, Any], name: str, allowed: tuple[T, ...], default: T) -> T:
    value = document.get(name, default)
    for one in allowed:
        if one == value:
            return one
    supported = ", ".join(map(str, allowed))
    raise ValueError(f"{name} {value!r:.100}; supported: {supported}; or update clipsearch")


def _padding(value: Any, context_length: int) -> Padding | None:
    if value is None:
        return None
    if not isinstance(value, dict) or set(value) != {"token", "length"}:
        raise ValueError(f"padding {value!r:.100}; it must have token and length, or be null")
    token, length = value["token"], value["length"]
    if not _is_count(token):
        raise ValueError(f"padding.token {token!r:.100}; it must be the number of a token")
    if length is not None and not (_is_count(length) and 1 <= length <= context_length):
        raise ValueError(
            f"padding.length {length!r:.100}; it must be null, or from 1 to {context_length} "
            "(context_length)"
        )
    return Padding(token, length)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
