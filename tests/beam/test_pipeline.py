"""`clipsearch embed` on Beam makes the index that `clipsearch reconcile` makes."""

import io
import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.same_index import differences, states
from cli.demo_photos import draw_demo_photos
from cli.embed import apart, embedder
from cli.embed.embedder import embedder_of
from cli.embed.known import segments_of
from cli.embed.pipeline import build
from cli.embed.ranges import ranges_of
from cli.embed.runners import check_complete, run_here
from clipsearch.index.format.commits import newest_commit
from clipsearch.index.format.entries import Kind
from clipsearch.index.format.segments import write_segment
from clipsearch.index.reconcile_log import CoverageReader
from clipsearch.model.bundle import publish_bundle
from clipsearch.storage.gcs import GcsBucket
from tests.index.making import photo, random_units
from tests.support import fragile_child
from tests.support.gcs_double import CloudStorageDouble
from tests.support.pictures import jpeg
from tests.support.running_stack import ROOT
from tests.support.tiny_bundle import make_tiny_bundle
from tests.support.waiting import wait_for

TIMEOUT = 400
COUNT = 24


@pytest.fixture
def library(place):
    draw_demo_photos(place.folder / "photos", COUNT)
    place.put("album/broken.jpg", b"no photo")
    place.put("notes.txt", b"no photo")
    return place


def run(command, place, *more, code=0):
    done = subprocess.run(
        [sys.executable, "-m", "cli", command, *place.arguments(), "--json", *more],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout.splitlines()[0]) | {"lines": done.stderr.splitlines()}


def entries(place):
    return states(place.index, place.job.space)


