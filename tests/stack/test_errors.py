"""What cannot work is said in one line, before anything is started."""

import os
import re
import socket
import subprocess
import sys

import pytest

from cli.common.errors import UsageError
from cli.run.options import command, options_of
from cli.run.stack import GONE_AT_ONCE
from tests.support.running_stack import ROOT
from tests.support.waiting import wait_for


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    return folder


def run_stack(*arguments):
    """Exit code and the lines printed."""
    done = subprocess.run(
        [sys.executable, "-m", "cli", "run", *map(str, arguments)],
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
            *(folder, "--model", model.folder),
            *("--state", tmp_path / "run", "--port", port),
        )
    assert code == 2
    assert lines == [
        f"clipsearch: port {port + offset} ({what}) cannot be used: Address already in use; "
        "choose another with --port"
    ]


def test_a_photos_folder_that_is_not_there_is_one_line(model):
    code, lines = run_stack("/none/such", "--model", model.folder)
    assert code == 2
    assert lines == ["clipsearch: the photos folder /none/such does not exist; check the path"]


def test_a_state_folder_that_cannot_be_made_is_one_line(folder, model, tmp_path, port):
    (tmp_path / "run").write_text("a file")
    code, lines = run_stack(
        *(folder, "--model", model.folder),
        *("--state", tmp_path / "run", "--port", port),
    )
    assert code == 2
    [line] = lines
    assert line.startswith("clipsearch: ")
    assert f"{tmp_path / 'run'}" in line
    assert line.endswith("choose another folder with --state")


def test_demo_photos_that_cannot_be_drawn_are_one_line(model, tmp_path, port):
    (tmp_path / "demo-photos").write_text("a file")
    code, lines = run_stack("--model", model.folder, "--state", tmp_path / "run", "--port", port)
    assert code == 1
    assert len(lines) == 1
    assert f"{tmp_path / 'demo-photos'}" in lines[0]


def parse_options(arguments):
    # the command remembers the names of --help for whoever asks next
    params = command.make_context("run", arguments, help_option_names=["-h", "--help"]).params
    del params["quiet"]
    return options_of(**params)


def refusal(*arguments):
    with pytest.raises(UsageError) as error:
        parse_options([str(argument) for argument in arguments])
    assert error.value.exit_code == 2
    return str(error.value)


def test_a_file_is_no_photos_folder(model, tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"")
    line = refusal("--model", model.folder, tmp_path / "a.jpg")
    assert line == f"{tmp_path / 'a.jpg'} is a file; give the folder of the photos"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_photos_folder_that_may_not_be_read_is_named(model, folder):
    folder.chmod(0)
    assert "this user may not read" in refusal("--model", model.folder, folder)
    folder.chmod(0o700)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("empty", "has neither model.json nor config.json"),
        ("missing", "is no folder"),
        ("file", "is no folder"),
    ],
)
def test_a_folder_without_a_model_is_named(tmp_path, name, what):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    line = refusal("--model", tmp_path / name)
    assert line == f"{tmp_path / name} is no model bundle and no CLIP checkpoint: it {what}"


def test_what_is_neither_a_folder_nor_an_id_of_the_hub_is_named():
    line = refusal("--model", "gs://models/clip")
    assert line == "'gs://models/clip' is no folder, and no id of the Hugging Face hub"


def test_photos_that_would_hold_our_own_files_are_refused(model, tmp_path):
    # each thumbnail would be a photo, and have a thumbnail
    line = refusal("--model", model.folder, tmp_path, "--state", tmp_path / "run")
    assert line.startswith(f"{tmp_path} contains {tmp_path / 'run'}")


@pytest.mark.parametrize("arguments", [["--port", "0"], ["--port", "65534"], ["--count", "0"]])
def test_numbers_out_of_range_are_named(model, arguments):
    assert arguments[1] in refusal("--model", model.folder, *arguments)


@pytest.mark.parametrize("arguments", [["--port", "http"], ["--photo", "x", "--phtos", "x"]])
def test_what_is_not_understood_is_one_line(arguments):
    code, [line] = run_stack(*arguments)
    assert code == 2
    assert arguments[0] in line


def test_each_photos_folder_has_a_state_of_its_own(model, tmp_path):
    states = set()
    for name in ("one/photos", "two/photos"):
        (tmp_path / name).mkdir(parents=True)
        options = parse_options(["--model", str(model.folder), str(tmp_path / name)])
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
        *(folder, "--model", damaged, "--state", tmp_path / "run", "--port", port)
    )
    assert code == 1
    [line] = lines
    assert line.startswith("clipsearch: the object ")
    assert "text.onnx' is damaged" in line


@pytest.fixture
def watched(start_stack, model, folder, tmp_path, port):
    """Starts the stack, again and again with the same index, and waits until it is ready."""

    def start():
        arguments = (folder, "--model", model.folder, "--state", tmp_path / "run")
        return start_stack(*arguments, "--port", port)

    return start


def assert_ended_without_deletes(stack, tmp_path, text):
    assert stack.process.wait(180) == 1
    assert text in stack.output()
    assert "Traceback" not in stack.output()
    [log] = (tmp_path / "run").glob("*/ingest.log")
    assert "object.v1.deleted" not in log.read_text()
    assert not re.search("[1-9] orphaned", log.read_text())


def test_a_photos_folder_that_goes_ends_it_and_its_photos_are_kept(
    watched, folder, model, tmp_path
):
    (folder / "a.jpg").write_bytes(model.picture)
    stack = watched()
    stack.wait_until_ready()
    folder.rename(tmp_path / "unplugged")
    line = f"clipsearch: the photos folder {folder} is gone"
    assert_ended_without_deletes(stack, tmp_path, line)


def test_an_unplugged_drive_loses_no_photo_while_it_runs_nor_at_the_next_start(
    watched, folder, model, tmp_path
):
    (folder / "a.jpg").write_bytes(model.picture)
    stack = watched()
    stack.wait_until_ready()
    mount_point = tmp_path / "mount point"
    mount_point.mkdir()
    os.rename(folder, tmp_path / "unplugged")
    os.rename(mount_point, folder)
    assert stack.process.wait(180) == 1
    assert f"the photos folder {folder}" in stack.output()

    stack = watched()
    line = f"clipsearch: the photos folder {folder} is empty, but the index knows 1 photos of it"
    assert_ended_without_deletes(stack, tmp_path, line)
    assert f"remove {tmp_path / 'run'}" in stack.output()

    folder.rmdir()
    (tmp_path / "unplugged").rename(folder)
    stack = watched()
    stack.wait_until_ready()
    assert stack.counts() == (1, 0)


def test_many_photos_that_go_at_once_and_leave_none_are_kept(watched, folder, model, tmp_path):
    for number in range(GONE_AT_ONCE + 1):
        (folder / f"{number}.jpg").write_bytes(model.picture)
    album, elsewhere = folder / "album", tmp_path / "elsewhere"
    album.mkdir()
    for photo in folder.glob("*.jpg"):
        photo.rename(album / photo.name)
    stack = watched()
    stack.wait_until_ready()
    album.rename(elsewhere)
    assert_ended_without_deletes(stack, tmp_path, "is empty, but the index knows 21 photos")


def test_the_last_photo_may_be_deleted(watched, folder, model):
    (folder / "a.jpg").write_bytes(model.picture)
    stack = watched()
    stack.wait_until_ready()
    (folder / "a.jpg").unlink()
    wait_for(lambda: stack.counts() == (0, 0), "the photo has vanished")
    assert stack.end() == 0
