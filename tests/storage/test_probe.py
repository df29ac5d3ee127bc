"""Distinguishing a failure of one object from a failure of the whole bucket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clipsearch.errors import StorageError
from clipsearch.storage import Bucket, probe
from clipsearch.storage.gcs import GcsBucket
from tests.support.buckets import HookedBucket
from tests.support.gcs_double import CloudStorageDouble


@pytest.fixture
def cloud(gcs_double: CloudStorageDouble) -> Iterator[GcsBucket]:
    bucket = GcsBucket("gs://photos")
    yield bucket
    bucket.close()


def test_another_object_must_be_there_and_readable(bucket: Bucket) -> None:
    assert not probe.answers(bucket, ())
    bucket.create("b", b"data")
    assert probe.answers(bucket, ())
    assert not probe.answers(bucket, ["b"])
    bucket.create("empty", b"")  # a read decrypts nothing, so it proves nothing
    assert not probe.answers(bucket, ["b"])
    for other in ("a", "c"):
        stat = bucket.create(other, b"data")
        assert probe.answers(bucket, ["b"])
        bucket.delete(other, stat.generation)


def test_many_empty_objects_do_not_hide_one_with_bytes(bucket: Bucket) -> None:
    for i in range(100):
        bucket.create(f"placeholder {i}", b"")
    bucket.create("photo", b"data")
    assert probe.answers(bucket, ())


@pytest.mark.parametrize("status", [400, 403])
def test_a_lost_role_or_key_is_not_one_objects_fault(
    cloud: GcsBucket, gcs_double: CloudStorageDouble, status: int
) -> None:
    for name in ("a", "b", "c"):
        cloud.create(name, b"data")
        gcs_double.refuse("photos", name, status)
    assert not probe.answers(cloud, ["b"])
    gcs_double.put("photos", "a", b"mended")
    assert probe.answers(cloud, ["b"])


def test_a_folder_full_of_refused_objects_does_not_hide_the_others(
    cloud: GcsBucket, gcs_double: CloudStorageDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "LISTED", 3)
    for i in range(6):
        gcs_double.put("photos", f"a/{i}", b"data")
        gcs_double.refuse("photos", f"a/{i}", 403)
    gcs_double.put("photos", "b", b"data")
    assert probe.answers(cloud, [f"a/{i}" for i in range(6)])
    assert probe.answers(cloud, ["a/5"])


def test_a_listing_that_fails_is_no_answer(
    cloud: GcsBucket, gcs_double: CloudStorageDouble
) -> None:
    cloud.create("a", b"data")
    gcs_double.faults.append(403)
    assert not probe.answers(cloud, ())


def test_a_storage_that_is_away_is_not_asked_again(bucket: Bucket) -> None:
    asked = []

    def fail(method: str, name: str) -> None:
        if method == "read_into":
            asked.append(name)
            raise StorageError("503")

    for name in ("a", "b", "c"):
        bucket.create(name, b"data")
    assert not probe.answers(HookedBucket(bucket, before=fail), ())
    assert len(asked) == 1
