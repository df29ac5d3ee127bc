"""Models of the Hugging Face hub, through its own client and a small hub of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest

from benchmarks.random_clip import tiny_clip
from clipsearch.model.bundle import read_bundle
from model_export.exported import is_current
from tests.export.checkpoints import change_json, save_new, save_old
from tests.export.command import main
from tests.support.hub_double import COMMIT, HubDouble, hub_of_this_process

MODEL = "someone/tiny-clip"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    """With more than is needed, as on the hub."""
    folder = save_new(tmp_path_factory.mktemp("hub") / "new", tiny_clip())
    for name in ("pytorch_model.bin", "tf_model.h5", "flax_model.msgpack", "README.md"):
        (folder / name).write_bytes(b"not to be read")
    return folder


@pytest.fixture
def hub(monkeypatch, tmp_path, checkpoint) -> Iterator[HubDouble]:
    """The hub of this test, with an empty cache."""
    with hub_of_this_process(monkeypatch, tmp_path / "cache") as double:
        double.folders[MODEL] = checkpoint
        yield double


@pytest.fixture
def refused(hub, capsys, tmp_path):
    def run(model: str = MODEL) -> str:
        out = tmp_path / "out"
        assert main([model, "--out", str(out)]) == 1
        assert not out.exists()
        [line] = capsys.readouterr().err.splitlines()
        return line.removeprefix("clipsearch: ")

    return run


def test_a_model_that_is_no_clip_is_one_line(hub, refused, tmp_path):
    folder = save_old(tmp_path / "bert", tiny_clip())
    change_json(folder / "config.json", model_type="bert")
    hub.folders[MODEL] = folder
    assert refused().startswith(
        f"{MODEL} has a config.json that is not supported: model_type is 'bert'; supported are "
    )


def test_a_model_of_the_hub_is_exported_and_later_without_a_network(
    hub, checkpoint, tmp_path, capsys
):
    out = tmp_path / "out"
    assert main([MODEL, "--out", str(out), "--precision", "fp32"]) == 0
    bundle = read_bundle(out).bundle
    assert bundle.name == MODEL
    assert bundle.report["source"] == {"model": MODEL, "revision": COMMIT}
    assert is_current(out, MODEL)
    fetched = {path.rsplit("/", 1)[1] for method, path in hub.requests if method == "GET"}
    assert "model.safetensors" in fetched
    assert not fetched & {"pytorch_model.bin", "tf_model.h5", "README.md"}

    hub.close()
    huggingface_hub.close_session()
    capsys.readouterr()
    again = tmp_path / "again"
    assert main([MODEL, "--out", str(again), "--precision", "fp32"]) == 0
    assert "cannot be reached" in capsys.readouterr().out
    assert read_bundle(again).bundle.space == bundle.space


def test_weights_in_several_files_are_all_fetched(hub, tmp_path):
    folder = save_new(tmp_path / "sharded", tiny_clip())
    (folder / "model.safetensors").unlink()
    tiny_clip().save_pretrained(folder, max_shard_size="150KB")
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    assert len(set(index["weight_map"].values())) > 1
    hub.folders[MODEL] = folder
    assert main([MODEL, "--out", str(tmp_path / "out")]) == 0
