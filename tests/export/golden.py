"""Write tests/golden/: what the reference (transformers, PyTorch) gives for the sample texts and
pictures, so that `make test` can compare without torch. Run by `make golden`.

    tiny-clip/, tiny-clip-int8/   bundles of a CLIP with random weights
    encoder.npz                   its tokens and vectors from PyTorch
    logits.npz                    its logits_per_image and logits_per_text of the same
    preprocessing.npz             CLIPImageProcessor's pixels of every sample picture at 24 px
    preprocessing.json            SHA-256 of the same at larger sizes, and the versions used
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
import PIL
import tokenizers
import torch
import transformers

from benchmarks.random_clip import MEAN, STD, clip_tokenizer, tiny_clip
from clipsearch.model.manifest import PRECISIONS, TOWERS
from model_export import ROOT
from model_export.reference import as_viewed, padded_tokens, reference_tokens
from model_export.samples import pictures, texts
from model_export.write_bundle import export_bundle
from tests.export.models import checkpoint_of
from tests.export.transformers_reference import image_processor, torch_image, torch_text

GOLDEN = ROOT / "tests" / "golden"
SMALL, LARGE = 24, (33, 64, 224)  # 33: an odd crop


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--folder", type=Path, default=GOLDEN)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    write_preprocessing(folder)
    write_encoder(folder)


def write_preprocessing(folder: Path) -> None:
    samples = pictures()
    images = [as_viewed(sample.image) for sample in samples]
    names = np.array([sample.name for sample in samples])
    np.savez_compressed(
        folder / "preprocessing.npz", names=names, pixels=np.stack(_pixels(images, SMALL))
    )
    digests = {
        str(size): {
            sample.name: hashlib.sha256(pixels.tobytes()).hexdigest()
            for sample, pixels in zip(samples, _pixels(images, size), strict=True)
        }
        for size in LARGE
    }
    made_with = {
        module.__name__: module.__version__ for module in (np, PIL, tokenizers, torch, transformers)
    }
    document = {"made_with": made_with, "sha256": digests}
    (folder / "preprocessing.json").write_text(json.dumps(document, indent=1) + "\n")


def _pixels(images: list[PIL.Image.Image], size: int) -> list[np.ndarray]:
    """(size, size, 3) uint8 of each picture, from the reference."""
    processor = image_processor(size, MEAN, STD)
    raw = processor(images=images, do_rescale=False, do_normalize=False)["pixel_values"]
    return [np.ascontiguousarray(np.moveaxis(pixels, 0, 2)) for pixels in raw]


def write_encoder(folder: Path) -> None:
    model = tiny_clip()
    tokenizer = clip_tokenizer().backend_tokenizer
    for name, precision in zip(("tiny-clip", "tiny-clip-int8"), PRECISIONS, strict=True):
        bundle = export_bundle(
            checkpoint_of(model, tokenizer),
            folder / name,
            name=name,
            precision=dict.fromkeys(TOWERS, precision),
        )
        print(json.dumps(dict(bundle.report), indent=1))
    rows = reference_tokens(tokenizer, texts(), bundle.context_length)
    ids = padded_tokens(rows, bundle.context_length)
    images = [as_viewed(sample.image) for sample in pictures()]
    pixels = image_processor(bundle.image_size, MEAN, STD)(images=images, return_tensors="pt")
    np.savez_compressed(
        folder / "encoder.npz",
        tokens=ids,
        text=torch_text(model, ids),
        image=torch_image(model, pixels["pixel_values"]),
    )
    with torch.inference_mode():
        logits = model(input_ids=torch.from_numpy(ids), pixel_values=pixels["pixel_values"])
    np.savez_compressed(
        folder / "logits.npz",
        per_image=logits.logits_per_image.numpy(),
        per_text=logits.logits_per_text.numpy(),
    )


if __name__ == "__main__":
    main()
