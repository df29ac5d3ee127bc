"""One drawn scene, of which tests make variants; and what must come out: that scene."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from clipsearch.errors import UnreadablePhoto
from clipsearch.images.decode import Photo, decode_photo
from model_export.demo.scenes import draw, random_scene
from tests.support.pictures import encoded

pillow_heif.register_heif_opener()  # for writing

SIZE = 64


def scene() -> Image.Image:
    rng = np.random.default_rng(11)
    return draw(random_scene(rng), 160, rng)


SCENE = scene()
GREY = SCENE.convert("L")


def looks_like(photo: Photo, image: Image.Image, within: float = 2.0) -> None:
    wanted = decode_photo(encoded(image), SIZE)
    assert (photo.width, photo.height) == image.size
    for name in ("thumbnail", "square"):
        seen, right = (np.asarray(getattr(p, name)).astype(int) for p in (photo, wanted))
        assert np.abs(seen - right).mean() <= within, name


def reason(data: bytes) -> str:
    with pytest.raises(UnreadablePhoto) as caught:
        decode_photo(data, SIZE)
    return caught.value.reason


def chunk(name: bytes, content: bytes, crc: int | None = None) -> bytes:
    crc = zlib.crc32(name + content) if crc is None else crc
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", crc)


PNG = encoded(SCENE)
