"""The encoder's input without a thumbnail, as a search needs it."""

import numpy as np
import pytest
from PIL import Image

from clipsearch.errors import UnreadablePhoto
from clipsearch.images import raster
from clipsearch.images.decode import decode_photo, decode_square
from clipsearch.images.preprocess import to_rgb
from clipsearch.images.raster import Raster, Target
from tests.support.pictures import encoded, picture

# size, EXIF orientation
SHAPES = [((90, 60), 1), ((1300, 900), 6), ((300, 1700), 8), ((20, 15), 1), ((4, 60_000), 1)]


def drawn(size):
    """A texture whose pixels differ all over, so that a shift or another filter shows."""
    rng = np.random.default_rng(7)
    coarse = rng.integers(0, 255, (12, 12, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize(("size", "orientation"), SHAPES)
@pytest.mark.parametrize("preprocessing", [1, 2])
@pytest.mark.parametrize(("resize", "resample"), [("crop", "bicubic"), ("squash", "bilinear")])
def test_it_has_the_pixels_of_an_indexed_photo(
    kind, size, orientation, preprocessing, resize, resample
):
    if kind == "WEBP" and max(size) > 16_383:
        pytest.skip("WebP has no picture of that size")
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(drawn(size), kind, exif=exif)
    steps = (64, preprocessing, resize, resample)
    assert decode_square(data, *steps).tobytes() == decode_photo(data, *steps).square.tobytes()


def test_it_is_refused_for_the_same_reason():
    whole = picture("PNG", "red", (50, 50))
    for data in (whole[:60], b"GIF89a", b"no picture"):
        with pytest.raises(UnreadablePhoto) as of_photo:
            decode_photo(data, 24)
        with pytest.raises(UnreadablePhoto) as of_square:
            decode_square(data, 24)
        assert of_square.value.reason == of_photo.value.reason


# size of the picture, of the result, and what is kept of it; the last two in strips of columns
@pytest.mark.parametrize(
    ("size", "small", "crop"),
    [
        ((300, 200), (90, 60), (15, 0, 75, 60)),
        ((200, 300), (60, 90), (0, 15, 60, 75)),
        ((30, 45), (60, 90), (0, 15, 60, 75)),  # enlarged
        ((61, 300), (60, 90), (0, 15, 60, 75)),
        ((100, 300), (90, 60), (15, 0, 75, 60)),
    ],
)
@pytest.mark.parametrize("resample", [Image.Resampling.BICUBIC, Image.Resampling.LANCZOS])
def test_what_a_crop_leaves_out_changes_no_bit(size, small, crop, resample, monkeypatch):
    monkeypatch.setattr(raster, "STRIP_PIXELS", 3000)
    rng = np.random.default_rng(3)
    image = Image.fromarray(rng.integers(0, 255, (*size[::-1], 3), dtype=np.uint8))
    stored = Raster(image.crop, to_rgb, image.size, image.size)
    part, whole = (
        raster.resized(stored, [Target(small[0], small[1], resample, crop=kept)])[0]
        for kept in (crop, None)
    )
    assert part.tobytes() == whole.crop(crop).tobytes()
