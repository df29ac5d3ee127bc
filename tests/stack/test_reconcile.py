"""`make reconcile` and `make status`, as a person uses them."""

import json
import re
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from cli.status import lines_of
from clipsearch.index.format.entries import Kind
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.index.reconcile_log import CoverageReader
from clipsearch.model.bundle import publish_bundle
from clipsearch.storage import open_bucket
from clipsearch.storage.gcs import GcsBucket
from tests.support.gcs_double import CloudStorageDouble
from tests.support.http_double import Handler, HttpDouble
from tests.support.pictures import jpeg
from tests.support.running_stack import ROOT
from tests.support.tiny_bundle import make_tiny_bundle
from tests.support.waiting import wait_for

TIMEOUT = 180


@pytest.fixture
def buckets(tmp_path):
    """Three photos, one of them broken, and a model."""
    photos = tmp_path / "my photos"
    photos.mkdir()
    for name in ("a.jpg", "b.jpg"):
        (photos / name).write_bytes(jpeg())
    (photos / "broken.jpg").write_bytes(b"no photo")
    index = open_bucket((tmp_path / "index").as_uri())
    space = publish_bundle(make_tiny_bundle(tmp_path / "model"), index)
    return tmp_path, index, space


def command(folder, *arguments):
    return [
        *(sys.executable, "-m", "cli", "reconcile", "--photos", str(folder / "my photos")),
        *("--index", str(folder / "index"), "--thumbnails", str(folder / "thumbnails")),
        *arguments,
    ]


def run(*arguments):
    return subprocess.run(
        arguments, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )


def known(index, space):
    entries = SnapshotReader(index, space).refresh().entries
    return {
        entries.name(row): int(entries.generations[row])
        for row in range(len(entries))
        if entries.kinds[row] != Kind.TOMBSTONE
    }


def in_folder(folder):
    photos = open_bucket((folder / "my photos").as_uri())
    return {stat.name: stat.generation for stat in photos.list()}


def test_it_repairs_and_says_what_is_in_the_index(buckets):
    folder, index, space = buckets
    done = run(*command(folder))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith(
        "3 objects are there, 0 of them indexed, 0 failed, 0 skipped; to index: 3 (3 missing"
    )
    assert lines[-2].startswith("cannot be indexed: broken.jpg: not a picture")
    assert lines[-1] == "3 objects, 2 indexed, 1 failed, 0 skipped, 0 pending"
    assert known(index, space) == in_folder(folder)
    assert len(list((folder / "thumbnails").glob("*.webp"))) == 2

    (folder / "my photos" / "a.jpg").unlink()
    again = run(*command(folder)).stdout.splitlines()
    assert "to remove: 1" in again[0]
    assert again[-1] == "2 objects, 1 indexed, 1 failed, 0 skipped, 0 pending"
    assert known(index, space) == in_folder(folder)


def test_a_plan_changes_nothing(buckets):
    folder, index, space = buckets
    before = sorted(folder.rglob("*"))
    done = run(*command(folder, "--plan"))
    assert done.returncode == 0, done.stderr
    assert "to index: 3 (3 missing, 0 outdated, 0 failed before)" in done.stdout
    assert re.search(r"^here: 3 x \d+ ms = ", done.stdout, re.MULTILINE)
    assert re.search(r"^in the cloud: \$\d", done.stdout, re.MULTILINE)
    assert sorted(folder.rglob("*")) == before
    assert known(index, space) == {}


def test_what_storage_does_not_take_is_pending(buckets):
    folder, index, space = buckets
    (folder / "thumbnails").write_bytes(b"where the folder should be")
    done = run(*command(folder))
    assert done.returncode == 1
    assert "3 photos stay pending: " in done.stderr + done.stdout
    assert done.stdout.splitlines()[-1] == "3 objects, 0 indexed, 0 failed, 0 skipped, 3 pending"
    (folder / "thumbnails").unlink()
    assert run(*command(folder)).returncode == 0
    assert known(index, space) == in_folder(folder)


