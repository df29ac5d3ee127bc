"""What starts in the container, how its health is seen, and what `make image` calls.

tests/image builds the image itself.
"""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from clipsearch.version import __version__
from tests.support.http_double import Handler, HttpDouble

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "packaging" / "image" / "build.sh"
TO = "europe-west1-docker.pkg.dev/my-project/images/clipsearch"
CLI = [sys.executable, "-m", "cli"]


def module(name):
    file = ROOT / "packaging" / "image" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"image_{name}", file)
    assert spec
    assert spec.loader
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


start, health = module("start"), module("health")


@pytest.fixture
def mounted(tmp_path):
    photos, data = tmp_path / "photos", tmp_path / "data"
    photos.mkdir()
    data.mkdir()
    return photos, data


@pytest.mark.parametrize("target", ["search", "ingest"])
def test_a_target_starts_that_function_for_all_networks(mounted, target):
    environ = {"FUNCTION_TARGET": target, "PORT": "9000"}
    program, *arguments = start.command_of([], environ, *mounted)
    assert Path(program).name == "functions-framework"
    assert arguments[-6:] == ["--target", target, "--host", "0.0.0.0", "--port", "9000"]
    assert Path(arguments[1]) == start.APP / "functions" / "main.py"


@pytest.mark.parametrize(
    ("arguments", "environ", "line"),
    [
        ([], {"FUNCTION_TARGET": "run"}, "FUNCTION_TARGET is 'run'; it must be search, ingest or"),
        (["status"], {"FUNCTION_TARGET": "search"}, "takes no arguments; you gave status"),
    ],
)
def test_a_wrong_target_is_named(mounted, arguments, environ, line):
    with pytest.raises(start.Refused, match=line):
        start.command_of(arguments, environ, *mounted)


def test_without_a_target_it_is_run_over_the_mounted_photos(mounted):
    photos, data = mounted
    command = start.command_of(["--demo-model"], {}, photos, data)
    place = ["--host", "0.0.0.0", "--port", "8080", "--no-browser"]
    assert command == [*CLI, "run", str(photos), *place, "--demo-model"]
    photos.rmdir()  # without photos it draws some
    assert start.command_of([], {"PORT": "1"}, photos, data)[3:6] == ["run", "--host", "0.0.0.0"]


@pytest.mark.parametrize("arguments", [["status", "--json"], ["run", "/elsewhere"]])
def test_a_command_is_taken_as_it_is(mounted, arguments):
    assert start.command_of(arguments, {}, *mounted) == [*CLI, *arguments]
    assert start.command_of(["--help"], {}, *mounted) == [*CLI, "run", "--help"]


def test_a_missing_volume_is_named(mounted):
    photos, data = mounted
    data.rmdir()
    with pytest.raises(start.Refused, match=f"{data} does not exist; mount a volume there: -v "):
        start.command_of([], {}, photos, data)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_of_another_user_is_named(mounted):
    photos, data = mounted
    photos.chmod(0)
    with pytest.raises(start.Refused, match=f"may not read {photos} .*--user "):
        start.command_of([], {}, photos, data)
    photos.chmod(0o700)


def test_temporary_files_go_where_there_is_room(tmp_path):
    assert start.temporary_folder(("/none/such", str(tmp_path))) == str(tmp_path)
    assert start.temporary_folder(("/none/such",)) is None


class Answers(Handler):
    def do_GET(self):
        self.send(self.double.answers.get(self.path, 404), {})


class Served(HttpDouble):
    def __init__(self, answers):
        self.answers = answers
        super().__init__(Answers)


@pytest.mark.parametrize(
    ("environ", "answers", "is_healthy"),
    [
        ({"FUNCTION_TARGET": "search"}, {"/health": 200}, True),
        ({"FUNCTION_TARGET": "search"}, {"/health": 500}, False),
        ({"FUNCTION_TARGET": "ingest"}, {"/": 405}, True),
        ({"FUNCTION_TARGET": "ingest"}, {"/": 500}, False),
        ({}, {"/search/health": 200}, True),
        ({}, {"/search/health": 503}, False),
    ],
)
def test_health_is_what_the_process_answers(environ, answers, is_healthy):
    served = Served(answers)
    try:
        assert health.is_healthy({**environ, "PORT": str(served.port)}) is is_healthy
    finally:
        served.close()
    assert health.is_healthy({**environ, "PORT": str(served.port)}) is False


