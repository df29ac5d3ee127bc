"""The time of an ordinary JPEG from its bytes to its vector, by stage, as `ingest` spends it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.thumbnails.pictures import LARGE, SMALL, jpeg, photograph
from clipsearch.images import jpeg as jpeg_reader
from clipsearch.images.decode import SCALED_FACTOR, SCALED_LEAST
from clipsearch.images.facts import file_facts
from clipsearch.images.look import look_of
from clipsearch.images.preprocess import PREPROCESSING
from clipsearch.images.thumbnails import make_thumbnail, read_pixels
from clipsearch.model.encoder import Encoder

SIZES = {"640 x 480": (SMALL, 3), "12 MP": (LARGE, 2)}  # pixels, how many pictures
AROUND = ("decode", "preprocess", "thumbnail")  # the stages that have a goal together

Stages = dict[str, float]  # milliseconds of each


def stages(folder: Path, rounds: int) -> dict[str, Any]:
    """By the size of the photo: its bytes, and milliseconds of CPU by stage, the mean of photos."""
    encoder = Encoder.from_folder(folder, side_by_side=True)
    found = {}
    for name, (size, count) in SIZES.items():
        photos = [jpeg(photograph(size, seed)) for seed in range(count)]
        each = [of_photo(encoder, data, rounds) for data in photos]
        found[name] = {
            "bytes": sum(map(len, photos)) / count,
            "ms": {stage: sum(one[stage] for one in each) / count for stage in each[0]},
        }
    return found


def of_photo(encoder: Encoder, data: bytes, rounds: int) -> Stages:
    """Each stage by itself; those that the decoder does at once are differences."""
    photo = encoder.decode(data)
    thumbnail = make_thumbnail(photo.thumbnail)
    size = max(SCALED_FACTOR * encoder.image_size, SCALED_LEAST[PREPROCESSING])
    works: dict[str, Callable[[], object]] = {
        "pixels": lambda: jpeg_reader.read_header(data, size, may_cut=True).load(),
        "square": lambda: encoder.square(data),
        "both": lambda: encoder.decode(data),
        "encoding": lambda: make_thumbnail(photo.thumbnail),
        "facts": lambda: (file_facts(data, False), look_of(read_pixels(thumbnail))),
        "tower": lambda: encoder.encode_image([photo.square]),
    }
    least = dict.fromkeys(works, float("inf"))
    for _ in range(rounds):
        for name, work in works.items():
            began = time.process_time()
            work()
            least[name] = min(least[name], 1000 * (time.process_time() - began))
    return {
        "decode": least["pixels"],
        "preprocess": least["square"] - least["pixels"],
        "thumbnail": least["both"] - least["square"] + least["encoding"],
        "facts": least["facts"],
        "tower": least["tower"],
    }


def share(ms: Stages, names: Sequence[str] = AROUND) -> float:
    """How much of a photo's time these stages are."""
    return sum(ms[name] for name in names) / sum(ms.values())