def test_an_empty_folder_is_taken_for_a_drive_that_is_not_mounted(buckets):
    folder, index, space = buckets
    for number in range(25):
        (folder / "my photos" / f"{number}.jpg").write_bytes(jpeg())
    assert run(*command(folder)).returncode == 0
    for path in (folder / "my photos").iterdir():
        path.unlink()
    done = run(*command(folder))
    assert (done.returncode, done.stdout) == (1, "")
    assert "is empty, but the index knows 28 photos of it" in done.stderr
    assert len(known(index, space)) == 28
    assert run(*command(folder, "--empty")).returncode == 0
    assert known(index, space) == {}


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--photos", "gs://photos-only"], "CLIPSEARCH_INDEX is not set"),
        (["--index", "gs://My_Index", "--photos", "gs://photos"], "CLIPSEARCH_INDEX is 'gs://My"),
        (["--photos", "/none/such"], "/none/such does not exist"),
        (["--speed", "9"], "--speed"),
    ],
)
def test_what_cannot_be_is_one_line(arguments, what):
    done = run(sys.executable, "-m", "cli", "reconcile", *arguments)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("clipsearch: ")
    assert what in line


def test_a_name_never_steers_the_terminal(buckets):
    folder, _, _ = buckets
    (folder / "my photos" / "a\x1b[2J\n\u202e.jpg").write_bytes(b"no photo")
    lines = run(*command(folder)).stdout.splitlines()
    begin = r"cannot be indexed: a\u001b[2J\n\u202e.jpg: "
    assert any(line.startswith(begin) for line in lines)
    assert all(line.isprintable() for line in lines)


def test_without_a_model_it_is_one_line(tmp_path):
    (tmp_path / "my photos").mkdir()
    done = run(*command(tmp_path))
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "the current model" in line


def test_killed_anywhere_the_next_run_goes_on(buckets):
    folder, index, space = buckets
    for number in range(1200):
        (folder / "my photos" / f"{number:04}.jpg").write_bytes(jpeg("red", (60 + number % 9, 40)))
    killed = subprocess.Popen(command(folder), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=-3)
    wait_for(lambda: list(index.list(f"{space}/segments/")), "a first part is indexed", TIMEOUT)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    part = known(index, space)
    assert 0 < len(part) < 1203
    assert CoverageReader(index, space).newest() is None
    done = run(*command(folder))
    assert done.returncode == 0, done.stderr
    assert f"{len(part)} of them indexed" in done.stdout  # all that was done stays done
    assert (
        done.stdout.splitlines()[-1] == "1203 objects, 1202 indexed, 1 failed, 0 skipped, 0 pending"
    )
    assert known(index, space) == in_folder(folder)


