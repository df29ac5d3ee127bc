"""The annotation archive: downloaded once and whole, and what is wrong with a file."""

import json
import re

import pytest

from tests.support.coco_double import ARCHIVE, CUT, PAGE, archive, captions_file
from tests.upload.conftest import last_line, one_line, run


@pytest.fixture
def to(folder):
    return folder


def test_a_download_that_broke_off_goes_on_where_it_was(coco, make_coco, to):
    coco.fail(ARCHIVE, CUT, CUT)
    done = run("coco", *make_coco(to, "--count", 1))
    assert done.returncode == 0, done.stderr
    ranges = [headers.get("Range") for path, headers in coco.requests if path == ARCHIVE]
    size = len(coco.files[ARCHIVE])
    assert ranges[:2] == [None, f"bytes={size // 2}-"]
    assert int(re.sub(r"\D", "", ranges[2])) > size // 2


def test_it_begins_again_where_the_server_gives_no_ranges(coco, make_coco, to):
    coco.has_ranges = False
    coco.fail(ARCHIVE, CUT)
    assert run("coco", *make_coco(to, "--count", 1)).returncode == 0
    assert coco.asked(ARCHIVE) == 2


def test_it_begins_again_when_the_archive_has_changed_meanwhile(coco, make_coco, to):
    coco.fail(ARCHIVE, CUT, 404)
    gone = run("coco", *make_coco(to, "--count", 1))
    assert gone.returncode == 1
    assert f"{coco.url}{ARCHIVE} cannot be downloaded: the server answers 404" in one_line(gone)
    assert "give a file or another URL with --annotations" in one_line(gone)
    coco.files[ARCHIVE] = archive(captions_file(3))
    done = run("coco", *make_coco(to))
    assert last_line(done) == "3 asked, 0 present, 3 uploaded now, 0 failed"


def test_a_page_instead_of_it_is_told_and_not_kept(coco, make_coco, to):
    coco.fail(ARCHIVE, PAGE)
    done = run("coco", *make_coco(to))
    assert done.returncode == 1
    assert "neither a zip archive nor JSON, and begins with b'<html>Welcom'" in one_line(done)
    assert run("coco", *make_coco(to, "--count", 1)).returncode == 0


def test_a_damaged_archive_is_told_and_not_kept(coco, make_coco, to):
    whole = coco.files[ARCHIVE]
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 0xFF
    coco.files[ARCHIVE] = bytes(damaged)
    done = run("coco", *make_coco(to))
    assert done.returncode == 1
    assert "it is damaged" in one_line(done)
    coco.files[ARCHIVE] = whole
    assert run("coco", *make_coco(to, "--count", 1)).returncode == 0


@pytest.mark.parametrize("kind", ["captions", "instances"])
def test_a_file_of_ones_own_needs_no_download(coco, make_coco, to, tmp_path, kind):
    (tmp_path / "mine.zip").write_bytes(archive(captions_file(4), f"{kind}_val2017.json"))
    (tmp_path / "mine.json").write_text(json.dumps(captions_file(5)))
    for name, count, present in (("mine.zip", 4, 0), ("mine.json", 5, 4)):
        done = run("coco", *make_coco(to, "--annotations", tmp_path / name))
        assert last_line(done) == (
            f"{count} asked, {present} present, {count - present} uploaded now, 0 failed"
        )
    assert coco.asked(ARCHIVE) == 0


def test_what_a_record_does_not_say_is_left_out(coco, make_coco, to, tmp_path):
    [image] = captions_file(1)["images"]
    for key in ("coco_url", "flickr_url", "license"):
        del image[key]
    (tmp_path / "mine.json").write_text(json.dumps({"images": [image, image]}))
    done = run("coco", *make_coco(to, "--annotations", tmp_path / "mine.json"))
    assert last_line(done) == "1 asked, 0 present, 1 uploaded now, 0 failed"
    assert [stored.metadata for stored in to.objects().values()] == [{}]


def changed(**changes):
    return json.dumps({**captions_file(2), **changes}).encode()


@pytest.mark.parametrize(
    ("content", "code", "what"),
    [
        (b"", 1, "is neither a zip archive nor JSON"),
        (b"\xff\xd8\xff\xe0", 1, "is neither a zip archive nor JSON"),
        (b"[" * 100_000, 1, "is neither a zip archive nor JSON"),
        (b"[1]", 1, 'is not in COCO\'s format: it has no list "images"'),
        (changed(images=[]), 1, 'it has no list "images", or an empty one'),
        (changed(images=[7]), 1, "7 has no file_name"),
        (changed(images=[{"id": 1}]), 1, "{'id': 1} has no file_name"),
        (archive({}, "holiday.json"), 1, "it must have captions_val2017.json or instances_val2017"),
        (archive(captions_file(2))[:-60] + bytes(60), 1, "is neither a zip archive nor JSON"),
        (
            json.dumps(captions_file(2)).replace("val2017", "train2017").encode(),
            2,
            "is not for val2017: it lists http://images.cocodataset.org/train2017/",
        ),
    ],
)
def test_what_is_not_cocos_is_one_line(make_coco, to, tmp_path, content, code, what):
    (tmp_path / "mine").write_bytes(content)
    done = run("coco", *make_coco(to, "--annotations", tmp_path / "mine"))
    assert what in one_line(done)
    assert (done.returncode, done.stdout) == (code, "")


@pytest.mark.parametrize("name", ["../outside.jpg", "/etc/passwd", "a//b.jpg", ".hidden.jpg"])
def test_a_name_that_leads_elsewhere_is_refused(coco, make_coco, to, tmp_path, name):
    coco.files[f"/val2017/{name}"] = coco.files["/val2017/000000000000.jpg"]
    (tmp_path / "mine.json").write_text(json.dumps({"images": [{"file_name": name}]}))
    done = run("coco", *make_coco(to, "--annotations", tmp_path / "mine.json"))
    assert done.returncode == 1
    assert last_line(done) == "1 asked, 0 present, 0 uploaded now, 1 failed"
    assert list(tmp_path.rglob("*.jpg")) == []
