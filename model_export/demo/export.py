"""The trained demo model -> the bundle in the repository; `make demo-model` ends with this.

python -m model_export.demo.export --folder build/demo-model
"""

from __future__ import annotations

import argparse
from pathlib import Path

from transformers import CLIPModel

from model_export.demo import BUNDLE
from model_export.demo.batches import MEAN, STD
from model_export.demo.model import IMAGE_SIZE
from model_export.demo.tokenizer import CONTEXT_LENGTH
from model_export.onnx_export import Precision
from model_export.write_bundle import export_bundle

MODEL, TOKENIZER = "model", "tokenizer.json"  # what training leaves in its folder


def export_demo(folder: Path, bundle: Path, precision: Precision) -> None:
    """Export what training left in `folder`. NotEqual if the result is not PyTorch's."""
    written = export_bundle(
        CLIPModel.from_pretrained(folder / MODEL),
        folder / TOKENIZER,
        bundle,
        name="clipsearch-demo",
        image_size=IMAGE_SIZE,
        mean=MEAN,
        std=STD,
        context_length=CONTEXT_LENGTH,
        image_precision=precision,
        text_precision=precision,
    )
    size = sum(written.sizes.values())
    print(f"{bundle}: space {written.space}, {precision}, {size / 1e6:.1f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("build/demo-model"))
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    parser.add_argument("--precision", choices=("fp32", "int8"), default="int8")
    arguments = parser.parse_args()
    export_demo(arguments.folder, arguments.bundle, arguments.precision)


if __name__ == "__main__":
    main()