@pytest.fixture
def make_image(tmp_path):
    """Runs the script with these programs on the path, which only write down their arguments."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for needed in ("sh", "sed", "git", "dirname", "head", "cat", "rm", "mktemp"):
        for folder in os.environ["PATH"].split(":"):
            if (Path(folder) / needed).exists():
                (programs / needed).symlink_to(Path(folder) / needed)
                break

    def make_image(*tools, **variables):
        for tool in tools:
            program = programs / tool
            program.write_text(
                f'#!/bin/sh\necho "{tool} $*" >> {tmp_path}/called\n'
                f'case "$1 $2" in\n"inspect "*) echo "{TO}@sha256:d1";;\n'
                '"push --digestfile") echo sha256:d2 > "$3";;\n'
                '"artifacts docker") echo sha256:d3;;\nesac\n'
            )
            program.chmod(0o755)
        environ = {"PATH": str(programs), "TAG": "1", **variables}
        done = subprocess.run(["sh", BUILD], env=environ, capture_output=True, text=True)
        called = tmp_path / "called"
        calls = called.read_text().splitlines() if called.exists() else []
        return done, calls

    return make_image


def test_make_image_builds_with_what_is_there(make_image):
    done, calls = make_image("docker", "gcloud", BASE="debian:trixie")
    assert done.stdout == "built: clipsearch:1, also as clipsearch\n"
    assert calls == [
        "docker build --build-arg BASE=debian:trixie --build-arg VERSION=1 --tag clipsearch:1 .",
        "docker tag clipsearch:1 clipsearch:latest",
    ]


def test_make_image_adds_an_engine_under_another_name(make_image):
    done, calls = make_image("docker", ENGINE="lance")
    assert done.stdout == "built: clipsearch:1-lance, also as clipsearch:lance\n"
    built, tagged = calls
    assert " --build-arg ENGINE=lance " in built
    assert tagged == "docker tag clipsearch:1-lance clipsearch:lance"


@pytest.mark.parametrize(
    ("tool", "build", "digest"),
    [
        ("docker", f"docker build --build-arg VERSION=1 --tag {TO}:1 .", "d1"),
        ("podman", f"podman build --format docker --build-arg VERSION=1 --tag {TO}:1 .", "d2"),
        ("buildah", f"buildah build --format docker --build-arg VERSION=1 --tag {TO}:1 .", "d2"),
        ("gcloud", f"gcloud builds submit --quiet --tag {TO}:1 .", "d3"),
    ],
)
def test_it_pushes_to_a_registry_and_prints_the_digest(make_image, tool, build, digest):
    done, calls = make_image(tool, TO=TO)
    assert done.stdout.splitlines()[-2:] == [f"pushed: {TO}:1", f"digest: {TO}@sha256:{digest}"]
    assert calls[0] == build
    assert any(" push " in call for call in calls) == (tool != "gcloud")


@pytest.mark.parametrize(
    ("tools", "variables", "line"),
    [
        ([], {}, "nothing here builds an image; install docker, podman or buildah"),
        ([], {"TO": TO}, "or gcloud for Cloud Build"),
        (["gcloud"], {}, "nothing here builds an image"),
        (["gcloud"], {"TOOL": "gcloud"}, "Cloud Build pushes what it builds; set TO="),
        (["gcloud"], {"TO": TO, "BASE": "x"}, "Cloud Build takes no BASE"),
        (["gcloud"], {"TO": TO, "ENGINE": "lance"}, "Cloud Build takes no ENGINE"),
        (["docker"], {"ENGINE": "faiss"}, "ENGINE is 'faiss'; it must be lance or empty"),
        (["docker"], {"TO": f"{TO}:2"}, "it must have no tag: TAG=2 sets one"),
        (["docker"], {"TOOL": "kaniko"}, "TOOL is 'kaniko'; it must be docker, podman, buildah or"),
        (["docker"], {"TOOL": "podman"}, "podman is not installed"),
    ],
)
def test_what_it_cannot_do_is_one_line(make_image, tools, variables, line):
    done, calls = make_image(*tools, **variables)
    assert done.returncode == 1
    assert done.stderr.startswith("clipsearch: ")
    assert line in done.stderr
    assert calls == []


def test_the_tag_is_version_and_commit(make_image):
    done, _ = make_image("docker", TAG="", HOME="/")
    assert done.stdout.startswith(f"built: clipsearch:{__version__}")


def test_the_image_has_what_its_commands_need():
    """Each folder that Dockerfile copies is let through, and the wheel's are among them."""
    copied = {
        line.split()[1]
        for line in (ROOT / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ") and "--from" not in line
    }
    kept = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    assert all(any(f"{path}/".startswith(f"{one}/") for one in kept) for path in copied)
    assert {"cli", "functions", "model_export", "site"} <= copied
    assert all((ROOT / path).exists() for path in copied)


def test_the_image_has_the_packages_of_an_engine_only_if_one_is_named():
    text = (ROOT / "Dockerfile").read_text()
    locks = dict(re.findall(r"^COPY (\S+/requirements.txt) (/locks/\S+)$", text, re.MULTILINE))
    assert locks["functions/clipsearch/engine/requirements.txt"] == "/locks/lance.txt"
    [install] = re.findall(r"pip install --no-compile (.+(?:\\\n.+)*?) \\\n &&", text)
    assert [*re.sub(r"\\\n", "", install).split()] == [
        *("-r", "/locks/functions.txt", "-r", "/locks/cli.txt"),
        *("${ENGINE:+-r", "/locks/$ENGINE.txt}"),
    ]
    assert "ENGINE" not in (ROOT / "compose.yaml").read_text()


def test_compose_runs_it_as_the_documents_say():
    [service] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"].values()
    assert service["read_only"] is True
    assert service["ports"] == ["127.0.0.1:8080:8080"]
    assert [volume.rsplit(":/", 1)[1] for volume in service["volumes"]] == ["photos:ro", "data"]
