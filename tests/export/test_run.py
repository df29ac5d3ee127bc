"""`make run MODEL=` with a checkpoint: exported at the first start, used at the next."""

from __future__ import annotations

import pytest

from benchmarks.random_clip import tiny_clip
from cli.common.errors import RunError
from cli.run.model import choose_model, export_once
from clipsearch.model.bundle import read_bundle
from model_export.exported import place_of
from tests.export.checkpoints import change_json, save_new
from tests.support.ports import free_port
from tests.support.running_stack import RunningStack


@pytest.fixture
def checkpoint(tmp_path):
    return save_new(tmp_path / "my clip", tiny_clip())


@pytest.fixture
def start(tmp_path, checkpoint):
    stacks = []

    def run():
        output = tmp_path / f"output-{len(stacks)}"
        arguments = ("--model", checkpoint, "--count", 3, "--state", tmp_path / "run")
        stacks.append(RunningStack(output, *arguments, "--port", free_port()))
        return stacks[-1]

    yield run
    for stack in stacks:
        stack.end()


def test_a_checkpoint_is_exported_at_the_first_start_and_used_at_the_next(
    start, checkpoint, tmp_path
):
    bundle = place_of(str(checkpoint), tmp_path / "models")
    first = start()
    first.wait_until_ready()
    assert first.wait_for_line("model: ") == (
        f"model: {checkpoint} is exported to {bundle} first (once)"
    )
    assert len(first.names(q="a red car")) == 3
    space = read_bundle(bundle).bundle.space
    assert first.status()["space"] == space
    assert first.end() == 0

    again = start()
    again.wait_until_ready()
    assert again.wait_for_line("model: ") == f"model: {checkpoint}, as exported to {bundle}"
    assert again.status()["space"] == space
    assert again.end() == 0

    tiny_clip(seed=1).save_pretrained(checkpoint)
    export_once(str(checkpoint), bundle)
    assert read_bundle(bundle).bundle.space != space


def test_a_checkpoint_that_cannot_be_exported_ends_the_start(checkpoint, tmp_path):
    change_json(checkpoint / "config.json", model_type="bert")
    bundle, found = choose_model(str(checkpoint), tmp_path / "models")
    assert found == str(checkpoint)
    with pytest.raises(RunError, match=r"a config\.json that is not supported.*; --model FOLDER"):
        export_once(found, bundle)
    assert not bundle.exists()
