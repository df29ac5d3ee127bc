"""A captioned set in the format of COCO's captions_val2017.json.

{"images": [{"id": 7, "file_name": "a.jpg"}, …],
 "annotations": [{"image_id": 7, "caption": "a red car"}, …]}
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cli.common.errors import UsageError
from clipsearch.text import plain

LIKE_WHICH = "it must be like captions_val2017.json of COCO's annotations"


@dataclass(frozen=True)
class Captioned:
    """`names` of n photos in the index, m `texts`, and the photo of each text: `photo` (m,).

    `empty`: how many captions were left out as empty. `uncaptioned`: how many photos without one.
    """

    names: list[str]
    texts: list[str]
    photo: npt.NDArray[np.int64]
    empty: int = 0
    uncaptioned: int = 0

    @property
    def repeated(self) -> int:
        """The number of captions that occur more than once, word for word."""
        return sum(count for count in Counter(self.texts).values() if count > 1)

    def only(self, photos: Iterable[int]) -> Captioned:
        """These photos, in this order, and their captions."""
        chosen = list(photos)
        place = np.full(len(self.names), -1)
        place[chosen] = np.arange(len(chosen))
        kept = np.flatnonzero(place[self.photo] >= 0)
        return Captioned(
            names=[self.names[photo] for photo in chosen],
            texts=[self.texts[row] for row in kept.tolist()],
            photo=place[self.photo[kept]],
            empty=self.empty,
            uncaptioned=self.uncaptioned,
        )


def read_captions(path: Path, prefix: str) -> Captioned:
    """`prefix` goes before each file_name. UsageError if anything is wrong with the file."""
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(f"the captions {path} cannot be read: {error.strerror}") from error
    except ValueError as error:  # not JSON, or not text, such as a zip archive
        raise UsageError(f"{path} is not a JSON file ({error}); {LIKE_WHICH}") from error
    try:
        return _parse(document, prefix)
    except ValueError as error:
        raise UsageError(f"{path} does not have COCO captions: {error}; {LIKE_WHICH}") from error


def _parse(document: Any, prefix: str) -> Captioned:
    """ValueError if anything is wrong."""
    images, annotations = (_list(document, name) for name in ("images", "annotations"))
    names: dict[Any, str] = {}  # by the id of the image
    for i, image in enumerate(images):
        key = _field(image, "id", (int, str), f"image {i}")
        if key in names:
            raise ValueError(f"two images have the id {key!r}")
        names[key] = prefix + _field(image, "file_name", (str,), f"image {i}")
    asked: list[tuple[str, str]] = []
    empty = 0
    for i, annotation in enumerate(annotations):
        text = _field(annotation, "caption", (str,), f"annotation {i}").strip()
        key = _field(annotation, "image_id", (int, str), f"annotation {i}")
        if key not in names:
            raise ValueError(f"annotation {i} is for image {key!r}, which is not among the images")
        if plain(text):
            asked.append((names[key], text))
        else:
            empty += 1
    if not asked:
        raise ValueError("it has no caption")
    return _captioned(list(names.values()), asked, empty)


def _captioned(names: list[str], asked: list[tuple[str, str]], empty: int) -> Captioned:
    captioned = {name for name, _ in asked}
    kept = [name for name in dict.fromkeys(names) if name in captioned]
    place = {name: i for i, name in enumerate(kept)}
    return Captioned(
        names=kept,
        texts=[text for _, text in asked],
        photo=np.array([place[name] for name, _ in asked], np.int64),
        empty=empty,
        uncaptioned=len(set(names)) - len(kept),
    )


def _list(document: Any, name: str) -> list[Any]:
    found = document.get(name) if isinstance(document, dict) else None
    if not isinstance(found, list):
        raise ValueError(f"it has no list of {name}")
    return found


def _field(record: Any, name: str, types: tuple[type, ...], what: str) -> Any:
    value = record.get(name) if isinstance(record, dict) else None
    if not isinstance(value, types) or isinstance(value, bool) or value == "":
        if name == "caption" and value == "":
            return value
        raise ValueError(f"{what} has no {name}")
    return value
