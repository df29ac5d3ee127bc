"""Models of full size with random weights: numpy, the export and transformers give the same.

`make test-models` runs this file, no other command does: it takes minutes, and up to 12 GB of
memory and disk for one model. Numbers of tokens are from the whole vocabulary.
"""

from __future__ import annotations

import dataclasses
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    AltCLIPConfig,
    AltCLIPModel,
    ChineseCLIPConfig,
    ChineseCLIPModel,
    MetaClip2Config,
    MetaClip2Model,
    PreTrainedModel,
    SiglipConfig,
    SiglipModel,
)

from clipsearch.model.manifest import Precision
from clipsearch.model.towers import ImageTower, TextTower
from clipsearch.model.variants import Variant
from model_export import forward
from model_export.checkpoint import Checkpoint, load_checkpoint
from model_export.checks import start_and_end
from model_export.ranking import noise
from model_export.samples import texture
from model_export.verify import MAX_DIFFERENCE, MOST_NOISE
from model_export.write_bundle import write_bundle
from tests.export.family_folders import save_kind

LENGTHS = (0, 5, 11, 60)  # tokens between start and end
PICTURES = 4

BASE_16 = {"patch_size": 16}
LARGE_14 = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "patch_size": 14,
}
WORLDWIDE = {"vocab_size": 901_629, "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}


def siglip(vocabulary: int) -> SiglipModel:
    text = {"vocab_size": vocabulary, "bos_token_id": 1, "eos_token_id": 1}
    return SiglipModel(SiglipConfig(text_config=text))


MODELS: dict[str, tuple[str, Callable[[], PreTrainedModel]]] = {
    "siglip-base-patch16-224": ("siglip", lambda: siglip(32_000)),
    "siglip2-base-patch16-224": ("siglip2", lambda: siglip(256_000)),
    "metaclip-2-worldwide-b32": (
        "metaclip_2",
        lambda: MetaClip2Model(MetaClip2Config(text_config=WORLDWIDE)),
    ),
    "chinese-clip-vit-base-patch16": (
        "chinese_clip",
        lambda: ChineseCLIPModel(
            ChineseCLIPConfig(text_config={"vocab_size": 21_128}, vision_config=BASE_16)
        ),
    ),
    "AltCLIP": (
        "altclip",
        lambda: AltCLIPModel(AltCLIPConfig(vision_config=LARGE_14, projection_dim=768)),
    ),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Inputs:
    rows: list[list[int]]
    pixels: np.ndarray  # (N, S, S, 3) uint8


@dataclasses.dataclass(frozen=True, slots=True)
class Vectors:
    text: np.ndarray
    image: np.ndarray


@pytest.mark.parametrize("name", MODELS)
def test_full_size(name, tmp_path, capsys):
    kind, make = MODELS[name]
    torch.manual_seed(0)
    model: PreTrainedModel | None = make().eval()
    assert model is not None
    millions = sum(weight.numel() for weight in model.parameters()) / 1e6
    save_kind(tmp_path / "checkpoint", kind, model)
    checkpoint = load_checkpoint(tmp_path / "checkpoint", name)
    given = inputs(checkpoint)
    theirs = by_transformers(model, checkpoint, given)
    model = None  # its memory goes
    numpys = by_numpy(checkpoint, given)
    found: dict[str, Any] = {"numpy": largest(numpys, theirs)}
    started = time.monotonic()
    exact = by_bundle(checkpoint, tmp_path / "fp32", "fp32", given)
    found |= {"fp32": largest(exact, theirs), "fp32_seconds": time.monotonic() - started}
    started = time.monotonic()
    small = by_bundle(checkpoint, tmp_path / "int8", "int8", given)
    found["int8_seconds"] = time.monotonic() - started
    found["noise"] = noise(small.text, theirs.text), noise(small.image, theirs.image)
    with capsys.disabled():
        print(f"\n{name}: {millions:.0f} million parameters, {summary(found)}")
    assert max(found["numpy"]) < MAX_DIFFERENCE
    assert max(found["fp32"]) < MAX_DIFFERENCE
    assert max(found["noise"]) < MOST_NOISE["int8"]


def summary(found: dict[str, Any]) -> str:
    """Text first, then image."""
    rows = {name: "{:.1e}, {:.1e}".format(*found[name]) for name in ("numpy", "fp32")}
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return (
        f"off transformers by {rows['numpy']} (numpy) and {rows['fp32']} (fp32); noise in int8 "
        f"{found['noise'][0]:.3f}, {found['noise'][1]:.3f}; written and run in "
        f"{found['fp32_seconds']:.0f} s (fp32), {found['int8_seconds']:.0f} s (int8); "
        f"{memory:.1f} GiB at most"
    )


def inputs(checkpoint: Checkpoint) -> Inputs:
    rng = np.random.default_rng(0)
    start, end = start_and_end(checkpoint)
    vocabulary, size = checkpoint.config.text.vocabulary, checkpoint.config.vision.image_size
    before = [] if start is None else [start]
    rows = [[*before, *rng.integers(200, vocabulary, count), end] for count in LENGTHS]
    rows[-1][1] = vocabulary - 1
    drawn = (texture(rng, size, size) for _ in range(PICTURES))
    return Inputs(rows, np.stack([np.asarray(picture) for picture in drawn]))


def ids_and_mask(checkpoint: Checkpoint, given: Inputs) -> tuple[np.ndarray, np.ndarray]:
    """Padded to one length; the mask is 1 everywhere where the model has none."""
    padding, longest = checkpoint.padding, max(map(len, given.rows))
    length = padding.length if padding is not None and padding.length else longest
    fill = given.rows[0][-1] if padding is None else padding.token
    ids = np.full((len(given.rows), length), fill)
    masked = padding is not None and padding.length is None
    mask = np.full(ids.shape, int(not masked))
    for number, row in enumerate(given.rows):
        ids[number, : len(row)] = row
        mask[number, : len(row)] = 1
    return ids, mask


def normalised(checkpoint: Checkpoint, given: Inputs) -> np.ndarray:
    steps = checkpoint.preprocessing
    pixels = (given.pixels.astype(np.float32) / 255 - steps.mean) / steps.std
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), np.float32)


