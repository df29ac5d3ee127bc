"""Reading from Cloud Storage: refusals, encodings, damage, interrupted downloads."""

from __future__ import annotations

import gzip
import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from clipsearch.errors import ObjectNotFound, ObjectTooLarge, ObjectUnreadable, StorageError
from clipsearch.storage import gcs
from clipsearch.storage.gcs import GcsBucket
from tests.support.gcs_double import CUT, SHORT, CloudStorageDouble

PLAIN = bytes(random.Random(1).choices(b"0123456789abcdef", k=100_000))  # gzip halves it


@pytest.fixture
def cloud(gcs_double: CloudStorageDouble) -> Iterator[GcsBucket]:
    bucket = GcsBucket("gs://photos/p")
    yield bucket
    bucket.close()


@pytest.fixture
def packed(gcs_double: CloudStorageDouble) -> None:
    gcs_double.put("photos", "p/packed", gzip.compress(PLAIN), contentEncoding="gzip")


@pytest.mark.parametrize("status", [400, 403])
def test_a_refused_object_says_so_and_its_neighbours_are_read(
    cloud: GcsBucket, gcs_double: CloudStorageDouble, status: int, tmp_path: Path
) -> None:
    for name in ("refused", "other"):
        cloud.create(name, b"data")
    gcs_double.refuse("photos", "p/refused", status)
    for use in (
        lambda: cloud.read("refused"),
        lambda: cloud.read("refused", start=2, most=9),
        lambda: cloud.read_into("refused", memoryview(bytearray(2))),
        lambda: cloud.download("refused", tmp_path / "local"),
    ):
        with pytest.raises(ObjectUnreadable, match=rf"'refused' cannot be read: .*\({status}\)"):
            use()
    assert cloud.read("other") == b"data"
    assert len(list(cloud.list())) == 2


@pytest.mark.parametrize("status", [401, 408, 412, 429, 500, 503])
def test_trouble_of_the_storage_is_not_the_objects_fault(
    cloud: GcsBucket,
    gcs_double: CloudStorageDouble,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gcs, "RETRY_S", 0.3)
    cloud.create("name", b"data")
    gcs_double.refuse("photos", "p/name", status)
    with pytest.raises(StorageError, match=r"^read 'name' in gs://photos/p: ") as caught:
        cloud.read("name")
    assert type(caught.value) is StorageError


def test_a_refused_stat_is_the_objects_and_a_refused_comparison_is_not(
    cloud: GcsBucket, gcs_double: CloudStorageDouble
) -> None:
    cloud.create("name", b"data")
    gcs_double.faults.append(403)
    with pytest.raises(ObjectUnreadable):
        cloud.stat("name")
    gcs_double.faults.extend([412, 403])
    with pytest.raises(StorageError) as caught:
        cloud.create("name", b"data")
    assert type(caught.value) is StorageError


def test_a_gzip_object_is_read_as_its_plain_bytes(cloud: GcsBucket, packed: None) -> None:
    for start in (0, 5, 1000, len(PLAIN) - 1, len(PLAIN), len(PLAIN) + 1, 10**9):
        assert cloud.read("packed", start=start) == PLAIN[start:]
        assert cloud.read("packed", start=start, most=len(PLAIN)) == PLAIN[start:]
    for start in (0, 5, 1000):
        with pytest.raises(ObjectTooLarge):
            cloud.read("packed", start=start, most=len(PLAIN) - start - 1)


def test_a_range_of_a_gzip_object_is_one_of_its_plain_bytes(cloud: GcsBucket, packed: None) -> None:
    for start, end in ((0, 9), (1000, 2000), (len(PLAIN) - 5, len(PLAIN) + 5), (10**9, 10**9 + 1)):
        assert cloud.read("packed", start=start, end=end) == PLAIN[start:end]
    with pytest.raises(ObjectTooLarge):
        cloud.read("packed", start=5, end=20, most=9)


def test_a_short_range_is_an_error(cloud: GcsBucket, gcs_double: CloudStorageDouble) -> None:
    cloud.create("name", PLAIN)
    gcs_double.faults.extend([SHORT])
    with pytest.raises(StorageError, match="received"):
        cloud.read("name", start=100, end=200)


def test_what_does_not_get_smaller_by_gzip_is_not_too_large(
    cloud: GcsBucket, gcs_double: CloudStorageDouble
) -> None:
    for name, data in (("small", b""), ("large", PLAIN)):
        stored = gzip.compress(data, 0)
        gcs_double.put("photos", f"p/{name}", stored, contentEncoding="gzip")
        assert len(stored) > len(data)
        assert cloud.read(name, most=len(data)) == data


