"""The contract of Bucket for all implementations, including those of the tests. The other files
in this folder test the differences."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clipsearch.errors import (
    BadObjectName,
    ObjectExists,
    ObjectNotFound,
    ObjectTooLarge,
    StorageError,
)
from clipsearch.storage import Bucket, Stat
from clipsearch.storage.checksum import holds
from clipsearch.storage.gcs import GcsBucket
from clipsearch.storage.local import FolderBucket
from tests.support.gcs_double import CloudStorageDouble

pytestmark = pytest.mark.parametrize(
    "bucket", ["folder", "gcs", "memory", "delegating"], indirect=True
)
AWKWARD_NAMES = [
    "plain.jpg",
    "with space.jpg",
    "Ærøskøbing/été 2024/猫 🐈.jpg",
    "e\u0301 is not \u00e9.jpg",
    "100%/50%25.jpg",
    "what?now=1&then=2.jpg",
    "a#fragment.jpg",
    "1+1=2.jpg",
    "back\\slash \"quoted\" 'too'.jpg",
    "a;b,c:d@e!$*()[]{}|^~`.jpg",
    "o/b/o.jpg",
    "tab\there.jpg",
    "x" * 200 + "/" + "ü" * 100,
]


def names(bucket: Bucket, prefix: str = "", start: str = "") -> list[str]:
    return [stat.name for stat in bucket.list(prefix, start)]


@pytest.fixture
def overwrite(bucket: Bucket, request: pytest.FixtureRequest) -> Callable[[str, bytes], Stat]:
    """Replace a photo without our code, as its owner does."""

    def in_folder(name: str, data: bytes) -> Stat:
        assert isinstance(bucket, FolderBucket)
        # File systems resolve times to 4 ms (one kernel tick) or better.
        time.sleep(0.02)
        (bucket.root / name).write_bytes(data)
        return bucket.stat(name)

    def in_cloud(name: str, data: bytes) -> Stat:
        double: CloudStorageDouble = request.getfixturevalue("gcs_double")
        prefix = bucket.url.removeprefix("gs://photos").lstrip("/")
        double.put("photos", f"{prefix}/{name}".lstrip("/"), data)
        return bucket.stat(name)

    def in_memory(name: str, data: bytes) -> Stat:
        bucket.delete(name)
        return bucket.create(name, data)

    if isinstance(bucket, FolderBucket):
        return in_folder
    return in_cloud if isinstance(bucket, GcsBucket) else in_memory


@pytest.mark.parametrize("name", AWKWARD_NAMES)
def test_every_name_comes_back_as_it_was(bucket: Bucket, name: str) -> None:
    stat = bucket.create(name, b"data")
    assert stat.name == name
    assert bucket.read(name) == b"data"
    assert bucket.stat(name) == stat
    assert list(bucket.list()) == [stat]
    bucket.delete(name)
    assert names(bucket) == []


def test_a_part_of_the_bytes_can_be_read(bucket: Bucket) -> None:
    data = bytes(range(256)) * 3000
    bucket.create("name", data)
    assert bucket.read("name", start=700_000) == data[700_000:]
    assert bucket.read("name", start=0) == data
    assert bucket.read("name", start=len(data)) == bucket.read("name", start=10**9) == b""
    with pytest.raises(ObjectNotFound):
        bucket.read("missing", start=5)


def test_a_range_of_the_bytes_can_be_read(bucket: Bucket) -> None:
    data = bytes(range(256)) * 3000
    bucket.create("name", data)
    bucket.create("empty", b"")
    size = len(data)
    for start, end in ((0, 1), (0, size), (700_000, 700_001), (255, 70_000), (size - 1, size)):
        assert bucket.read("name", start=start, end=end) == data[start:end]
        assert bucket.read("name", start=start, end=end, most=end - start) == data[start:end]
    assert bucket.read("name", start=size - 9, end=size + 9) == data[-9:]
    assert bucket.read("name", start=0, end=10**9) == data
    assert bucket.read("name", start=size, end=size + 1) == b""
    assert bucket.read("empty", start=0, end=5) == bucket.read("empty", start=5, end=6) == b""
    with pytest.raises(ObjectTooLarge):
        bucket.read("name", start=9, end=20, most=10)
    with pytest.raises(ObjectNotFound):
        bucket.read("missing", start=5, end=6)
    for start, end in ((5, 5), (6, 5), (-1, 5)):
        with pytest.raises(ValueError, match=f"not {start} to {end}"):
            bucket.read("name", start=start, end=end)


def test_many_ranges_are_read_at_once(bucket: Bucket) -> None:
    data = bytes(range(256)) * 300
    bucket.create("name", data)
    with ThreadPoolExecutor(64) as pool:
        parts = list(pool.map(lambda i: bucket.read("name", start=i, end=i + 100), range(400)))
    assert parts == [data[i : i + 100] for i in range(400)]


def test_no_more_bytes_are_read_than_the_caller_takes(bucket: Bucket) -> None:
    data = bytes(range(256)) * 3000
    bucket.create("name", data)
    for start in (0, 1, 700_000):
        rest = data[start:]
        for most in (len(rest), len(rest) + 1, 10**9):
            assert bucket.read("name", start=start, most=most) == rest
        for most in (0, 1, len(rest) - 1):
            with pytest.raises(ObjectTooLarge, match=rf"'name' has more than {most:,} bytes") as e:
                bucket.read("name", start=start, most=most)
            assert (e.value.name, e.value.most) == ("name", most)
    assert bucket.read("name", start=len(data), most=0) == b""


def test_an_empty_object_has_no_first_bytes(bucket: Bucket) -> None:
    bucket.create("empty", b"")
    assert bucket.read_into("empty", memoryview(bytearray(9))) == 0
    assert bucket.read("empty", most=0) == b""


@pytest.mark.parametrize("size", [0, 1, 700_000, 768_000])
def test_bytes_can_be_read_into_memory_that_is_there(bucket: Bucket, size: int) -> None:
    data = bytes(range(256)) * 3000
    bucket.create("name", data)
    memory = bytearray(size)
    assert bucket.read_into("name", memoryview(memory)) == size
    assert memory == data[:size]


def test_reading_into_too_much_memory_tells_how_much_there_was(bucket: Bucket) -> None:
    bucket.create("name", b"short")
    memory = bytearray(b"." * 9)
    assert bucket.read_into("name", memoryview(memory)) == 5
    assert memory == b"short...."
    with pytest.raises(ObjectNotFound):
        bucket.read_into("missing", memoryview(memory))


@pytest.mark.parametrize("name", ["", ".", "..", "\ud800", "x" * 1025, "ü" * 513], ids=ascii)
def test_a_name_that_cannot_be_is_refused_with_its_value(bucket: Bucket, name: str) -> None:
    for use in (lambda: bucket.create(name, b""), lambda: bucket.read(name)):
        with pytest.raises(BadObjectName) as caught:
            use()
        assert caught.value.name == name
    assert names(bucket) == []


def test_what_was_created_is_described(bucket: Bucket) -> None:
    before = datetime.now(UTC)
    stat = bucket.create("a/photo.webp", b"12345", "image/webp", "no-cache")
    assert (stat.name, stat.size, stat.content_type) == ("a/photo.webp", 5, "image/webp")
    assert abs(stat.updated - before) < timedelta(minutes=1)
    assert stat.generation > 0
    assert bucket.stat("a/photo.webp") == stat


def test_no_bytes_at_all_are_an_object(bucket: Bucket, tmp_path: Path) -> None:
    assert bucket.create("empty", b"").size == 0
    assert bucket.read("empty") == b""
    assert bucket.stat("empty").size == 0
    bucket.download("empty", tmp_path / "local")
    assert (tmp_path / "local").read_bytes() == b""


def test_nine_megabytes_come_back(bucket: Bucket, tmp_path: Path) -> None:
    data = bytes(range(256)) * 4 * 1024 * 9  # above 8 MiB, the storage client uploads in sessions
    assert bucket.create("big", data, "application/octet-stream").size == len(data)
    assert bucket.read("big") == data
    bucket.download("big", tmp_path / "local")
    assert (tmp_path / "local").read_bytes() == data
    with pytest.raises(ObjectExists):
        bucket.create("big", data[:-1] + b"?")


def test_creating_the_same_again_succeeds(bucket: Bucket) -> None:
    first = bucket.create("name", b"same")
    assert bucket.create("name", b"same") == first


@pytest.mark.parametrize("other", [b"", b"sam", b"same!", b"sane"])
def test_creating_something_else_fails_and_changes_nothing(bucket: Bucket, other: bytes) -> None:
    first = bucket.create("name", b"same")
    with pytest.raises(ObjectExists, match="'name'"):
        bucket.create("name", other)
    assert bucket.read("name") == b"same"
    assert bucket.stat("name") == first


def test_replacing_writes_over_one_generation_only(
    bucket: Bucket, overwrite: Callable[[str, bytes], Stat]
) -> None:
    first = bucket.create("photo", b"first")
    time.sleep(0.02)  # as in `overwrite`
    second = bucket.replace("photo", first.generation, b"second")
    assert second.generation > first.generation
    assert bucket.stat("photo") == second
    assert bucket.read("photo", second.generation) == b"second"
    for generation in (first.generation, 1):
        with pytest.raises(ObjectNotFound, match="'photo'"):
            bucket.replace("photo", generation, b"third")
    assert bucket.read("photo") == b"second"
    third = overwrite("photo", b"somebody else's")
    with pytest.raises(ObjectNotFound):
        bucket.replace("photo", second.generation, b"ours")
    assert bucket.stat("photo") == third


def test_replacing_by_what_is_already_there_succeeds(bucket: Bucket) -> None:
    first = bucket.create("photo", b"first")
    time.sleep(0.02)
    second = bucket.replace("photo", first.generation, b"second")
    assert bucket.replace("photo", first.generation, b"second") == second


def test_what_is_not_there_cannot_be_replaced(bucket: Bucket) -> None:
    stat = bucket.create("photo", b"first")
    bucket.delete("photo")
    with pytest.raises(ObjectNotFound, match="'photo'"):
        bucket.replace("photo", stat.generation, b"second")
    assert names(bucket) == []


def test_whether_an_object_holds_these_bytes_can_be_told(bucket: Bucket) -> None:
    bucket.create("photo", b"same")
    [there] = bucket.list()
    assert holds(bucket, there, b"same")
    for other in (b"", b"sane", b"same!"):
        assert not holds(bucket, there, other)


def test_of_many_creators_exactly_one_wins(bucket: Bucket) -> None:
    def create(i: int) -> bool:
        try:
            bucket.create("folder/contested", b"creator %d" % i)
        except ObjectExists:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(create, range(32)))
    assert won.count(True) == 1
    assert bucket.read("folder/contested") == b"creator %d" % won.index(True)


def test_many_creators_of_the_same_all_succeed(bucket: Bucket) -> None:
    with ThreadPoolExecutor(16) as pool:
        stats = list(pool.map(lambda _: bucket.create("name", b"same"), range(32)))
    assert {stat.size for stat in stats} == {4}
    assert names(bucket) == ["name"]


def test_a_reader_sees_all_of_a_new_object_or_nothing(bucket: Bucket) -> None:
    data = b"x" * 3_000_000

    def read_until_there(_: int) -> bytes:
        while True:
            try:
                return bucket.read("name")
            except ObjectNotFound:
                continue

    with ThreadPoolExecutor(4) as pool:
        reads = [pool.submit(read_until_there, i) for i in range(4)]
        bucket.create("name", data)
        assert all(read.result(60) == data for read in reads)


def test_the_generation_grows_when_a_photo_is_overwritten(
    bucket: Bucket, overwrite: Callable[[str, bytes], Stat]
) -> None:
    stats = [bucket.create("photo", b"first")]
    stats += [overwrite("photo", b"next %d" % i) for i in range(3)]
    generations = [stat.generation for stat in stats]
    assert generations == sorted(set(generations))
    assert bucket.read("photo", stats[-1].generation) == b"next 2"


def test_a_replaced_generation_cannot_be_read(
    bucket: Bucket, overwrite: Callable[[str, bytes], Stat]
) -> None:
    first = bucket.create("photo", b"first")
    assert bucket.read("photo", first.generation) == b"first"
    overwrite("photo", b"other")
    with pytest.raises(ObjectNotFound) as caught:
        bucket.read("photo", first.generation)
    assert (caught.value.name, caught.value.generation) == ("photo", first.generation)


def test_a_photo_that_was_deleted_and_came_back_has_a_greater_generation(
    bucket: Bucket, overwrite: Callable[[str, bytes], Stat]
) -> None:
    first = bucket.create("photo", b"same")
    bucket.delete("photo")
    assert overwrite("photo", b"same").generation > first.generation


def test_deleting_another_generation_leaves_the_object(
    bucket: Bucket, overwrite: Callable[[str, bytes], Stat]
) -> None:
    first = bucket.create("photo", b"first")
    second = overwrite("photo", b"second")
    bucket.delete("photo", first.generation)
    assert bucket.read("photo") == b"second"
    bucket.delete("photo", second.generation)
    with pytest.raises(ObjectNotFound):
        bucket.stat("photo")


def test_deleting_twice_is_as_deleting_once(bucket: Bucket) -> None:
    stat = bucket.create("name", b"data")
    bucket.delete("name")
    bucket.delete("name")
    bucket.delete("name", stat.generation)
    bucket.delete("never/was")
    assert names(bucket) == []


def test_what_is_not_there_is_not_found(bucket: Bucket, tmp_path: Path) -> None:
    bucket.create("folder/name", b"data")
    for name in ("folder", "folder/nam", "folder/name/below", "other"):
        for use in (
            lambda: bucket.read(name),  # noqa: B023 (used at once)
            lambda: bucket.read(name, 1),  # noqa: B023
            lambda: bucket.stat(name),  # noqa: B023
            lambda: bucket.download(name, tmp_path / "local"),  # noqa: B023
        ):
            with pytest.raises(ObjectNotFound) as caught:
                use()
            assert caught.value.name == name


def test_an_empty_bucket_lists_nothing(bucket: Bucket) -> None:
    assert names(bucket) == []
    assert names(bucket, "any/prefix") == []


UNSORTED = ["b", "a/b/c", "a.jpg", "a/a", "a-", "a/b-", "ä", "Z", "a0", "猫", "🐈", "\uffee"]


def test_a_listing_is_in_the_order_of_the_utf8_bytes(bucket: Bucket) -> None:
    for name in UNSORTED:
        bucket.create(name, name.encode())
    expected = sorted(UNSORTED, key=str.encode)
    stats = list(bucket.list())
    assert [stat.name for stat in stats] == expected
    assert stats == [bucket.stat(name) for name in expected]


def test_prefix_and_start_choose_what_is_listed(bucket: Bucket) -> None:
    for name in UNSORTED:
        bucket.create(name, b"")
    for prefix in ("", "a", "a/", "a/b", "a/b/", "a/b/c", "b/", "猫", "zz"):
        for start in ("", "a", "a/a ", "a/b/", "a/z", "a0", "b", "ä", "\U0010ffff"):
            chosen = [n for n in UNSORTED if n.startswith(prefix) and n.encode() >= start.encode()]
            expected = sorted(chosen, key=str.encode)
            assert names(bucket, prefix, start) == expected, (prefix, start)


def test_a_long_listing_is_complete(bucket: Bucket) -> None:
    expected = [f"many/{i:03}" for i in range(50)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: bucket.create(name, b"x"), reversed(expected)))
    assert names(bucket) == expected
    assert names(bucket, "many/0", "many/021") == expected[21:]


def test_storage_errors_say_what_where_and_which(bucket: Bucket, tmp_path: Path) -> None:
    bucket.create("a name", b"data")
    with pytest.raises((StorageError, OSError), match="no such folder"):
        bucket.download("a name", tmp_path / "no such folder" / "local")
