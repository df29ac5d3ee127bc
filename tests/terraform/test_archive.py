"""The source archive made like Terraform's, in an environment like the cloud's."""

from __future__ import annotations

import fnmatch
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath

import httpx
import pytest

from cli.demo_photos import draw_demo_photos, file_name
from clipsearch.model.bundle import publish_bundle
from clipsearch.storage import Bucket, open_bucket
from ingest.events import FINALIZED
from tests.support.function_server import PATIENCE, running_function
from tests.terraform.conftest import ROOT, Configuration

BUNDLE = ROOT / "model_export" / "demo" / "bundle"


@pytest.fixture(scope="session")
def archive(configuration: Configuration, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that archive_file packs: those that no pattern of excludes matches, in folders
    that none matches."""
    asked = configuration.data["archive_file"]["functions"]
    assert asked["source_dir"] == "${path.module}/../functions"
    path = tmp_path_factory.mktemp("archive") / "functions.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for file in sorted((ROOT / "functions").rglob("*")):
            name = PurePosixPath(file.relative_to(ROOT / "functions"))
            inside = [name, *name.parents][:-1]
            if file.is_file() and not any(_excluded(part, asked["excludes"]) for part in inside):
                out.write(file, str(name))
    return path


def _excluded(name: PurePosixPath, patterns: list[str]) -> bool:
    # "**/x" is x at any depth; PurePath.match matches from the right, with the same result
    return any(name.match(pattern.removeprefix("**/")) for pattern in patterns)


def test_the_archive_has_the_entry_points_at_its_root_and_nothing_that_was_left_there(
    archive: Path,
) -> None:
    names = zipfile.ZipFile(archive).namelist()
    assert {"main.py", "requirements.txt", "search/main.py", "ingest/main.py"} <= set(names)
    assert {PurePosixPath(name).suffix for name in names} == {
        *(".py", ".txt", ".json", ".html", ".css")
    }
    assert not any("__pycache__" in name for name in names)


def test_no_pattern_leaves_out_everything(configuration: Configuration) -> None:
    """archive_file first matches the folder itself, under the name "."."""
    patterns = configuration.data["archive_file"]["functions"]["excludes"]
    assert all(pattern.startswith("**/") for pattern in patterns)
    assert not any(fnmatch.fnmatch(".", pattern.removeprefix("**/")) for pattern in patterns)


@pytest.mark.slow
def test_the_archive_runs_with_its_own_requirements_alone(archive: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    zipfile.ZipFile(archive).extractall(source)
    python = _environment(tmp_path / "venv", source / "requirements.txt")

    buckets = {name: tmp_path / name for name in ("photos", "index", "thumbnails")}
    draw_demo_photos(buckets["photos"], 1)
    photo = file_name(0)
    publish_bundle(BUNDLE, open_bucket(buckets["index"].as_uri()))
    settings = {f"CLIPSEARCH_{name.upper()}": path.as_uri() for name, path in buckets.items()}
    settings |= {
        "CLIPSEARCH_PHOTOS_URL": "http://photos.example",
        "CLIPSEARCH_THUMBNAILS_URL": "http://thumbnails.example",
    }

    # for a function without its own trigger, like both of ours
    settings |= {"FUNCTION_SIGNATURE_TYPE": "http", "LOG_EXECUTION_ID": "true"}
    with running_function("ingest", settings, tmp_path / "ingest.log", python, source) as ingest:
        assert _send_finalized(ingest, open_bucket(buckets["photos"].as_uri()), photo) == 200
    with running_function("search", settings, tmp_path / "search.log", python, source) as search:
        assert httpx.get(f"{search}/health", timeout=PATIENCE).json() == {"status": "ok"}
        answer = httpx.get(search, params={"q": "a red car"}, timeout=PATIENCE).json()
    assert [result["name"] for result in answer["results"]] == [photo]


def _environment(folder: Path, requirements: Path) -> Path:
    """Its Python. It has no pip and no compiled files, which would take half of the time."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    ours = [sys.executable, "-m", "pip", "--python", str(python)]
    pip = [*ours, "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--no-compile", "-r", requirements], check=True)
    subprocess.run([*pip, "check"], check=True)  # the build in the cloud fails if this does
    return python


def _send_finalized(address: str, photos: Bucket, name: str) -> int:
    stat = photos.stat(name)
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-type": FINALIZED,
        "ce-source": "//storage.googleapis.com/projects/_/buckets/photos",
        "ce-subject": f"objects/{name}",
    }
    body = {"bucket": "photos", "name": name, "generation": str(stat.generation)}
    return httpx.post(address, headers=headers, json=body, timeout=PATIENCE).status_code
