"""Export the trained demo model to the bundle in the repository; `make demo-model` ends with this.

python -m model_export.demo.export
"""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import CLIPModel

from clipsearch.model.bundle import Bundle
from clipsearch.model.manifest import Precision
from model_export.demo import BUNDLE, WEIGHTS
from model_export.demo.batches import MEAN, STD
from model_export.demo.model import IMAGE_SIZE
from model_export.demo.tokenizer import CONTEXT_LENGTH
from model_export.write_bundle import export_bundle

TOKENIZER = "tokenizer.json"


def export_demo(
    bundle: Path, image_precision: Precision = "int8", text_precision: Precision = "int8"
) -> Bundle:
    """Export WEIGHTS. Raises NotEqual if the result differs from PyTorch's."""
    return export_bundle(
        CLIPModel.from_pretrained(WEIGHTS, dtype=torch.float32, local_files_only=True),
        WEIGHTS / TOKENIZER,
        bundle,
        name="clipsearch-demo",
        image_size=IMAGE_SIZE,
        mean=MEAN,
        std=STD,
        context_length=CONTEXT_LENGTH,
        image_precision=image_precision,
        text_precision=text_precision,
    )


if __name__ == "__main__":
    written = export_demo(BUNDLE)
    size = sum(written.sizes.values())
    print(f"{BUNDLE}: space {written.space}, {size / 1e6:.1f} MB")
