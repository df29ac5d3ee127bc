"""The golden files, and where the encoder's own tests get their bundles from."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from clipsearch.model.encoder import Encoder

GOLDEN = Path(__file__).parent.parent / "golden"


@pytest.fixture(scope="session")
def golden() -> dict[str, np.ndarray]:
    """Tokens and vectors of the sample texts and pictures, from PyTorch (make golden)."""
    return dict(np.load(GOLDEN / "encoder.npz"))


@pytest.fixture(scope="session")
def golden_logits() -> dict[str, np.ndarray]:
    """CLIPModel's logits_per_image and logits_per_text for the same."""
    return dict(np.load(GOLDEN / "logits.npz"))


@pytest.fixture(params=["tiny-clip", "tiny-clip-int8"])
def bundle_folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a CLIP with random weights, in each precision."""
    return shutil.copytree(GOLDEN / request.param, tmp_path / "bundle")


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    """The one in fp32, shared: its sessions are built once."""
    return Encoder.from_folder(GOLDEN / "tiny-clip")


@pytest.fixture(scope="session")
def small_encoder() -> Encoder:
    """The one in 8 bits."""
    return Encoder.from_folder(GOLDEN / "tiny-clip-int8")
