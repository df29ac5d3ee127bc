"""What benchmarks.encoder runs in processes of their own: making the models, and each side.

python -m benchmarks.encoder_sides make | theirs | int8 | fp32
"""

from __future__ import annotations

import io
import itertools
import json
import shutil
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.encoder import MODELS, PHOTOS

QUERIES = (
    "two blue mushrooms",
    "a white boat at sunset",
    "a dog and a child playing in the snow",
    "car",
    "people waiting at a train station",
    "a photo of an old wooden house by the sea",
)
REPEATS = {"text": 30, "image": 12, "image_batch": 4}
BATCH = 8

Encode = Callable[[Any], Any]


def make() -> None:
    """Write full-size random weights as a transformers folder and as our two bundles."""
    import numpy as np

    from benchmarks.random_clip import save_vit_b32
    from clipsearch.model.bundle import publish_bundle
    from clipsearch.model.manifest import PRECISIONS, TOWERS
    from clipsearch.storage.local import FolderBucket
    from model_export.checkpoint import load_checkpoint
    from model_export.samples import photo
    from model_export.write_bundle import export_bundle

    shutil.rmtree(MODELS, ignore_errors=True)
    words = " ".join(QUERIES).split()  # single tokens of CLIP's own tokenizer, too
    checkpoint = load_checkpoint(save_vit_b32(MODELS / "hf", words), "ViT-B/32")
    for precision in PRECISIONS:
        export_bundle(
            checkpoint,
            MODELS / precision,
            name=f"vit-b32-random-{precision}",
            precision=dict.fromkeys(TOWERS, precision),
        )
        publish_bundle(MODELS / precision, FolderBucket(MODELS / f"bucket-{precision}"))
    PHOTOS.mkdir()
    for number in range(BATCH):
        data = photo(np.random.default_rng(number), 640, 480)
        (PHOTOS / f"{number}.jpg").write_bytes(data)
    (MODELS / "done").touch()


def theirs(folder: str) -> tuple[Encode, Encode]:
    """(text -> vector, JPEGs -> vectors) as the original app encodes them."""
    import torch
    from PIL import Image
    from transformers import CLIPModel, CLIPProcessor

    model, processor = CLIPModel.from_pretrained(folder), CLIPProcessor.from_pretrained(folder)
    normalize = torch.nn.functional.normalize
    length = model.config.text_config.max_position_embeddings  # 77
    whole = {"padding": "max_length", "max_length": length, "truncation": True}

    @torch.no_grad()
    def encode_text(text: str) -> Any:
        given = processor(text=[text], return_tensors="pt", **whole)
        features = model.get_text_features(given["input_ids"], given["attention_mask"])
        return normalize(features.pooler_output).numpy()

    @torch.no_grad()
    def encode_images(photos: list[bytes]) -> Any:
        images = [Image.open(io.BytesIO(photo)) for photo in photos]
        features = model.get_image_features(**processor(images=images, return_tensors="pt"))
        return normalize(features.pooler_output).numpy()

    return encode_text, encode_images


def ours(folder: Path) -> tuple[Encode, Encode]:
    """The same with our code: one photo as `search` does it, several as `ingest`."""
    from PIL import Image

    from clipsearch.cpus import cpus
    from clipsearch.model.encoder import Encoder

    encoder = Encoder.from_folder(folder)
    of_many = Encoder.from_folder(folder, side_by_side=True)
    pool = ThreadPoolExecutor(cpus())

    def decode(photo: bytes) -> Image.Image:
        return encoder.decode(photo).square

    def encode_images(photos: list[bytes]) -> Any:
        if len(photos) == 1:
            return encoder.encode_image([encoder.square(photos[0])])
        return of_many.encode_image(list(pool.map(decode, photos)))

    return lambda text: encoder.encode_text([text]).vectors, encode_images


def measure(side: str) -> dict[str, list[float]]:
    """Seconds of every repetition after three that do not count, by measurement."""
    encode_text, encode_images = (
        theirs(str(MODELS / "hf")) if side == "theirs" else ours(MODELS / side)
    )
    photos = [path.read_bytes() for path in sorted(PHOTOS.iterdir())]
    inputs: dict[str, tuple[Encode, list[Any]]] = {
        "text": (encode_text, list(QUERIES)),
        "image": (encode_images, [[photo] for photo in photos]),
        "image_batch": (encode_images, [photos]),
    }
    return {
        name: _seconds(encode, values, REPEATS[name]) for name, (encode, values) in inputs.items()
    }


def _seconds(encode: Encode, values: list[Any], repeats: int) -> list[float]:
    seconds = []
    for number, value in enumerate(itertools.islice(itertools.cycle(values), repeats + 3)):
        begin = time.perf_counter()
        encode(value)
        if number >= 3:
            seconds.append(time.perf_counter() - begin)
    return seconds


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make()
    else:
        print(json.dumps(measure(sys.argv[1])))
