"""Folders that are gone, exchanged or closed: no photo is taken for deleted."""

import os

import pytest

from tests.support.buckets import HookedBucket
from tests.support.pictures import jpeg


def test_hidden_files_are_no_photos(cloud):
    (cloud.root / "photos" / ".hidden").mkdir()
    (cloud.root / "photos" / ".hidden" / "a.jpg").write_bytes(jpeg())
    cloud.put("a.jpg", jpeg())
    assert cloud.reconcile() == 200
    assert list(cloud.known()) == ["a.jpg"]
    assert cloud.counts() == (1, 1, 0, 0)


def test_a_photos_folder_that_is_gone_is_trouble_and_no_deletion(cloud, tmp_path):
    cloud.send(*cloud.put("a.jpg", jpeg()))
    (cloud.root / "photos").rename(tmp_path / "unplugged")
    assert cloud.reconcile() == 500
    assert list(cloud.known()) == ["a.jpg"]
    (tmp_path / "unplugged").rename(cloud.root / "photos")
    assert cloud.reconcile() == 200
    assert cloud.known() == cloud.in_bucket()


def test_a_folder_that_is_exchanged_while_it_is_listed_is_trouble(cloud, tmp_path):
    def exchange(method, name):
        if method == "list":
            (cloud.root / "photos").rename(tmp_path / "unplugged")
            (cloud.root / "photos").mkdir()

    cloud.send(*cloud.put("a.jpg", jpeg()))
    cloud.services.photos = HookedBucket(cloud.photos, before=exchange)
    assert cloud.reconcile() == 500
    assert list(cloud.known()) == ["a.jpg"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("mode", [0, 0o300, 0o400])
def test_photos_in_a_folder_that_may_not_be_read_are_not_removed(cloud, mode):
    cloud.send(*cloud.put("album/sub/a.jpg", jpeg()))
    cloud.send(*cloud.put("b.jpg", jpeg()))
    (cloud.root / "photos" / "album").chmod(mode)
    (cloud.root / "photos" / "b.jpg").unlink()
    try:
        assert cloud.reconcile() == 200
    finally:
        (cloud.root / "photos" / "album").chmod(0o700)
    assert list(cloud.known()) == ["album/sub/a.jpg"]
