"""Models of the Hugging Face hub, through its own client and a small hub of ours."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants

from benchmarks.random_clip import tiny_clip
from clipsearch.model.bundle import read_bundle
from model_export import ROOT
from model_export.__main__ import main
from model_export.exported import is_current
from tests.export.checkpoints import change_json, save_new, save_old
from tests.support.hub_double import COMMIT, HubDouble

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
    double = HubDouble()
    double.folders[MODEL] = checkpoint
    # The client reads its environment at import, so a running one is told by its constants.
    files = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, double.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", files)
    monkeypatch.setattr(constants, "ENDPOINT", double.url)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    yield double
    huggingface_hub.close_session()
    double.close()


@pytest.fixture
def refused(hub, capsys, tmp_path):
    def run(model: str = MODEL) -> str:
        out = tmp_path / "out"
        assert main([model, "--out", str(out)]) == 1
        assert not out.exists()
        [line] = capsys.readouterr().err.splitlines()
        return line.removeprefix("export: ")

    return run


def test_an_unknown_id_is_one_line(hub, refused):
    assert refused("someone/none") == (
        f"there is no model someone/none at {hub.url}, or it is private: then log in "
        "(`hf auth login`, or HF_TOKEN)"
    )


def test_what_cannot_be_an_id_is_one_line(refused):
    assert refused("a/b/c").startswith("'a/b/c' is no folder here, and no id of the Hugging Face")


def test_a_gated_model_is_one_line(hub, refused):
    hub.gated.add(MODEL)
    assert refused() == (
        f"{MODEL} is gated: accept its terms at {hub.url}/{MODEL} and log in "
        "(`hf auth login`, or HF_TOKEN)"
    )


@pytest.mark.parametrize("status", [401, 403])
def test_a_login_that_may_not_is_one_line(hub, refused, status):
    hub.status = status
    assert MODEL in refused()


def test_a_hub_in_trouble_is_one_line(hub, refused):
    hub.status = 503
    assert (
        refused() == f"{hub.url} answers 503 Service Unavailable, and {MODEL} is not in the cache"
    )


def test_no_network_is_one_line(hub, refused):
    hub.close()
    line = refused()
    assert line.startswith(f"{hub.url} cannot be reached (")
    assert "refused" in line
    assert line.endswith(f"and {MODEL} is not in the cache")


def test_a_model_without_weights_of_transformers_is_one_line(hub, refused, checkpoint, tmp_path):
    folder = tmp_path / "open_clip"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "open_clip_pytorch_model.bin").write_bytes(b"")
    hub.folders[MODEL] = folder
    assert refused().startswith(f"{MODEL} has no weights (model.safetensors, ")


def test_a_model_that_is_no_clip_is_one_line(hub, refused, tmp_path):
    folder = save_old(tmp_path / "bert", tiny_clip())
    change_json(folder / "config.json", model_type="bert")
    hub.folders[MODEL] = folder
    assert refused() == (f"{MODEL} is not a CLIP: the model_type in its config.json is 'bert'")


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


def test_the_process_of_a_person_says_one_line_too(hub, tmp_path, monkeypatch):
    """With the client told by its environment, and nothing of pytest around it."""
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    done = subprocess.run(
        [sys.executable, "-m", "model_export", "someone/none", "--out", str(tmp_path / "out")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"export: there is no model someone/none at {hub.url}")
    assert len(done.stderr.splitlines()) == 1
