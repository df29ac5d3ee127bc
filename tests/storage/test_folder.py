"""Behaviour specific to folder buckets."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clipsearch.errors import (
    BadObjectName,
    ObjectExists,
    ObjectNotFound,
    ObjectUnreadable,
    StorageError,
)
from clipsearch.storage import open_bucket
from clipsearch.storage.atomic_files import STALE_AFTER_S
from clipsearch.storage.local import FolderBucket


@pytest.fixture
def folder(tmp_path: Path) -> FolderBucket:
    return FolderBucket(tmp_path / "root")


def names(folder: FolderBucket) -> list[str]:
    return [stat.name for stat in folder.list()]


def test_a_folder_of_somebody_is_a_bucket(folder: FolderBucket) -> None:
    (folder.root / "2024" / "été").mkdir(parents=True)
    (folder.root / "2024" / "été" / "a b.jpg").write_bytes(b"photo")
    (folder.root / "two\nlines.jpg").write_bytes(b"photo")
    assert names(folder) == ["2024/été/a b.jpg", "two\nlines.jpg"]
    assert folder.read("2024/été/a b.jpg") == b"photo"
    assert folder.stat("two\nlines.jpg").content_type == "image/jpeg"


def test_what_begins_with_a_dot_is_no_object(folder: FolderBucket) -> None:
    folder.create("a/photo", b"")
    (folder.root / ".hidden").write_bytes(b"")
    (folder.root / "a" / ".DS_Store").write_bytes(b"")
    (folder.root / ".git").mkdir()
    (folder.root / ".git" / "config").write_bytes(b"")
    assert names(folder) == ["a/photo"]
    for name in (".hidden", "a/.DS_Store", ".git/config", ".tmp/x"):
        with pytest.raises(BadObjectName, match="dot"):
            folder.read(name)


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "a/../../x", "../x", "a//b", "a/", "a/./b", "nul\0", "ü" * 200]
)
def test_a_name_that_no_file_can_have_or_that_leads_out_is_refused(
    folder: FolderBucket, name: str
) -> None:
    folder.create("x", b"")
    with pytest.raises(BadObjectName):
        folder.create(name, b"data")
    with pytest.raises(BadObjectName):
        folder.read(name)
    assert names(folder) == ["x"]


def test_links_to_files_inside_are_followed_and_others_are_not(
    folder: FolderBucket, tmp_path: Path
) -> None:
    folder.create("a/photo.jpg", b"photo")
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_bytes(b"secret")
    links = {
        "inside.jpg": folder.root / "a" / "photo.jpg",
        "secret": tmp_path / "secret",
        "dangling": tmp_path / "nothing",
        "outside": tmp_path / "outside",
        "round": folder.root,
        "itself": folder.root / "itself",
    }
    for name, target in links.items():
        (folder.root / name).symlink_to(target)
    assert names(folder) == ["a/photo.jpg", "inside.jpg"]
    assert folder.read("inside.jpg") == b"photo"
    for name in ("secret", "dangling", "outside/file", "round/a/photo.jpg", "itself"):
        with pytest.raises(ObjectNotFound):
            folder.read(name)
        with pytest.raises(ObjectNotFound):
            folder.stat(name)
    with pytest.raises(BadObjectName, match="link"):
        folder.create("outside/new", b"data")
    assert not (tmp_path / "outside" / "new").exists()


def test_the_root_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    folder = FolderBucket(tmp_path / "link")
    folder.create("a/b", b"data")
    assert names(folder) == ["a/b"]
    assert (tmp_path / "real" / "a" / "b").read_bytes() == b"data"


def test_a_file_name_that_is_not_utf8_is_left_out_with_a_warning(
    folder: FolderBucket, caplog: pytest.LogCaptureFixture
) -> None:
    folder.create("good", b"")
    Path(os.fsdecode(os.fsencode(folder.root) + b"/bad\xff")).write_bytes(b"")
    with caplog.at_level(logging.WARNING, "clipsearch"):
        assert names(folder) == names(folder) == ["good"]
    assert caplog.text.count("bad\\xff") == 1  # not at every listing


def test_nothing_is_written_before_the_first_object(tmp_path: Path) -> None:
    folder = open_bucket((tmp_path / "not yet").as_uri())
    assert list(folder.list()) == []
    with pytest.raises(ObjectNotFound):
        folder.read("name")
    assert not (tmp_path / "not yet").exists()
    folder.create("name", b"")
    assert (tmp_path / "not yet" / "name").exists()


def test_old_temporary_files_are_removed_and_fresh_ones_stay(folder: FolderBucket) -> None:
    temporary = folder.root / ".tmp"
    temporary.mkdir(parents=True)
    (temporary / "old").write_bytes(b"half")
    (temporary / "fresh").write_bytes(b"half")
    old = time.time() - STALE_AFTER_S - 60
    os.utime(temporary / "old", (old, old))
    folder.create("name", b"data")
    assert [path.name for path in temporary.iterdir()] == ["fresh"]


def test_metadata_is_a_line_in_a_hidden_file(folder: FolderBucket) -> None:
    first = folder.create("a/b\n.jpg", b"first", metadata={"by": "Zoë"})
    folder.create("plain.jpg", b"")
    with pytest.raises(ObjectExists):
        folder.create("a/b\n.jpg", b"other", metadata={"by": "nobody"})
    assert noted(folder) == [{"name": "a/b\n.jpg", "metadata": {"by": "Zoë"}}]
    folder.replace("a/b\n.jpg", first.generation, b"second", metadata={"by": "Ida"})
    assert noted(folder)[1:] == [{"name": "a/b\n.jpg", "metadata": {"by": "Ida"}}]
    assert names(folder) == ["a/b\n.jpg", "plain.jpg"]


def noted(folder: FolderBucket) -> list[object]:
    lines = (folder.root / ".metadata.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_a_disk_that_fills_up_leaves_no_half_file(tmp_path: Path) -> None:
    """A file size limit simulates a full disk without a separate disk."""
    code = """
