"""What a look at the photos folder turns into."""

import os
import time

import pytest

from cli.run.changes import SETTLED_AFTER_US, FolderChanges
from cli.run.feeder import Event
from clipsearch.index.format.generations import overruling
from clipsearch.storage import open_bucket


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    return folder


def changes_of(folder, indexed=(), removed=()):
    return FolderChanges(open_bucket(folder.as_uri()), dict(indexed), dict(removed))


def generation(folder, name):
    return open_bucket(folder.as_uri()).stat(name).generation


def settle():
    time.sleep(SETTLED_AFTER_US / 1e6 + 0.05)


def write(folder, name, data=b"x"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return generation(folder, name)


def test_what_is_indexed_is_not_fed_again(folder):
    one, two = write(folder, "one.jpg"), write(folder, "sub/two.jpg", b"22")
    assert changes_of(folder).look() == [
        Event("finalized", "one.jpg", one, 1, "image/jpeg"),
        Event("finalized", "sub/two.jpg", two, 2, "image/jpeg"),
    ]
    changes = changes_of(folder, {"one.jpg": one, "sub/two.jpg": two})
    assert changes.look() == []
    assert changes.outdated == set()


def test_only_what_differs_is_fed(folder):
    changes = changes_of(folder)
    same, old = write(folder, "same.jpg"), write(folder, "changed.jpg")
    removed = write(folder, "removed.jpg")
    changes.look()
    assert changes.look() == []
    settle()  # the clock of the file system ticks every few ms
    new = write(folder, "changed.jpg", b"new")
    (folder / "removed.jpg").unlink()
    assert new > old
    assert changes.look() == [
        Event("deleted", "changed.jpg", old, is_replaced=True),
        Event("finalized", "changed.jpg", new, 3, "image/jpeg"),
        Event("deleted", "removed.jpg", removed),
    ]
    assert generation(folder, "same.jpg") == same


def test_a_delete_carries_the_generation_in_the_index(folder):
    assert changes_of(folder, {"gone.jpg": 7}).look() == [Event("deleted", "gone.jpg", 7)]


def test_a_file_that_is_being_written_is_left_for_the_next_look(folder):
    changes = changes_of(folder)
    (folder / "growing.jpg").write_bytes(b"half")
    assert changes.look(SETTLED_AFTER_US) == []
    assert changes.unsettled
    settle()
    assert [event.name for event in changes.look(SETTLED_AFTER_US)] == ["growing.jpg"]
    assert not changes.unsettled


def test_a_moved_folder_is_deletes_and_uploads(folder):
    changes = changes_of(folder)
    old = write(folder, "old/a.jpg")
    changes.look()
    (folder / "old").rename(folder / "new")
    assert changes.look() == [
        Event("finalized", "new/a.jpg", old, 1, "image/jpeg"),
        Event("deleted", "old/a.jpg", old),
    ]


def test_what_came_back_unchanged_is_left_to_a_reconcile(folder, tmp_path):
    changes = changes_of(folder)
    old = write(folder, "album/a.jpg")
    changes.look()
    (folder / "album").rename(tmp_path / "elsewhere")
    assert [event.kind for event in changes.look()] == ["deleted"]
    (tmp_path / "elsewhere").rename(folder / "album")
    assert changes.look() == []
    assert changes.outdated == {"album/a.jpg"}
    assert changes.look() == []
    assert changes.outdated == set()  # said once
    (folder / "album" / "a.jpg").unlink()
    assert changes.look() == [Event("deleted", "album/a.jpg", overruling(old, old))]


def test_an_older_photo_under_a_known_name_is_not_shown_as_the_newer_one(folder, tmp_path):
    older = write(tmp_path, "elsewhere/a.jpg", b"older")
    settle()
    changes = changes_of(folder)
    newer = write(folder, "album/a.jpg", b"newer")
    changes.look()
    (folder / "album").rename(tmp_path / "away")
    (tmp_path / "elsewhere").rename(folder / "album")
    assert generation(folder, "album/a.jpg") == older < newer
    assert changes.look() == [Event("deleted", "album/a.jpg", newer)]
    assert changes.outdated == {"album/a.jpg"}
    assert changes.look() == []


def test_what_a_reconcile_indexed_is_known_at_the_next_start(folder):
    old = write(folder, "a.jpg")
    changes = changes_of(folder, {"a.jpg": overruling(old + 5, old)})
    assert changes.look() == []
    assert changes.outdated == set()


def test_a_change_right_after_a_reconcile_is_not_lost(folder):
    """What overrules may lie some seconds ahead of the clock."""
    old = write(folder, "a.jpg")
    changes = changes_of(folder, {"a.jpg": overruling(old, old)})
    settle()
    write(folder, "a.jpg", b"new")
    [gone, *came] = changes.look()
    assert gone == Event("deleted", "a.jpg", overruling(old, old), is_replaced=bool(came))
    assert [event.name for event in came] or changes.outdated == {"a.jpg"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_photos_in_a_folder_that_may_not_be_read_are_not_deleted(folder):
    changes = changes_of(folder)
    write(folder, "album/sub/a.jpg")
    write(folder, "b.jpg")
    changes.look()
    (folder / "album").chmod(0)
    (folder / "b.jpg").unlink()
    try:
        assert [event.name for event in changes.look()] == ["b.jpg"]
    finally:
        (folder / "album").chmod(0o700)
    (folder / "album" / "sub" / "a.jpg").unlink()
    assert [event.name for event in changes.look()] == ["album/sub/a.jpg"]


def test_a_folder_may_have_a_name_that_is_not_utf_8(tmp_path):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    write(folder, "a.jpg")
    assert [event.name for event in changes_of(folder).look()] == ["a.jpg"]


def test_hidden_files_are_no_photos(folder):
    (folder / ".cache").mkdir()
    for name in (".DS_Store", ".cache/a.jpg"):
        (folder / name).write_bytes(b"x")
    assert changes_of(folder).look() == []