def test_a_gzip_object_that_expands_without_end_is_not_read_whole(
    cloud: GcsBucket, gcs_double: CloudStorageDouble
) -> None:
    bomb = gzip.compress(bytes(50_000_000), 9)
    gcs_double.put("photos", "p/bomb", bomb, contentEncoding="gzip")
    with pytest.raises(ObjectTooLarge):
        cloud.read("bomb", most=1_000_000)  # first, so that imports do not count below
    tracemalloc.start()
    try:
        for start in (0, 1000):
            with pytest.raises(ObjectTooLarge):
                cloud.read("bomb", start=start, most=1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_a_gzip_object_may_have_some_members_and_not_any_number(
    cloud: GcsBucket, gcs_double: CloudStorageDouble
) -> None:
    """A million empty members in 20 MB took 19 s."""
    for count in (2, 100_000):
        members = gzip.compress(b"a") * count
        gcs_double.put("photos", f"p/{count}", members, contentEncoding="gzip")
    assert cloud.read("2", start=1) == b"a"
    with pytest.raises(ObjectUnreadable, match="more than 1,000 members"):
        cloud.read("100000")


def test_a_large_object_is_given_up_before_it_has_come(
    cloud: GcsBucket, gcs_double: CloudStorageDouble
) -> None:
    gcs_double.put("photos", "p/large", bytes(50_000_000))
    with pytest.raises(ObjectTooLarge):
        cloud.read("large", most=0)
    tracemalloc.start()
    try:
        with pytest.raises(ObjectTooLarge):
            cloud.read("large", most=1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("encoding", "data", "reason"),
    [
        ("gzip", PLAIN, "its Content-Encoding is gzip, but its bytes are not"),
        ("gzip", gzip.compress(PLAIN)[:-9], "its Content-Encoding is gzip, but its bytes are not"),
        ("gzip", gzip.compress(PLAIN)[:-1] + b"!", "but its bytes are not"),
        ("gzip", b"", "but it is empty"),
        ("br", PLAIN, "its Content-Encoding is 'br'; only gzip is supported"),
        ("gzip, gzip", PLAIN, "its Content-Encoding is 'gzip, gzip'; only one layer"),
    ],
)
def test_bytes_that_are_not_what_their_encoding_says_are_the_objects_fault(
    cloud: GcsBucket, gcs_double: CloudStorageDouble, encoding: str, data: bytes, reason: str
) -> None:
    gcs_double.put("photos", "p/name", data, contentEncoding=encoding)
    for most in (None, len(PLAIN)):
        with pytest.raises(ObjectUnreadable, match=reason):
            cloud.read("name", most=most)


def test_a_checksum_is_one_of_the_stored_bytes(
    cloud: GcsBucket, gcs_double: CloudStorageDouble, packed: None
) -> None:
    other = gzip.compress(PLAIN[::-1])
    gcs_double.damage("photos", "p/packed", other)
    with pytest.raises(ObjectUnreadable, match="checksum"):
        cloud.read("packed")


@pytest.mark.parametrize("start", [0, 1000])
@pytest.mark.parametrize("name", ["plain", "packed"])
def test_an_interrupted_download_is_resumed(
    cloud: GcsBucket, gcs_double: CloudStorageDouble, packed: None, name: str, start: int
) -> None:
    cloud.create("plain", PLAIN)
    gcs_double.faults.extend([CUT, 503, CUT])
    assert cloud.read(name, start=start) == PLAIN[start:]


@pytest.mark.parametrize("start", [0, 100])
@pytest.mark.parametrize("name", ["plain", "packed"])
def test_an_end_that_comes_too_early_is_never_taken_for_all(
    cloud: GcsBucket, gcs_double: CloudStorageDouble, packed: None, name: str, start: int
) -> None:
    """416 after a partial download: the client requests bytes after the end."""
    cloud.create("plain", PLAIN)
    gcs_double.faults.extend([CUT, 416])
    assert cloud.read(name, start=start) == PLAIN[start:]
    assert not gcs_double.faults
    gcs_double.faults.extend([CUT, 416] * 5)  # more faults than a range and a full read survive
    with pytest.raises(StorageError):
        cloud.read(name, start=start)


def test_a_range_that_is_refused_although_there_are_bytes_is_an_error(
    cloud: GcsBucket, gcs_double: CloudStorageDouble
) -> None:
    cloud.create("plain", PLAIN)
    for start in (0, 5):
        gcs_double.faults.extend([416, 416] if start == 0 else [416])
        with pytest.raises(StorageError, match="416"):
            cloud.read("plain", start=start)


def test_a_resumed_download_is_checked(cloud: GcsBucket, gcs_double: CloudStorageDouble) -> None:
    """The client does not check it, because it requested a range."""
    cloud.create("name", PLAIN)
    gcs_double.damage("photos", "p/name", PLAIN[::-1])
    gcs_double.faults.extend([CUT])
    with pytest.raises(ObjectUnreadable, match="checksum"):
        cloud.read("name")


@pytest.mark.parametrize("name", ["plain", "packed"])
def test_a_part_of_another_length_is_an_error(
    cloud: GcsBucket, gcs_double: CloudStorageDouble, packed: None, name: str
) -> None:
    """A range has no checksum. A whole object has one, and its download is retried."""
    cloud.create("plain", PLAIN)
    gcs_double.faults.append(SHORT)
    with pytest.raises(StorageError, match=r"received [0-9,]+ of"):
        cloud.read(name, start=1000)
    gcs_double.faults.append(SHORT)
    assert cloud.read(name) == PLAIN


def test_a_missing_object_is_not_found_whatever_is_asked(cloud: GcsBucket) -> None:
    for start, most in ((0, 5), (5, None), (5, 0)):
        with pytest.raises(ObjectNotFound):
            cloud.read("missing", start=start, most=most)
