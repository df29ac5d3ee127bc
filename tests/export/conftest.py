"""A CLIP with random weights, made once, and how to export it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from transformers import CLIPModel, PreTrainedModel

from benchmarks.random_clip import clip_tokenizer, tiny_clip
from clipsearch.model.bundle import Bundle
from clipsearch.model.encoder import Encoder
from clipsearch.model.manifest import Tower
from model_export.checkpoint import Checkpoint
from model_export.write_bundle import export_bundle
from tests.export.family_folders import FAMILY, save_kind
from tests.export.models import checkpoint_of
from tests.export.saved_family import Saved, tiny

FAMILY_SAMPLES = 20  # texts and pictures: enough for short and long texts

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


@pytest.fixture
def saved(tmp_path) -> Callable[..., Saved]:
    def save(kind: str, model: PreTrainedModel | None = None) -> Saved:
        folder, family = tmp_path / "checkpoint", FAMILY[kind]
        model = model or tiny(family)
        return Saved(family, folder, model, save_kind(folder, kind, model))

    return save


@pytest.fixture
def export_family(tmp_path) -> Callable[..., Encoder]:
    def run(checkpoint: Checkpoint, precision: Any = "fp32") -> Encoder:
        both: dict[Tower, Any] = {"image": precision, "text": precision}
        folder = tmp_path / "bundle"
        # transformers' models see the texts as they are
        options: dict[str, Any] = {"name": "tiny", "samples": FAMILY_SAMPLES, "text_template": "{}"}
        export_bundle(checkpoint, folder, precision=both, **options)
        return Encoder.from_folder(folder)

    return run
