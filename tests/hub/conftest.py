"""A hub in this process, and checkpoints on it whose weights are noise: nobody reads them here."""

import json
import random

import pytest

from model_export import download, known
from model_export.hub import fetch
from tests.support.hub_double import hub_of_this_process

MODEL = "someone/clip"
SIZE = 600_000  # bytes of the weights


@pytest.fixture
def lines():
    """What was said on the way."""
    return []


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """The hub of this test, with an empty cache."""
    monkeypatch.setattr(download, "FIRST_WAIT", 0.0)
    with hub_of_this_process(monkeypatch, tmp_path / "cache") as double:
        yield double


@pytest.fixture
def publish(hub, tmp_path):
    """Puts a checkpoint on the hub: small files, and `weights` with noise in each."""

    def publish(*weights, model=MODEL, leave_out=(), **files):
        folder = tmp_path / "hub" / model
        folder.mkdir(parents=True)
        texts = {
            "config.json": json.dumps({"model_type": "clip"}),
            "preprocessor_config.json": "{}",
            "tokenizer.json": "{}",
            "README.md": "",
            **files,
        }
        for name, text in texts.items():
            if name not in leave_out:
                (folder / name).write_text(text)
        for number, name in enumerate(weights):
            (folder / name).write_bytes(random.Random(number).randbytes(SIZE))
        hub.folders[model] = folder
        return folder

    return publish


@pytest.fixture
def pin(monkeypatch):
    """Makes a checkpoint one of those that are known."""

    def pin(revision, **sha256):
        entry = known.Known(
            MODEL, "CLIP", revision, {f"{k}.safetensors": v for k, v in sha256.items()}
        )
        monkeypatch.setitem(known.KNOWN, MODEL, entry)

    return pin


@pytest.fixture
def get(hub, lines):
    return lambda model=MODEL: fetch(model, lines.append)


@pytest.fixture
def left(tmp_path):
    """The names of what could be taken for weights in the cache, and of parts of them."""

    def left():
        files = (tmp_path / "cache").glob("models--*/*/**/*")
        return sorted(
            file.name
            for file in files
            if file.is_file() and (file.stat().st_size > 10_000 or file.suffix == ".incomplete")
        )

    return left
