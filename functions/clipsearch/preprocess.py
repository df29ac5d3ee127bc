"""CLIP's image preprocessing, exactly as transformers' CLIPImageProcessor (5.23.0) does it.

    RGB -> Resize(shorter side = size, bicubic, antialiased) -> CenterCrop(size) -> uint8

Scaling to [0, 1] and normalising are part of image.onnx (model_export).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

# Changes whenever the pixels that come out change: part of the embedding space (bundle.py).
PREPROCESSING = 1

# What a JPEG is decoded for at least, so that a thumbnail of 320 can be made of it, too. It
# decides about pixels that the encoder sees: another value means another PREPROCESSING.
DECODED_SIZE = 160

# A picture that would be resized to more pixels than this is cropped first (1 x 100,000).
MAX_RESIZED_PIXELS = 16_000_000


def preprocess(image: Image.Image, size: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """An upright picture of any size and mode -> (size, size, 3) uint8, RGB."""
    import numpy as np
    from PIL import Image

    image = to_rgb(image)
    if image.width <= image.height:
        width, height = size, size * image.height // image.width
    else:
        width, height = size * image.width // image.height, size
    # Both back ends of CLIPImageProcessor round the offset down, where torchvision's CenterCrop
    # rounds half to even: they differ by one pixel when the remainder is 3 modulo 4.
    left, top = (width - size) // 2, (height - size) // 2
    crop = (left, top, left + size, top + size)
    if width * height <= MAX_RESIZED_PIXELS:
        square = image.resize((width, height), Image.Resampling.BICUBIC).crop(crop)
    else:
        x, y = image.width / width, image.height / height
        box = (crop[0] * x, crop[1] * y, crop[2] * x, crop[3] * y)
        square = image.resize((size, size), Image.Resampling.BICUBIC, box=box)
    return np.asarray(square)


def to_rgb(image: Image.Image) -> Image.Image:
    """RGB; what is transparent becomes white, as on a page."""
    from PIL import Image

    if "A" in image.getbands() or image.info.get("transparency") is not None:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image)
    return image if image.mode == "RGB" else image.convert("RGB")
