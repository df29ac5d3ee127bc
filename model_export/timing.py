"""How long a bundle takes, beside PyTorch in the same process: an impression, no benchmark
(that is `make bench-encoder`, which gives each side a process of its own)."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from clipsearch.model.encoder import Encoder
from model_export.reference import Reference, opened
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


def speed(encoder: Encoder, reference: Reference) -> dict[str, dict[str, float]]:
    """Milliseconds for one text and one JPEG of 640 x 480, when warm; ours and theirs take
    turns, the medians count."""
    data = photo(np.random.default_rng(0), 640, 480)
    sides: dict[str, dict[str, Callable[[], Any]]] = {
        "text_ms": {
            "ours": lambda: encoder.encode_text([TEXT]),
            "theirs": lambda: reference.text(reference.tokens([TEXT])),
        },
        "image_ms": {
            "ours": lambda: encoder.encode_image([encoder.decode(data).square]),
            "theirs": lambda: reference.image([opened(data)]),
        },
    }
    return {what: _medians(calls) for what, calls in sides.items()}


def _medians(calls: dict[str, Callable[[], Any]]) -> dict[str, float]:
    samples: dict[str, list[float]] = {side: [] for side in calls}
    for _ in range(1 + REPEATS):  # the first is the warming up
        for side, call in calls.items():
            samples[side].append(_seconds(call))
    return {side: round(1e3 * statistics.median(s[1:]), 3) for side, s in samples.items()}


def _seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return round(time.perf_counter() - start, 6)