def test_two_at_once_end_in_the_same_index(buckets):
    folder, index, space = buckets
    for number in range(60):
        (folder / "my photos" / f"{number:03}.jpg").write_bytes(jpeg())
    both = [
        subprocess.Popen(command(folder), cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in both:
        out, _ = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 0
        assert out.splitlines()[-1] == "63 objects, 62 indexed, 1 failed, 0 skipped, 0 pending"
    assert known(index, space) == in_folder(folder)


def test_it_works_on_cloud_storage(tmp_path, monkeypatch):
    storage = CloudStorageDouble("my-photos", "my-index", "my-site")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", storage.url)
    index = GcsBucket("gs://my-index")
    publish_bundle(make_tiny_bundle(tmp_path / "model"), index)
    for name in ("mine/a b.jpg", "mine/größe.jpg", "mine/album/", "mine/", "others.jpg"):
        storage.put("my-photos", name, jpeg())
    done = run(
        *(sys.executable, "-m", "cli", "reconcile", "--photos", "gs://my-photos/mine"),
        *("--index", "gs://my-index", "--thumbnails", "gs://my-site/thumbnails"),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "2 objects, 2 indexed, 0 failed, 0 skipped, 0 pending"
    index.close()
    storage.close()


STATUS: dict[str, Any] = {
    "model": "tiny",
    "space": "0123456789ab",
    "commit": 3,
    "updated": "2026-11-23T12:00:00.000Z",
    "photos": {"objects": 12345, "indexed": 12000, "failed": 101, "skipped": 0, "pending": 244},
    "reconciled": {"started": "2026-11-23T12:00:00.000Z", "at": "2026-11-23T12:01:00.000Z"},
    "failures": [
        {
            "name": "a.jpg",
            "generation": 1,
            "kind": "unreadable",
            "reason": "cut off",
            "at": "2026-11-23T12:00:00.000Z",
        }
    ],
    "damaged": [{"object": "x/segments/y.npz", "reason": "it is not an .npz file"}],
}


HOSTILE = STATUS | {
    "failures": [STATUS["failures"][0] | {"name": "a\x1b[2J.jpg", "reason": "cut\n\u202e"}],
    "damaged": [{"object": "\x9b\ud800", "reason": "no\r\x07"}],
}


def test_the_status_is_readable():
    text = "\n".join(lines_of(STATUS))
    for part in (
        *("tiny", "0123456789ab", "indexed     12,000", "pending     244", "in bucket   12,345"),
        *("reconciled  2026-11-23T12:01:00.000Z", "cannot be indexed: a.jpg: cut off"),
        *("… and 100 more", "damaged: x/segments/y.npz: it is not an .npz file"),
    ):
        assert part in text
    before = {"objects": None, "indexed": 0, "failed": 0, "skipped": 0, "pending": None}
    text = "\n".join(lines_of(STATUS | {"photos": before, "reconciled": None, "updated": None}))
    assert "pending     unknown before the first reconcile" in text
    assert "reconciled  never" in text


@pytest.mark.parametrize(
    ("status", "body", "code", "what"),
    [
        (200, STATUS, 0, "indexed     12,000"),
        (503, {"detail": "a model does not exist yet"}, 1, "503: a model does not exist yet"),
        (200, "no status", 1, "does not answer like clipsearch"),
        (200, HOSTILE, 0, r"cannot be indexed: a\u001b[2J.jpg: cut\n\u202e (2026"),
        (200, HOSTILE, 0, r"damaged: \u009b\ud800: no\r\u0007"),
        (503, {"detail": "\x1b[2J"}, 1, r"503: \u001b[2J"),
    ],
)
def test_status_prints_what_search_says(status, body, code, what):
    class Answer(Handler):
        def do_GET(self):
            content = b"?" if isinstance(body, str) else body
            self.send(status if self.path == "/status" else 404, content)

    server = HttpDouble(Answer)
    started = time.monotonic()
    done = run(sys.executable, "-m", "cli", "status", f"{server.url}/")
    server.close()
    assert done.returncode == code
    assert what in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - started < TIMEOUT


def test_json_of_the_plan_and_of_the_result(buckets):
    folder, index, space = buckets
    plan = run(*command(folder, "--plan", "--json"))
    figures = json.loads(plan.stdout)
    assert (figures["objects"], figures["to_index"], figures["to_remove"]) == (3, 3, 0)
    assert figures["to_fill"] == 0
    assert figures["seconds_here"] > 0
    assert figures["dollars_in_the_cloud"] > 0
    assert known(index, space) == {}

    done = run(*command(folder, "--json"))
    figures = json.loads(done.stdout)
    [failure] = figures.pop("failures")
    counts = {"objects": 3, "indexed": 2, "failed": 1, "skipped": 0, "pending": 0, "filled": 0}
    assert figures == counts
    assert failure["name"] == "broken.jpg"
    assert done.stderr.splitlines()[-1] == "3 objects, 2 indexed, 1 failed, 0 skipped, 0 pending"


def test_quiet_prints_failures_only(buckets):
    folder, _, _ = buckets
    done = run(*command(folder, "--quiet"))
    assert (done.returncode, done.stdout) == (0, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("cannot be indexed: broken.jpg: ")
