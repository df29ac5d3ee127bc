"""Versions of a drawn scene, and other scenes that look like it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageEnhance

from model_export.demo.drawing import COLOURS, THINGS
from model_export.demo.scenes import Group, Scene, draw, near_miss, random_scene

SIZE = 640
MARGIN = 32  # pixels drawn around a picture, for the shifts of a burst
ORIGINAL = "original"

Version = Callable[[Image.Image, Image.Image, np.random.Generator], bytes]


@dataclass(frozen=True, slots=True)
class Picture:
    """A file. Pictures of one `scene` are near-duplicates; of two they are not."""

    scene: int
    kind: str
    data: bytes


def library(scenes: int, seed: int) -> Iterator[Picture]:
    """Each of so many scenes in all VERSIONS, each followed by its look-alikes."""
    rng = np.random.default_rng(seed)
    number = 0
    for _ in range(scenes):
        scene, drawing = random_scene(rng), int(rng.integers(1 << 31))
        canvas = _canvas(scene, drawing)
        picture = _cut(canvas, 0, 0)
        for kind, version in VERSIONS.items():
            yield Picture(number, kind, version(picture, canvas, rng))
        for kind, (other, its) in _look_alikes(scene, drawing, rng).items():
            number += 1
            yield Picture(number, kind, _encoded(_cut(_canvas(other, its), 0, 0)))
        number += 1


def _look_alikes(
    scene: Scene, drawing: int, rng: np.random.Generator
) -> dict[str, tuple[Scene, int]]:
    """The scene and the seed of its drawing, by kind. The same seed gives the same background."""
    return {
        "the same words, drawn again": (scene, drawing + 1),
        "one attribute changed": (near_miss(scene, rng), drawing),
        "other things in the same places": (_other_things(scene, rng), drawing),
    }


def _other_things(scene: Scene, rng: np.random.Generator) -> Scene:
    used = {group.thing for group in scene.groups}
    things = rng.permutation([thing for thing in THINGS if thing not in used])
    groups = tuple(
        Group(str(thing), COLOURS[rng.integers(len(COLOURS))], group.count)
        for thing, group in zip(things, scene.groups, strict=False)
    )
    return replace(scene, groups=groups)


def _canvas(scene: Scene, drawing: int) -> Image.Image:
    return draw(scene, SIZE + 2 * MARGIN, np.random.default_rng(drawing))


def _cut(canvas: Image.Image, right: float, down: float) -> Image.Image:
    x, y = round(MARGIN + right), round(MARGIN + down)
    return canvas.crop((x, y, x + SIZE, y + SIZE))


def _encoded(picture: Image.Image, kind: str = "JPEG", quality: int = 92) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, quality=quality)
    return file.getvalue()


def _cropped(picture: Image.Image, x: float, y: float, share: float) -> Image.Image:
    """`share` of each side, from (x, y) in units of what is cut off."""
    side = round(share * SIZE)
    left, top = round(x * (SIZE - side)), round(y * (SIZE - side))
    return picture.crop((left, top, left + side, top + side))


def _crop(picture: Image.Image, _: Image.Image, rng: np.random.Generator) -> bytes:
    x, y = rng.uniform(size=2).tolist()
    return _encoded(_cropped(picture, x, y, 0.95))


def _zoom(picture: Image.Image, _: Image.Image, rng: np.random.Generator) -> bytes:
    nearer = _cropped(picture, 0.5, 0.5, 0.97)
    return _encoded(nearer.resize((SIZE, SIZE), Image.Resampling.LANCZOS))


def _shifted(share: float) -> Version:
    def version(_: Image.Image, canvas: Image.Image, rng: np.random.Generator) -> bytes:
        angle = rng.uniform(0, 2 * np.pi)
        return _encoded(_cut(canvas, *(share * SIZE * np.array([np.cos(angle), np.sin(angle)]))))

    return version


def _saved(kind: str = "JPEG", quality: int = 92) -> Version:
    return lambda picture, *_: _encoded(picture, kind, quality)


def _brightened(factor: float) -> Version:
    return lambda picture, *_: _encoded(ImageEnhance.Brightness(picture).enhance(factor))


def _half(picture: Image.Image, *_: object) -> bytes:
    return _encoded(picture.resize((SIZE // 2, SIZE // 2), Image.Resampling.LANCZOS))


VERSIONS: dict[str, Version] = {
    ORIGINAL: _saved(),
    "under another name": _saved(),
    "JPEG, quality 50": _saved(quality=50),
    "JPEG, quality 70": _saved(quality=70),
    "JPEG, quality 90": _saved(quality=90),
    "WebP, quality 75": _saved("WEBP", 75),
    "half the size": _half,
    "5 % of each side cut off": _crop,
    "15 % brighter": _brightened(1.15),
    "15 % darker": _brightened(0.85),
    "burst: shifted by 1 %": _shifted(0.01),
    "burst: shifted by 2 %": _shifted(0.02),
    "burst: 3 % nearer": _zoom,
}
