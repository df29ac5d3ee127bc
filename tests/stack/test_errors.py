"""What cannot work is said in one line, before anything is started."""

import os
import socket
import subprocess
import sys

import pytest

from tests.stack.running import ROOT
from tools.run.options import UsageError, parse_options


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    return folder


def run_stack(*arguments):
    """Exit code and the lines printed."""
    done = subprocess.run(
        [sys.executable, "-m", "tools.run", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=180,
    )
    return done.returncode, done.stdout.splitlines()


@pytest.mark.parametrize(("offset", "what"), [(0, "page"), (1, "search"), (2, "ingest")])
def test_a_taken_port_is_named_with_what_it_is_for(folder, model, tmp_path, port, offset, what):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port + offset))
        taken.listen()
        code, lines = run_stack(
            *("--photos", folder, "--model", model.folder),
            *("--state", tmp_path / "run", "--port", port),
        )
    assert code == 2
    assert lines == [
        f"clipsearch: port {port + offset} ({what}) cannot be used: Address already in use; "
        "choose others with PORT="
    ]


def test_a_photos_folder_that_is_not_there_is_one_line(model):
    code, lines = run_stack("--photos", "/none/such", "--model", model.folder)
    assert code == 2
    assert lines == ["clipsearch: the photos folder /none/such does not exist"]


def refusal(*arguments):
    with pytest.raises(UsageError) as error:
        parse_options([str(argument) for argument in arguments])
    assert error.value.exit_code == 2
    return str(error.value)


def test_a_file_is_no_photos_folder(model, tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"")
    line = refusal("--model", model.folder, "--photos", tmp_path / "a.jpg")
    assert line == f"{tmp_path / 'a.jpg'} is not a folder of photos but a file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_photos_folder_that_may_not_be_read_is_named(model, folder):
    folder.chmod(0)
    assert "cannot be read by this user" in refusal("--model", model.folder, "--photos", folder)
    folder.chmod(0o700)


def test_a_folder_without_a_model_is_named(tmp_path):
    assert refusal("--model", tmp_path) == f"{tmp_path} is no model bundle: it has no model.json"


def test_photos_that_would_hold_our_own_files_are_refused(model, tmp_path):
    # each thumbnail would be a photo, and have a thumbnail
    line = refusal("--model", model.folder, "--photos", tmp_path, "--state", tmp_path / "run")
    assert line.startswith(f"{tmp_path} holds {tmp_path / 'run'}")


@pytest.mark.parametrize("arguments", [["--port", "0"], ["--port", "65534"], ["--count", "0"]])
def test_numbers_out_of_range_are_named(model, arguments):
    assert arguments[1] in refusal("--model", model.folder, *arguments)


@pytest.mark.parametrize("arguments", [["--port", "http"], ["--photo", "x", "--phtos", "x"]])
def test_what_is_not_understood_is_one_line(arguments):
    assert "\n" not in refusal(*arguments)


def test_each_photos_folder_has_a_state_of_its_own(model, tmp_path):
    states = set()
    for name in ("one/photos", "two/photos"):
        (tmp_path / name).mkdir(parents=True)
        options = parse_options(["--model", str(model.folder), "--photos", str(tmp_path / name)])
        states.add(options.state)
    states.add(parse_options(["--model", str(model.folder)]).state)
    assert len(states) == 3


def test_a_damaged_model_is_one_line(model, folder, tmp_path, port):
    damaged = tmp_path / "model"
    damaged.mkdir()
    for file in model.folder.iterdir():
        (damaged / file.name).write_bytes(file.read_bytes())
    (damaged / "text.onnx").write_bytes(b"damaged")
    code, lines = run_stack(
        *("--photos", folder, "--model", damaged, "--state", tmp_path / "run", "--port", port)
    )
    assert code == 1
    [line] = lines
    assert line.startswith("clipsearch: the object ")
    assert "text.onnx' is damaged" in line


def test_a_photos_folder_that_goes_ends_it_and_its_photos_are_kept(
    start_stack, model, tmp_path, port
):
    photos, state = tmp_path / "drive" / "photos", tmp_path / "run"
    photos.mkdir(parents=True)
    (photos / "a.jpg").write_bytes(model.picture)
    arguments = ("--photos", photos, "--model", model.folder, "--state", state)
    stack = start_stack(*arguments, "--port", port)
    stack.wait_until_ready()
    photos.parent.rename(tmp_path / "unplugged")
    (photos.parent).mkdir()
    assert stack.process.wait(180) == 1
    assert f"clipsearch: the photos folder {photos} is gone" in stack.output()
    [log] = state.glob("*/ingest.log")
    assert "deleted" not in log.read_text()
