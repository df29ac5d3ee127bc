"""The wheel, installed apart from the checkout and started from elsewhere."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from clipsearch.version import __version__
from tests.support.pictures import jpeg
from tests.support.ports import free_port
from tests.support.running_stack import RunningStack

ROOT = Path(__file__).parents[2]
TIMEOUT = 300
RUN = "import sys, clipsearch_cli; sys.argv.insert(1, 'run'); sys.exit(clipsearch_cli.main())"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=TIMEOUT)
    [made] = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A folder with what the wheel installs, on the path; what it needs is here."""
    site = tmp_path_factory.mktemp("site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


def test_only_the_command_is_in_site_packages(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names} == {
        "clipsearch_cli",
        f"clipsearch-{__version__}.dist-info",
    }
    assert not [name for name in names if name.endswith(".pyc")]


def test_the_version_is_shown_from_anywhere(installed, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "clipsearch_cli", "--version"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert (done.returncode, done.stdout) == (0, f"clipsearch, version {__version__}\n")


@pytest.mark.slow
def test_a_folder_is_searched_from_anywhere(installed, tmp_path, monkeypatch):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "red.jpg").write_bytes(jpeg("red", (80, 60)))
    monkeypatch.setenv("PYTHONPATH", str(installed))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path))
    stack = RunningStack(
        tmp_path / "output",
        *(photos, "--demo-model", "--port", free_port()),
        program=RUN,
        cwd=tmp_path,
    )
    try:
        stack.wait_until_ready()
        assert stack.names(q="something red") == ["red.jpg"]
        assert (tmp_path / "data" / "clipsearch" / "run").is_dir() or sys.platform == "darwin"
    finally:
        stack.end()
