"""The demo world's captioned set, indexed once, and `make evaluate` as a person uses it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.main import main
from clipsearch.index.format.entries import Entry, Kind
from clipsearch.index.format.segments import read_segment, segments_prefix, write_segment
from clipsearch.model.bundle import current_space
from clipsearch.storage import open_bucket

ROOT = Path(__file__).parents[2]
SCENES = 200  # so many that not all of them are found first
TIMEOUT = 300
NOTHING_ASKED = {"asked": 0, "same": 0}


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The folder that `make evaluate` without captions leaves, and what it printed."""
    out = tmp_path_factory.mktemp("evaluate")
    done = command("--count", str(SCENES), "--out", str(out))
    assert done.returncode == 0, done.stderr
    (out / "stdout").write_text(done.stdout)
    return out


@pytest.fixture
def library(demo, tmp_path):
    """A copy of its index and captions, to be changed."""
    return Captions(shutil.copytree(demo / "evaluate" / f"demo-{SCENES}-0", tmp_path / "demo"))


class Captions:
    """A captions file and an index; `images` and `annotations` go into the file when asked."""

    def __init__(self, folder):
        self.folder = folder
        self.path = folder / "captions.json"
        self.index = (folder / "index").as_uri()
        document = json.loads(self.path.read_text())
        self.images, self.annotations = document["images"], document["annotations"]

    @property
    def bucket(self):
        return open_bucket(self.index)

    @property
    def space(self):
        return current_space(self.bucket)

    def segments(self):
        """The entries of each segment, by its name."""
        prefix = segments_prefix(self.space)
        names = [stat.name.removeprefix(prefix) for stat in self.bucket.list(prefix)]
        return {name: read_segment(self.bucket, self.space, name) for name in names}

    def add(self, vectors, generation=1):
        """Index photos with these vectors, by name; None: the photo is gone."""
        entries = [
            Entry(name, generation, Kind.TOMBSTONE)
            if vector is None
            else Entry(name, generation, Kind.VECTOR, 9, 9, vector=vector)
            for name, vector in vectors.items()
        ]
        write_segment(self.bucket, self.space, entries)

    def damage(self, name):
        """A segment that is cut off."""
        path = self.folder / "index" / self.space / "segments" / name
        path.write_bytes(path.read_bytes()[:-9])

    def evaluate(self, *arguments, exit_code=0, over_http=False):
        """The figures; without `over_http` no function is started to compare its answers."""
        document = {"images": self.images, "annotations": self.annotations}
        self.path.write_text(json.dumps(document))
        out = self.folder / "out"
        where = ("--captions", str(self.path), "--index", self.index, "--prefix", "held-out/")
        with pytest.MonkeyPatch.context() as patch:
            if not over_http:
                patch.setattr("cli.evaluate.evaluation.ask_over_http", lambda *_: NOTHING_ASKED)
            assert main(["evaluate", *where, "--out", str(out), *arguments]) == exit_code
        return figures_in(out)


def figures_in(out):
    return json.loads((out / "bench" / "evaluate.json").read_text())


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "cli", "evaluate", *arguments],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if "CLIPSEARCH" not in name},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
