"""What the tests put photos into buckets with: the commands, and a folder and a cloud to fill."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.coco_double import ARCHIVE, CocoDouble
from tests.support.gcs_double import CloudStorageDouble

ROOT = Path(__file__).parents[2]
TIMEOUT = 180


def command(tool, *arguments):
    return [sys.executable, "-m", "cli", tool, *map(str, arguments)]


def run(tool, *arguments, **more):
    return subprocess.run(
        command(tool, *arguments),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
        **more,
    )


def last_line(done):
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout.splitlines()[-1]


def one_line(done):
    """The only line of an error."""
    [line] = done.stderr.splitlines()
    assert line.startswith("clipsearch: ")
    return line


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@dataclass
class Stored:
    data: bytes
    metadata: dict


class Folder:
    """A destination; `url` is for TO=."""

    def __init__(self, root):
        self.root = root
        self.url = root.as_uri()

    def objects(self):
        noted = {}
        if (self.root / ".metadata.jsonl").exists():
            for line in (self.root / ".metadata.jsonl").read_text().splitlines():
                line = json.loads(line)
                noted[line["name"]] = line["metadata"]
        files = {str(path.relative_to(self.root)): path for path in sorted(self.root.rglob("*"))}
        return {
            name: Stored(path.read_bytes(), noted.get(name, {}))
            for name, path in files.items()
            if path.is_file() and not name.startswith(".")
        }

    def states(self):
        """Changes for a name that is written again, even with the same bytes."""
        return {name: (self.root / name).stat().st_ctime_ns for name in self.objects()}

    def put(self, name, data):
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_bytes(data)


class Cloud:
    def __init__(self, double):
        self.double = double
        self.url = "gs://photos/some/prefix"

    def objects(self):
        return {
            name.removeprefix("some/prefix/"): stored
            for name in self._names()
            for stored in [self.double.get("photos", name, {})]
        }

    def states(self):
        return {name: stored.generation for name, stored in self.objects().items()}

    def put(self, name, data):
        self.double.put("photos", f"some/prefix/{name}", data)

    def _names(self):
        names, page = [], {}
        while "nextPageToken" in page or not page:
            token = {"pageToken": page["nextPageToken"]} if page else {}
            page = self.double.list("photos", {"prefix": "some/prefix/", **token})
            names += [item["name"] for item in page["items"]]
        return names


@pytest.fixture
def cloud(monkeypatch):
    double = CloudStorageDouble("photos")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", double.url)
    yield Cloud(double)
    double.close()


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "a bucket")


@pytest.fixture(params=["folder", "cloud"])
def to(request):
    """An empty bucket of each kind."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def coco():
    """A server with 30 photos."""
    double = CocoDouble(30)
    yield double
    double.close()


@pytest.fixture
def make_coco(coco, tmp_path):
    """The arguments of clipsearch coco that lead to that server."""

    def arguments(to, *more):
        if "--annotations" not in more:
            more = ("--annotations", coco.url + ARCHIVE, *more)
        return [to.url, "--images", coco.url, "--cache", tmp_path / "cache", *more]

    return arguments