import resource, sys
from pathlib import Path
from clipsearch.storage.local import FolderBucket
from clipsearch.errors import StorageError
bucket = FolderBucket(Path(sys.argv[1]))
bucket.create("small", b"x")
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
for use in (lambda: bucket.create("big", b"x" * 5000),
            lambda: bucket.replace("small", bucket.stat("small").generation, b"x" * 5000)):
    try:
        use()
    except StorageError as error:
        print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "functions")},
    )
    assert done.stdout.count("File too large") == 2, done.stderr
    assert {path.name for path in tmp_path.rglob("*")} == {".tmp", "small"}
    assert (tmp_path / "small").read_bytes() == b"x"


def test_a_file_and_a_folder_cannot_share_a_name_and_the_error_says_so(
    folder: FolderBucket,
) -> None:
    folder.create("a/b", b"data")
    with pytest.raises(ObjectExists, match="'a'"):
        folder.create("a", b"data")
    with pytest.raises(StorageError, match="'a/b/c'"):
        folder.create("a/b/c", b"data")


def test_a_photo_renamed_over_another_has_a_greater_generation(folder: FolderBucket) -> None:
    folder.create("older", b"older")
    time.sleep(0.02)
    first = folder.create("photo", b"first")
    time.sleep(0.02)
    (folder.root / "older").replace(folder.root / "photo")  # keeps its older time of modification
    assert folder.stat("photo").generation > first.generation


def test_a_file_dated_in_the_future_does_not_hide_its_successors(folder: FolderBucket) -> None:
    folder.create("photo", b"first")
    os.utime(folder.root / "photo", (4e9, 4e9))
    first = folder.stat("photo")
    time.sleep(0.02)
    (folder.root / "photo").write_bytes(b"second")
    assert folder.stat("photo").generation > first.generation


@pytest.fixture
def without_privileges() -> Iterator[FolderBucket]:
    """A bucket used as user nobody if the tests run as root: root can read everything."""
    root = Path(tempfile.mkdtemp())
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(root, 65534, 65534)
        os.seteuid(65534)
    try:
        yield FolderBucket(root)
    finally:
        if is_root:
            os.seteuid(0)
        for path in (root, *(path for path in root.iterdir() if path.is_dir())):
            path.chmod(0o700)
        shutil.rmtree(root)


def test_a_file_that_may_not_be_read_says_so_until_it_is_another(
    without_privileges: FolderBucket,
) -> None:
    before = without_privileges.create("a.jpg", b"photo")
    (without_privileges.root / "a.jpg").chmod(0)
    assert names(without_privileges) == ["a.jpg"]
    for generation in (None, before.generation):
        with pytest.raises(ObjectUnreadable, match=r"'a.jpg' cannot be read"):
            without_privileges.read("a.jpg", generation)
    time.sleep(0.02)
    (without_privileges.root / "a.jpg").chmod(0o600)
    assert without_privileges.read("a.jpg") == b"photo"
    assert without_privileges.stat("a.jpg").generation > before.generation


@pytest.mark.parametrize("mode", [0o000, 0o400])
def test_a_folder_that_may_not_be_read_or_entered_is_left_out_with_one_warning(
    without_privileges: FolderBucket, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a", "lost+found/x", "z"):
        without_privileges.create(name, b"")
    (without_privileges.root / "link").symlink_to(without_privileges.root / "lost+found" / "x")
    (without_privileges.root / "lost+found").chmod(mode)
    assert names(without_privileges) == names(without_privileges) == ["a", "z"]
    assert caplog.text.count("lost+found' is skipped") == 1
    assert caplog.text.count("link' is skipped") == 1


def test_a_folder_that_is_asked_for_and_may_not_be_read_is_an_error(
    without_privileges: FolderBucket,
) -> None:
    """Otherwise an index would seem to be empty."""
    without_privileges.create("index/segment", b"")
    (without_privileges.root / "index").chmod(0)
    with pytest.raises(StorageError):
        list(without_privileges.list("index/"))