def thumbnails(place):
    folder = place.folder / "thumbnails"
    return {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*.webp")}


def in_this_process(place, repeats=0):
    """The counters."""
    index = place.index
    known, ranges = segments_of(index, place.job.space), ranges_of(place.photos, 4)
    made = partial(build, job=place.job, ranges=ranges, segments=known)
    try:
        counters = run_here(made, workers=1, repeats=repeats)
        if not repeats:
            check_complete(counters)
        return counters
    finally:
        embedder_of(place.job).close()
        embedder_of.cache_clear()


@pytest.mark.parametrize("workers", [1, 2])
def test_the_index_is_that_of_reconcile(library, tmp_path, workers):
    other = library.beside(tmp_path / "other")
    run("reconcile", other)
    figures = run("embed", library, "--workers", str(workers))
    same = entries(library), entries(other)
    assert len(same[0]) == COUNT + 2
    assert list(differences(*same)) == []
    assert thumbnails(library) == thumbnails(other)
    assert {name: figures[name] for name in ("objects", "indexed", "failed", "skipped")} == {
        "objects": COUNT + 2,
        "indexed": COUNT,
        "failed": 1,
        "skipped": 1,
    }
    assert f"{COUNT:,} indexed, 1 failed, 1 skipped" in figures["lines"][-1]
    coverage = CoverageReader(library.index, library.job.space).newest()
    assert coverage.objects == COUNT + 2


def test_it_repairs_what_reconcile_repairs(library, tmp_path):
    """A photo replaced, one deleted, one new, and failures that are and are not tried again."""
    run("reconcile", library)
    names = sorted(stat.name for stat in library.photos.list() if stat.name[0] != "n")
    library.put(names[-1], jpeg("blue"))
    (library.folder / "photos" / names[-2]).unlink()
    library.put("new.jpg", jpeg("green"))
    other = library.beside(tmp_path / "other")
    run("reconcile", other)
    figures = run("embed", library)
    assert figures["indexed"] == 2
    assert figures["removed"] == 1
    same = entries(library), entries(other)
    assert list(differences(*same)) == []
    assert Kind.TOMBSTONE in same[0].kinds
    assert thumbnails(library) == thumbnails(other)
    again = run("embed", library)
    assert again["indexed"] == again["failed"] == again["removed"] == 0


def test_a_killed_run_is_continued(library, tmp_path):
    other = library.beside(tmp_path / "other")
    started = subprocess.Popen(
        [sys.executable, "-m", "tests.beam.stopped", "embed", *library.arguments()],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    folder = library.folder / "index" / library.job.space / "segments"
    wait_for(lambda: folder.is_dir() and any(folder.glob("**/*.npz")), "a segment")
    os.kill(started.pid, signal.SIGKILL)
    started.wait()
    figures = run("embed", library)
    assert figures["indexed_before"] >= 1
    run("reconcile", other)
    assert list(differences(entries(library), entries(other))) == []
    assert thumbnails(library) == thumbnails(other)


def test_doubled_bundles_change_nothing(library, tmp_path):
    other = library.beside(tmp_path / "other")
    run("reconcile", other)
    in_this_process(library, repeats=1)
    assert list(differences(entries(library), entries(other))) == []
    assert thumbnails(library) == thumbnails(other)


def test_a_photo_that_ends_the_process_costs_itself(library, monkeypatch):
    fragile = [sys.executable, str(Path(fragile_child.__file__))]
    monkeypatch.setattr(embedder, "COMMAND", fragile)
    library.put("worst.jpg", jpeg(size=(13, 13)))
    counters = in_this_process(library)
    assert counters["indexed"] == COUNT
    assert counters["failed"] == 2
    found = entries(library)
    [row] = [row for row in range(len(found)) if found.name(row) == "worst.jpg"]
    assert found.reason(row) == "gave up after 5 attempts ended the process"


def test_an_empty_bucket_removes_nothing_unless_told_so(place):
    for number in range(30):
        place.put(f"{number}.jpg")
    run("embed", place)
    for file in (place.folder / "photos").iterdir():
        file.unlink()
    done = subprocess.run(
        [sys.executable, "-m", "cli", "embed", *place.arguments()],
        cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "is empty, but the index knows 30 photos of it" in done.stderr
    assert set(entries(place).kinds) == {Kind.VECTOR}
    assert run("embed", place, "--empty")["removed"] == 30
    assert set(entries(place).kinds) == {Kind.TOMBSTONE}


def test_many_segments_are_merged_and_packed(place, monkeypatch):
    monkeypatch.setattr(apart, "COMMAND", [sys.executable, "-m", "tests.beam.small_packs"])

    vectors = random_units(17 * 30, 32, seed=2)
    place.put("a.jpg")
    for number in range(17):
        names = range(number * 30, number * 30 + 30)
        write_segment(place.index, place.job.space, [photo(f"{n}", 1, vectors[n]) for n in names])
    counters = in_this_process(place)
    assert counters["removed"] == 17 * 30  # not in the bucket
    assert counters["packs"] == 1
    commit = newest_commit(place.index, place.job.space)
    assert len(commit.segments) == len(commit.packs) == 1


def test_photos_in_ranges_of_names_are_listed_once(place):
    for number in range(40):
        place.put(f"{number:02}.png", _png(number))
    counters = run("embed", place, "--workers", "3")
    assert counters["objects"] == counters["indexed"] == 40


def _png(number):
    out = io.BytesIO()
    Image.new("RGB", (20, 20), (number, 0, 0)).save(out, "PNG")
    return out.getvalue()


def test_it_works_on_cloud_storage(tmp_path, monkeypatch):
    storage = CloudStorageDouble("my-photos", "my-index", "my-site", page_size=3)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", storage.url)
    index = GcsBucket("gs://my-index")
    space = publish_bundle(make_tiny_bundle(tmp_path / "model"), index)
    for number in range(20):
        storage.put("my-photos", f"mine/größe {number}.jpg", jpeg())
    for name in ("mine/album/", "mine/", "others.jpg"):
        storage.put("my-photos", name, jpeg())
    done = subprocess.run(
        [sys.executable, "-m", "cli", "embed", "--photos", "gs://my-photos/mine", "--workers", "2",
         "--index", "gs://my-index", "--thumbnails", "gs://my-site/thumbnails"],
        cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "20 objects, 0 indexed before; now 20 indexed" in done.stdout.splitlines()[-1]
    assert set(states(index, space).kinds) == {Kind.VECTOR}
    index.close()
    storage.close()