def by_transformers(model: PreTrainedModel, checkpoint: Checkpoint, given: Inputs) -> Vectors:
    ids, mask = map(torch.from_numpy, ids_and_mask(checkpoint, given))
    pixels = torch.from_numpy(normalised(checkpoint, given))
    with torch.inference_mode():
        text = model.get_text_features(input_ids=ids, attention_mask=mask).pooler_output
        image = model.get_image_features(pixel_values=pixels).pooler_output
    return Vectors(*(np.asarray(torch.nn.functional.normalize(one)) for one in (text, image)))


def by_numpy(checkpoint: Checkpoint, given: Inputs) -> Vectors:
    document, weights = checkpoint.document, checkpoint.weights
    return Vectors(
        forward.text_features(document, weights, *ids_and_mask(checkpoint, given)),
        forward.image_features(document, weights, normalised(checkpoint, given)),
    )


def by_bundle(checkpoint: Checkpoint, folder: Path, precision: Precision, given: Inputs) -> Vectors:
    """fp32: all at once; int8: one by one, as the encoder does. The files go afterwards."""
    write_bundle(checkpoint, folder, "full", {"image": precision, "text": precision})
    text = TextTower(folder, Variant(padding=checkpoint.padding))
    image = ImageTower(folder, threads=2)
    if precision == "fp32":
        found = Vectors(text.encode(given.rows), image.encode(given.pixels))
    else:
        found = Vectors(
            np.concatenate([text.encode([row]) for row in given.rows]),
            np.concatenate([image.encode(pixels[None]) for pixels in given.pixels]),
        )
    for file in folder.iterdir():
        file.unlink()
    return found


def largest(ours: Vectors, theirs: Vectors) -> tuple[float, float]:
    return (
        float(np.abs(ours.text - theirs.text).max()),
        float(np.abs(ours.image - theirs.image).max()),
    )
