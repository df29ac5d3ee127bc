"""`clipsearch run` and `clipsearch export` with the hub: which model, and what if there is none."""

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

from cli.common.errors import UsageError
from cli.main import main
from cli.run.model import DEMO_MODEL, choose_model
from cli.run.options import options_of
from model_export import ROOT
from model_export.exported import SOURCE
from model_export.known import DEFAULT_MODEL
from tests.hub.conftest import MODEL
from tests.support.pictures import jpeg
from tests.support.ports import free_port
from tests.support.running_stack import RunningStack
from tests.support.waiting import wait_for


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "red.jpg").write_bytes(jpeg("red", (80, 60)))
    return folder


# --- which model


@pytest.mark.parametrize(
    ("given", "checkpoint"),
    [
        ({}, DEFAULT_MODEL),
        ({"model": "ViT-L/14@336px"}, "openai/clip-vit-large-patch14-336"),
        ({"model": "someone/clip"}, "someone/clip"),
        ({"demo_model": True}, None),
        ({"model": "demo"}, None),
    ],
)
def test_a_folder_has_a_real_clip_unless_another_model_is_named(photos, given, checkpoint):
    options = options_of(str(photos), **given)
    assert options.checkpoint == checkpoint
    assert (options.model == DEMO_MODEL) == (checkpoint is None)


def test_the_demo_pictures_have_the_demo_model():
    options = options_of()
    assert (options.model, options.checkpoint) == (DEMO_MODEL, None)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"demo_model": True, "model": "someone/clip"}, "--demo-model and --model someone/clip"),
        ({"model": "RN50"}, "RN50 is a ResNet"),
    ],
)
def test_models_that_cannot_be_meant_are_refused(photos, given, said):
    with pytest.raises(UsageError, match=said):
        options_of(str(photos), **given)


def test_an_id_has_its_place_and_so_has_each_folder(tmp_path):
    models = tmp_path / "models"
    assert choose_model("someone/clip", models) == (models / "someone" / "clip", "someone/clip")
    folders = [tmp_path / parent / "clip" for parent in ("here", "elsewhere")]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
    places = {choose_model(str(folder), models)[0] for folder in folders}
    assert len(places) == 2
    assert {place.parent for place in places} == {models}


# --- without a hub


def run(*arguments, **environment):
    """Exit code, what was said, what was wrong."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        environment.setdefault(name, "")
    done = subprocess.run(
        [sys.executable, "-m", "cli", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=180,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("is_told", [False, True], ids=["no network", "HF_HUB_OFFLINE"])
def test_a_hub_out_of_reach_is_one_sentence_before_anything_is_indexed(photos, tmp_path, is_told):
    port = free_port()
    hub = f"http://127.0.0.1:{free_port()}"
    state = tmp_path / "state" / "run"
    code, _, wrong = run(
        *("run", photos, "--state", state, "--port", port),
        HF_ENDPOINT=hub,
        HF_HOME=str(tmp_path / "home"),
        HF_HUB_OFFLINE=str(int(is_told)),
    )
    assert code == 1
    [line] = wrong.splitlines()
    why = "HF_HUB_OFFLINE is set" if is_told else f"{hub} cannot be reached ("
    assert line.startswith(f"clipsearch: {why}")
    assert line.endswith(
        f", and {DEFAULT_MODEL} is not in the cache; --model FOLDER takes a model that you have, "
        "and --demo-model the demo model, which knows drawn scenes only"
    )
    assert [path.name for path in state.glob("*/*")] == ["lock"]
    assert not (tmp_path / "state" / "models").exists()


@pytest.fixture
def start(tmp_path, photos):
    stacks = []

    def start(*arguments):
        output = tmp_path / f"output-{len(stacks)}"
        folders = (photos, "--state", tmp_path / "state" / "run", "--port", free_port())
        stacks.append(RunningStack(output, *folders, *arguments))
        stacks[-1].wait_until_ready()
        return stacks[-1]

    yield start
    for stack in stacks:
        stack.end()


def test_what_was_exported_before_asks_nobody(hub, photos, start, tmp_path, monkeypatch):
    bundle = tmp_path / "state" / "models" / DEFAULT_MODEL
    shutil.copytree(DEMO_MODEL, bundle)
    (bundle / SOURCE).write_text(json.dumps({"model": DEFAULT_MODEL}))
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    stack = start()
    assert stack.wait_for_line("model: ") == f"model: {DEFAULT_MODEL}, as exported to {bundle}"
    assert stack.names(q="something red") == ["red.jpg"]
    assert hub.requests == []


def test_the_demo_model_asks_nobody_and_says_what_it_knows(hub, start, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    stack = start("--demo-model")
    assert stack.status()["model"] == "clipsearch-demo"
    assert stack.wait_for_line("The demo model knows drawn scenes only")
    assert hub.requests == []


# --- export


@pytest.fixture
def wrong(hub, publish, tmp_path, capsys):
    publish("model.safetensors")

    def wrong(*arguments):
        out = tmp_path / "out"
        code = main(["export", "--out", str(out), *map(str, arguments)])
        [line] = capsys.readouterr().err.splitlines()
        assert not (out / "model.json").exists()
        return code, line.removeprefix("clipsearch: ")

    return wrong


def test_what_cannot_be_exported_is_refused_before_anything_is_downloaded(hub, wrong, tmp_path):
    assert wrong("RN50")[0] == 2
    assert wrong("/none/such") == (2, "there is no folder /none/such")
    assert wrong(MODEL, "--to", "somewhere")[1].startswith("--to: ")
    assert wrong(MODEL, "--precision", "int4")[0] == 2
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("")
    assert wrong(MODEL) == (
        2,
        f"{tmp_path / 'out'} holds what is no bundle, such as thesis.txt: choose another",
    )
    file = tmp_path / "out" / "thesis.txt"
    assert wrong(MODEL, "--out", file / "bundle") == (
        2,
        f"--out: {file} is no folder that can be written",
    )
    assert hub.requests == []


def test_what_the_hub_does_not_give_is_one_line(hub, wrong):
    assert wrong("someone/none")[1].startswith(f"there is no model someone/none at {hub.url}")
    hub.lies = {"model.safetensors"}
    code, line = wrong(MODEL)
    assert code == 1
    assert line.startswith(f"model.safetensors of {MODEL} has the SHA-256 ")
    hub.close()
    assert wrong("someone/none")[1].endswith("and someone/none is not in the cache")


def test_an_export_that_is_stopped_may_take_away_what_it_has_begun(tmp_path):
    export = """
import pathlib, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
begun = pathlib.Path(sys.argv[1])
begun.touch()
try:
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(1)  # the end of an operator
    begun.unlink()
"""
    start = """
import signal, sys
from cli.run.model import _outcome
signal.signal(signal.SIGINT, signal.default_int_handler)
_outcome([sys.executable, "-c", *sys.argv[1:]])
"""
    begun = tmp_path / "begun"
    arguments = [sys.executable, "-c", start, export, str(begun)]
    process = subprocess.Popen(arguments, cwd=ROOT, start_new_session=True, stderr=subprocess.PIPE)
    wait_for(begun.exists, "the export")
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    assert b"KeyboardInterrupt" in process.communicate(timeout=30)[1]
    assert not begun.exists()
