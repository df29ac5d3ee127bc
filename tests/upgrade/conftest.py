"""Older versions of the functions, from the history of the repository."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
INSTANCE = Path(__file__).with_name("instance.py")
# Without tags: the commit with the changelog of 0.2.0.
RELEASED = "542fb64"
BEFORE_FACTS = "5f0d38e"


def last_release() -> str:
    """The last tag before this commit, or RELEASED."""
    described = git("describe", "--tags", "--abbrev=0", "--match", "v*", "HEAD^")
    return described.stdout.decode().strip() if described.returncode == 0 else RELEASED


def git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True)


def unpacked(commit: str, folder: Path) -> Path:
    """The files of a commit, in `folder`; skips the test where the history is cut off."""
    if git("cat-file", "-e", f"{commit}^{{commit}}").returncode:
        pytest.skip(f"the history here does not reach {commit}")
    archive = git("archive", commit)
    assert archive.returncode == 0, archive.stderr.decode()
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


class Instance:
    """A running instance. Every command ends with an answer."""

    def __init__(self, functions: Path, bucket: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, INSTANCE, bucket.as_uri()],
            env={**os.environ, "PYTHONPATH": str(functions)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def does(self, name: str, **given: Any) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps([name, given]) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the last release."""
    return unpacked(last_release(), tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="module", params=["the last release", "the version before facts"])
def old_functions(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, release: Path
) -> Path:
    if request.param == "the last release":
        return release / "functions"
    return unpacked(BEFORE_FACTS, tmp_path_factory.mktemp("old")) / "functions"


@pytest.fixture
def instances(old_functions: Path, tmp_path: Path) -> Iterator[tuple[Instance, Instance]]:
    """(old, new), on one empty bucket."""
    bucket = tmp_path / "index"
    bucket.mkdir()
    both = Instance(old_functions, bucket), Instance(ROOT / "functions", bucket)
    yield both
    for instance in both:
        instance.end()
