"""A CLIP with random weights, made once, and how to export it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from transformers import CLIPModel

from benchmarks.random_clip import clip_tokenizer, tiny_clip
from clipsearch.model.bundle import Bundle
from model_export.write_bundle import export_bundle
from tests.export.models import checkpoint_of

# The models here are tiny: threads that wait for each other take longer than the work, many
# times so where somebody else uses the cores too.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return clip_tokenizer().backend_tokenizer


@pytest.fixture
def model() -> CLIPModel:
    return tiny_clip()


@pytest.fixture
def export(tmp_path: Path, tokenizer: Tokenizer) -> Callable[..., Bundle]:
    """export(model, **changes): a bundle in tmp_path / "bundle"."""

    def run(model: CLIPModel, **changes) -> Bundle:
        checkpoint = checkpoint_of(model, changes.pop("tokenizer", tokenizer))
        precision: Any = {
            tower: changes.pop(f"{tower}_precision", "fp32") for tower in ("image", "text")
        }
        return export_bundle(
            checkpoint, tmp_path / "bundle", precision=precision, **{"name": "tiny", **changes}
        )

    return run
