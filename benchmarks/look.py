"""Measures perceptual hashes: changed bits of derived pictures, and between different scenes.

    python -m benchmarks.look --scenes 300

Prints the table of docs/facts.md.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance

from cli.demo_photos import SEED, SIZE, demo_scene
from clipsearch.images.look import look_of
from clipsearch.images.thumbnails import thumbnail_target
from model_export.demo.scenes import draw

Hash = Callable[[Image.Image], int]
Derive = Callable[[Image.Image], Image.Image]


def saved(image: Image.Image, quality: int) -> Image.Image:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return Image.open(out).convert("RGB")


def resized(image: Image.Image, factor: float) -> Image.Image:
    return image.resize((round(image.width * factor), round(image.height * factor)))


def cropped(image: Image.Image, share: float, across: float, down: float) -> Image.Image:
    """Without `share` of each side; `across` and `down`: which part of that is left and above."""
    width, height = image.size
    left, top = width * share * across, height * share * down
    return image.crop(
        (round(left), round(top), round(left + width - width * share),
         round(top + height - height * share))
    )  # fmt: skip


def signed(image: Image.Image) -> Image.Image:
    image = image.copy()
    place = image.width * 0.6, image.height * 0.93
    ImageDraw.Draw(image).text(place, "(c) A. Photographer", fill="white")
    return image


def together(image: Image.Image) -> Image.Image:
    brighter = ImageEnhance.Brightness(cropped(image, 0.03, 0.2, 0.7)).enhance(1.1)
    return saved(resized(brighter, 0.6), 60)


DERIVED: dict[str, Derive] = {
    "JPEG of quality 50": lambda image: saved(image, 50),
    "half the size": lambda image: resized(image, 0.5),
    "15 % brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.15),
    "in grey": lambda image: image.convert("L").convert("RGB"),
    "a signature": signed,
    "shifted by 2 %": lambda image: cropped(image, 0.02, 1, 0.5),
    "5 % cropped, in the middle": lambda image: cropped(image, 0.05, 0.5, 0.5),
    "5 % cropped, in a corner": lambda image: cropped(image, 0.05, 0, 0),
    "3 % cropped, smaller, 10 % brighter, quality 60": together,
}


def difference_hash(image: Image.Image) -> int:
    """dHash: whether the grey rises from left to right."""
    grey = np.asarray(image.convert("L").resize((9, 8), Image.Resampling.BOX)).astype(int)
    return _bits(grey[:, 1:] > grey[:, :-1])


def average_hash(image: Image.Image) -> int:
    """aHash: whether the grey is above the mean."""
    grey = np.asarray(image.convert("L").resize((8, 8), Image.Resampling.BOX)).astype(int)
    return _bits(grey > grey.mean())


def _bits(values: np.ndarray) -> int:
    return int.from_bytes(np.packbits(values).tobytes(), "big")


HASHES: dict[str, Hash] = {
    "pHash": lambda image: look_of(image).hash,
    "dHash": difference_hash,
    "aHash": average_hash,
}


def thumbnail(image: Image.Image) -> Image.Image:
    target = thumbnail_target(*image.size)
    return image.resize((target.width, target.height), Image.Resampling.LANCZOS)


def changed(ours: Sequence[int], others: Sequence[int]) -> list[int]:
    return [(a ^ b).bit_count() for a, b in zip(ours, others, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scenes", type=int, default=300)
    count = parser.parse_args().scenes
    scenes = [draw(demo_scene(n), SIZE, np.random.default_rng([SEED, n, 1])) for n in range(count)]
    small = [thumbnail(scene) for scene in scenes]
    plain = {name: [hashed(image) for image in small] for name, hashed in HASHES.items()}
    print(f"| changed bits of 64 | {' | '.join(HASHES)} |\n| --- |{' --- |' * len(HASHES)}")
    for derivation, derive in DERIVED.items():
        images = [thumbnail(derive(scene)) for scene in scenes]
        row = [changed([h(image) for image in images], plain[n]) for n, h in HASHES.items()]
        cells = [f"{np.median(bits):.0f}, {np.percentile(bits, 95):.0f}" for bits in row]
        print(f"| {derivation} | {' | '.join(cells)} |")
    cells = []
    for hashes in plain.values():
        pairs = [(a ^ b).bit_count() for i, a in enumerate(hashes) for b in hashes[:i]]
        cells.append(f"{np.percentile(pairs, 1):.0f}")
    print(f"| different scenes (1st percentile) | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
