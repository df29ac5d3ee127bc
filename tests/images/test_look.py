"""The hash and the colour of a picture: alike for near-duplicates, different for others."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from clipsearch.images.decode import decode_photo
from clipsearch.images.look import look_of
from clipsearch.images.thumbnails import make_thumbnail, read_pixels
from model_export.demo.scenes import draw, random_scene
from model_export.samples import texture
from tests.support.pictures import encoded

# Between the 95th percentile of derived pictures and the 1st of different ones (docs/facts.md).
FEW, MANY = 12, 18


def scene(seed: int) -> Image.Image:
    rng = np.random.default_rng([4, seed])
    return draw(random_scene(rng), 320, rng)


SCENES = [scene(seed) for seed in range(24)]


def crop(image: Image.Image) -> Image.Image:
    width, height = image.size
    return image.crop((round(width / 40), round(height / 40), width * 39 // 40, height * 39 // 40))


def bits(image: Image.Image, other: Image.Image) -> int:
    return (look_of(image).hash ^ look_of(other).hash).bit_count()


@pytest.mark.parametrize(
    ("derive", "most"),
    [
        (lambda image: Image.open(io.BytesIO(encoded(image, "JPEG", quality=50))), 4),
        (lambda image: image.resize((image.width // 2, image.height // 2)), 4),
        (lambda image: ImageEnhance.Brightness(image).enhance(1.15), FEW),
        (lambda image: image.convert("L").convert("RGB"), 4),
        (lambda image: image.crop((5, 0, image.width, image.height)), FEW),
        (crop, 14),
    ],
    ids=["quality 50", "half the size", "brighter", "grey", "shifted", "cropped"],
)
def test_a_derived_picture_differs_in_few_bits(derive, most):
    changed = sorted(bits(image, derive(image)) for image in SCENES)
    assert changed[len(changed) * 9 // 10] <= most


def test_different_scenes_differ_in_many():
    hashes = [look_of(image).hash for image in SCENES]
    pairs = sorted((a ^ b).bit_count() for i, a in enumerate(hashes) for b in hashes[:i])
    assert pairs[len(pairs) // 50] >= MANY


def test_the_hash_does_not_depend_on_the_size_of_the_thumbnail(monkeypatch):
    """Photos that an earlier version indexed keep the hash of a smaller thumbnail."""
    scenes = [scene.resize((1200, 900), Image.Resampling.BICUBIC) for scene in SCENES]
    stored: dict[int, list[Image.Image]] = {}
    for longer_side in (320, 480):
        monkeypatch.setattr("clipsearch.images.thumbnails.LONGER_SIDE", longer_side)
        small = [decode_photo(encoded(scene), 24).thumbnail for scene in scenes]
        stored[longer_side] = [read_pixels(make_thumbnail(image)) for image in small]
    pairs = zip(stored[320], stored[480], strict=True)
    assert sorted(bits(*pair) for pair in pairs)[-2] <= 4


def test_a_thumbnail_has_the_look_of_its_photo():
    image = texture(np.random.default_rng(2), 1200, 900)
    thumbnail = decode_photo(encoded(image), 24).thumbnail
    assert bits(thumbnail, image) <= 4
    assert look_of(thumbnail).colour == pytest.approx(look_of(image).colour, abs=1)


@pytest.mark.parametrize("colour", ["black", "white", "#123456", "#808080"])
@pytest.mark.parametrize("size", [(320, 320), (320, 1), (1, 1), (199, 320)])
def test_a_uniform_picture_has_no_waves(colour, size):
    assert look_of(Image.new("RGB", size, colour)).hash == 0


def test_the_hash_of_the_same_pixels_never_changes():
    """It is stored beside the vector: another hash would match no stored one."""
    wave = np.arange(64 * 64 * 3).reshape(64, 64, 3) * 37 % 251
    image = Image.fromarray((wave // 8 + np.arange(64)[:, None, None] * 3).astype("uint8"))
    assert look_of(image) == look_of(image.copy())
    assert look_of(image).hash == 0x49C58D1C39B4F9A3
    assert 0 <= look_of(SCENES[0]).hash < 2**64


def test_the_colour_is_the_mean_of_all_pixels():
    image = Image.new("RGB", (4, 1), (0, 0, 0))
    image.putpixel((0, 0), (255, 10, 1))
    assert look_of(image).colour == (64, 3, 0)  # 63.75, 2.5, 0.25
    assert look_of(Image.new("RGB", (320, 320), "#fffefd")).colour == (255, 254, 253)
