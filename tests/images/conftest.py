"""The golden pixels, and an encoder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from clipsearch.model.encoder import Encoder

GOLDEN = Path(__file__).parent.parent / "golden"


@pytest.fixture(scope="session")
def golden_pixels() -> dict[str, np.ndarray]:
    """CLIPImageProcessor's output at 24 px for each sample picture, by its name."""
    arrays = np.load(GOLDEN / "preprocessing.npz")
    return dict(zip(arrays["names"].tolist(), arrays["pixels"], strict=True))


@pytest.fixture(scope="session")
def golden_digests() -> dict[str, dict[str, str]]:
    """SHA-256 of its output at other sizes: size -> name of the picture -> hex digest."""
    return json.loads((GOLDEN / "preprocessing.json").read_text())["sha256"]


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    """A small CLIP with random weights, in fp32."""
    return Encoder.from_folder(GOLDEN / "tiny-clip")
