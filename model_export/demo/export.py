"""The trained demo model -> the bundle in the repository; `make demo-model` ends with this.

python -m model_export.demo.export
"""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import Tokenizer

from clipsearch.model.bundle import Bundle
from clipsearch.model.manifest import Precision
from model_export.checkpoint import Checkpoint
from model_export.config import parse_config
from model_export.demo import BUNDLE, WEIGHTS
from model_export.demo.matching import fit_demo, write_matching
from model_export.demo.preprocessing import IMAGE_SIZE, MEAN, STD
from model_export.preprocessing import Preprocessing
from model_export.weights.folder import open_weights
from model_export.write_bundle import export_bundle

TOKENIZER = "tokenizer.json"


def export_demo(
    bundle: Path, image_precision: Precision = "int8", text_precision: Precision = "int8"
) -> Bundle:
    """Export the demo model. NotEqual if the result differs from the weights."""
    return export_bundle(
        demo_checkpoint(),
        bundle,
        name="clipsearch-demo",
        precision={"image": image_precision, "text": text_precision},
    )


def demo_checkpoint() -> Checkpoint:
    """What training left in WEIGHTS."""
    document = json.loads((WEIGHTS / "config.json").read_text())
    return Checkpoint(
        document,
        parse_config(document),
        open_weights(WEIGHTS, "the demo model"),
        Tokenizer.from_file(str(WEIGHTS / TOKENIZER)),
        Preprocessing(IMAGE_SIZE, MEAN, STD),
    )


if __name__ == "__main__":
    export_demo(BUNDLE)
    written = write_matching(BUNDLE, fit_demo(BUNDLE))
    size = sum(written.sizes.values())
    print(f"{BUNDLE}: space {written.space}, {size / 1e6:.1f} MB")
