"""How long a bundle takes here: an impression. `make bench-encoder` is the benchmark."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from clipsearch.model.encoder import Encoder
from model_export.samples import photo

TEXT = "two blue mushrooms in the snow"
REPEATS = 5


def load_seconds(folder: Path) -> dict[str, float]:
    """From nothing to the first vector, for each tower."""
    return {
        "text": _seconds(lambda: Encoder.from_folder(folder).encode_text([TEXT])),
        "image": _seconds(
            lambda: Encoder.from_folder(folder).encode_image([Image.new("RGB", (8, 8))])
        ),
    }


def speed(folder: Path) -> dict[str, float]:
    """Milliseconds for one text and one JPEG of 640 x 480, when warm: medians."""
    encoder = Encoder.from_folder(folder)
    data = photo(np.random.default_rng(0), 640, 480)
    return {
        "text_ms": _median(lambda: encoder.encode_text([TEXT])),
        "image_ms": _median(lambda: encoder.encode_image([encoder.decode(data).square])),
    }


def _median(call: Callable[[], Any]) -> float:
    samples = [_seconds(call) for _ in range(1 + REPEATS)]
    return round(1e3 * statistics.median(samples[1:]), 3)  # the first warms up


def _seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return round(time.perf_counter() - start, 6)
