"""MODEL= with what was exported before: neither torch nor a network is needed."""

import json
import shutil

from model_export.exported import SOURCE, is_current
from tests.stack.test_errors import run_stack


def test_an_exported_model_of_the_hub_is_used_again(start_stack, model, tmp_path, port):
    bundle = tmp_path / "models" / "someone" / "clip"
    shutil.copytree(model.folder, bundle)
    (bundle / SOURCE).write_text(json.dumps({"model": "someone/clip"}))
    stack = start_stack(
        *("--model", "someone/clip", "--count", 2, "--state", tmp_path / "run", "--port", port)
    )
    stack.wait_until_ready()
    assert stack.wait_for_line("model: ") == f"model: someone/clip, as exported to {bundle}"
    space = json.loads((bundle / "model.json").read_bytes())["space"]
    assert stack.status()["space"] == space
    assert stack.end() == 0


def test_a_bundle_that_was_made_of_something_else_is_not_used(model, tmp_path):
    shutil.copytree(model.folder, tmp_path / "bundle")
    bundle = tmp_path / "bundle"
    assert not is_current(bundle, "someone/clip")
    (bundle / SOURCE).write_text(json.dumps({"model": "someone/clip"}))
    assert is_current(bundle, "someone/clip")
    assert not is_current(bundle, "someone/other")
    (bundle / "image.onnx.data").rename(tmp_path / "image.onnx.data")
    assert not is_current(bundle, "someone/clip")
    (tmp_path / "image.onnx.data").rename(bundle / "image.onnx.data")
    (bundle / "model.json").write_text("{}")
    assert not is_current(bundle, "someone/clip")


def test_make_run_takes_a_bundle_as_it_is(model, tmp_path, port):
    damaged = tmp_path / "bundle"
    damaged.mkdir()
    (damaged / "model.json").write_text("{}")
    (damaged / "config.json").write_text("{}")  # a bundle first of all
    code, lines = run_stack("--model", damaged, "--state", tmp_path / "run", "--port", port)
    assert code == 1
    assert "not a model.json" in lines[-1]
