"""`--quiet` and `--json` of `clipsearch upload` and `clipsearch coco`."""

import json

import pytest

from tests.support.coco_double import jpeg
from tests.upload.conftest import run

DAMAGED = "damaged or cut off JPEG"


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "my photos"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(jpeg(1))
    (folder / "notes.txt").write_bytes(b"dear diary")
    return folder


def test_quiet_prints_nothing_if_nothing_is_wrong(source, folder):
    done = run("upload", source, folder.url, "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [*folder.objects()] == ["a.jpg"]


def test_quiet_still_prints_failures(source, folder):
    (source / "cut.jpg").write_bytes(jpeg(5)[:-200])
    done = run("upload", source, folder.url, "--quiet")
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert line.startswith(f"cannot be uploaded: cut.jpg: {DAMAGED}")


def test_json_is_the_only_thing_on_stdout(source, folder):
    (source / "cut.jpg").write_bytes(jpeg(5)[:-200])
    done = run("upload", source, folder.url, "--json")
    assert done.returncode == 1
    figures = json.loads(done.stdout)
    [failed], [other] = figures.pop("failed"), figures.pop("not_photos")
    assert figures == {"asked": 3, "present": 0, "uploaded": 1, "not_tried": 0}
    assert failed["name"] == "cut.jpg"
    assert failed["reason"].startswith(DAMAGED)
    assert other["name"] == "notes.txt"
    last = "3 asked, 0 present, 1 uploaded now, 1 failed, 1 not photos"
    assert done.stderr.splitlines()[-1] == last


def test_json_of_coco_goes_with_quiet(make_coco, folder):
    done = run("coco", *make_coco(folder, "--count", 3), "--json", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    figures = json.loads(done.stdout)
    assert (figures["asked"], figures["uploaded"], figures["failed"]) == (3, 3, [])


def test_an_error_leaves_stdout_empty(folder):
    done = run("upload", "/none/such", folder.url, "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "does not exist" in done.stderr
