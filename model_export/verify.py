"""Does a bundle give what PyTorch gives? Compared through the very code that runs in production.

text    tokenizers, cut and padded to the context -> CLIPModel, against Encoder.encode_text
image   CLIPImageProcessor -> CLIPModel, against decode -> preprocess -> Encoder.encode_image
"""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer
from transformers import CLIPModel
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from clipsearch.bundle import Bundle
from clipsearch.decode import decode_photo
from clipsearch.encoder import Encoder
from clipsearch.preprocess import preprocess
from model_export.samples import pictures, texts

# fp32 is the same arithmetic in another order: measured 2e-7. In 8 bits the least cosine
# measured was 0.9997 (text) and 0.9999 (image) for ViT-B/32 with random weights.
MAX_DIFFERENCE = 1e-4
LEAST_COSINE = {"fp32": 0.999999, "int8": 0.99}

FORMATS = {"1": "PNG", "L": "JPEG", "RGB": "JPEG", "CMYK": "JPEG"}  # otherwise PNG


class NotEqual(Exception):
    """The bundle is too far from PyTorch; the message lists what is out of bounds."""

    def __init__(self, problems: list[str], report: dict[str, Any]) -> None:
        self.problems, self.report = problems, report
        super().__init__("the export differs from PyTorch: " + "; ".join(problems))


def verify(folder: Path, model: CLIPModel, tokenizer: Tokenizer) -> dict[str, Any]:
    """Compare the bundle in `folder` with the model it was made from; returns the report.

    Raises NotEqual when tokens or pixels differ at all or vectors differ too much.
    """
    encoder = Encoder.from_folder(folder)
    bundle = encoder.bundle
    sentences = texts()
    photos = [_encoded(sample.image) for sample in pictures()]
    report = {
        "text": _compare_texts(encoder, model, tokenizer, sentences),
        "image": _compare_images(encoder, model, photos),
        "bytes": dict(bundle.sizes),
        "load_seconds": {tower: _load_seconds(folder, tower) for tower in ("text", "image")},
    }
    problems = _problems(bundle, report)
    if problems:
        raise NotEqual(problems, report)
    return report


def _problems(bundle: Bundle, report: dict[str, Any]) -> list[str]:
    problems = []
    for tower, inputs in (("text", "tokens_equal"), ("image", "pixels_equal")):
        found, precision = report[tower], bundle.precision[tower]
        if found[inputs] != found["samples"]:
            problems.append(f"{tower}: {inputs} for {found[inputs]} of {found['samples']}")
        if precision == "fp32" and not found["max_difference"] <= MAX_DIFFERENCE:
            problems.append(
                f"{tower}: a value differs by {found['max_difference']:.1e}, "
                f"{MAX_DIFFERENCE:.0e} is allowed"
            )
        if not found["least_cosine"] >= LEAST_COSINE[precision]:
            problems.append(
                f"{tower}: a cosine of {found['least_cosine']:.6f}, "
                f"at least {LEAST_COSINE[precision]} is demanded"
            )
    return problems


def _compare_texts(
    encoder: Encoder, model: CLIPModel, tokenizer: Tokenizer, sentences: list[str]
) -> dict[str, Any]:
    ids = reference_tokens(tokenizer, sentences, encoder.bundle.context_length)
    rows, _ = encoder.tokenize(sentences)
    length = encoder.bundle.context_length
    padded = [row + row[-1:] * (length - len(row)) for row in rows]
    equal = sum(row == reference for row, reference in zip(padded, ids.tolist(), strict=True))
    vectors = encoder.encode_text(sentences).vectors
    return {**compare(vectors, reference_text(model, ids)), "tokens_equal": equal}


def _compare_images(encoder: Encoder, model: CLIPModel, photos: list[bytes]) -> dict[str, Any]:
    bundle = encoder.bundle
    processor = image_processor(bundle.image_size, bundle.mean, bundle.std)
    images = [decode_photo(photo).image for photo in photos]
    reference = [as_viewed(Image.open(io.BytesIO(photo))) for photo in photos]
    raw = processor(images=reference, do_rescale=False, do_normalize=False)["pixel_values"]
    equal = sum(
        np.array_equal(preprocess(image, bundle.image_size), pixels.transpose(1, 2, 0))
        for image, pixels in zip(images, raw, strict=True)
    )
    pixels = processor(images=reference, return_tensors="pt")["pixel_values"]
    vectors = encoder.encode_image(images)
    return {**compare(vectors, reference_image(model, pixels)), "pixels_equal": equal}


def image_processor(
    size: int, mean: tuple[float, ...], std: tuple[float, ...]
) -> CLIPImageProcessorPil:
    """transformers' preprocessing; this back end needs no torchvision."""
    return CLIPImageProcessorPil(
        size={"shortest_edge": size},
        crop_size={"height": size, "width": size},
        image_mean=list(mean),
        image_std=list(std),
    )


def reference_tokens(tokenizer: Tokenizer, sentences: list[str], length: int) -> np.ndarray:
    """(N, length) int64: cut and padded to the whole context, as CLIPProcessor does it."""
    copy = Tokenizer.from_str(tokenizer.to_str())
    end = copy.encode("").ids[-1]
    copy.enable_truncation(length)
    copy.enable_padding(length=length, pad_id=end, pad_token=copy.id_to_token(end))
    return np.array([encoding.ids for encoding in copy.encode_batch(sentences)])


def reference_text(model: CLIPModel, ids: np.ndarray) -> np.ndarray:
    """PyTorch's text vectors, of length 1."""
    with torch.inference_mode():
        return _unit(model.get_text_features(input_ids=torch.from_numpy(ids)).pooler_output)


def reference_image(model: CLIPModel, pixels: torch.Tensor) -> np.ndarray:
    """PyTorch's image vectors, of length 1, from normalised pixels (N, 3, S, S)."""
    with torch.inference_mode():
        return _unit(model.get_image_features(pixel_values=pixels).pooler_output)


def compare(vectors: np.ndarray, reference: np.ndarray) -> dict[str, Any]:
    return {
        "samples": len(vectors),
        "max_difference": float(np.abs(vectors - reference).max()),
        "least_cosine": float((vectors * reference).sum(1).min()),
    }


def _unit(features: torch.Tensor) -> np.ndarray:
    return torch.nn.functional.normalize(features).numpy()


def _encoded(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, FORMATS.get(image.mode, "PNG"))
    return out.getvalue()


def as_viewed(image: Image.Image) -> Image.Image:
    """The reference for 16 bits is what a viewer shows, too: CLIPImageProcessor's is white."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return image


def _load_seconds(folder: Path, tower: str) -> float:
    encoder = Encoder.from_folder(folder)
    start = time.perf_counter()
    if tower == "text":
        encoder.encode_text(["a photo"])
    else:
        encoder.encode_image([Image.new("RGB", (8, 8))])
    return round(time.perf_counter() - start, 4)
