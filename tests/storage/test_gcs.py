"""Behaviour specific to Cloud Storage: retries, lost replies, many kinds of errors."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from google.cloud import storage

from clipsearch.errors import (
    BadObjectName,
    ObjectExists,
    ObjectNotFound,
    ObjectUnreadable,
    StorageError,
)
from clipsearch.storage import Stat, gcs
from clipsearch.storage.checksum import holds
from clipsearch.storage.gcs import GcsBucket
from tests.support.gcs_double import LOST, CloudStorageDouble


@pytest.fixture
def cloud(gcs_double: CloudStorageDouble) -> Iterator[GcsBucket]:
    bucket = GcsBucket("gs://photos/p")
    yield bucket
    bucket.close()


@pytest.mark.parametrize("fault", [429, 500, 502, 503, 504, LOST])
def test_a_passing_fault_is_not_noticed(
    cloud: GcsBucket, gcs_double: CloudStorageDouble, fault: int | str
) -> None:
    gcs_double.faults.append(fault)
    stat = cloud.create("name", b"data")
    for use in (lambda: cloud.read("name"), lambda: cloud.stat("name"), lambda: [*cloud.list()]):
        gcs_double.faults.append(fault)
        assert use() in (b"data", stat, [stat])
    gcs_double.faults.append(fault)
    cloud.delete("name")
    assert not gcs_double.faults
    assert list(cloud.list()) == []


def test_a_lost_reply_does_not_make_another_creator_win(
    cloud: GcsBucket, gcs_double: CloudStorageDouble
) -> None:
    cloud.create("name", b"theirs")
    gcs_double.faults.append(LOST)
    with pytest.raises(ObjectExists, match="'name'"):
        cloud.create("name", b"ours")


@pytest.mark.parametrize("fault", [400, 403])
def test_a_refusal_is_a_storage_error_that_says_what_where_and_which(
    cloud: GcsBucket, gcs_double: CloudStorageDouble, fault: int
) -> None:
    uses = {
        "create": lambda: cloud.create("a name", b"data"),
        "delete": lambda: cloud.delete("a name"),
        "list": lambda: list(cloud.list("a name")),
    }
    for operation, use in uses.items():
        gcs_double.faults.append(fault)
        with pytest.raises(StorageError) as caught:
            use()
        assert type(caught.value) is StorageError
        assert str(caught.value).startswith(f"{operation} 'a name' in gs://photos/p: {fault}")


def test_trouble_that_lasts_ends_as_a_storage_error_in_bounded_time(
    cloud: GcsBucket, gcs_double: CloudStorageDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert gcs.RETRY_S <= 30
    monkeypatch.setattr(gcs, "RETRY_S", 0.5)
    gcs_double.faults.extend([503] * 1000)
    for use in (lambda: cloud.create("name", b""), lambda: cloud.read("name")):
        with pytest.raises(StorageError, match=r"'name' in gs://photos/p: .*503"):
            use()


def test_nobody_listening_is_a_storage_error(
    cloud: GcsBucket, gcs_double: CloudStorageDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gcs, "RETRY_S", 0.5)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    with pytest.raises(StorageError, match="read 'name' in gs://photos/p: "):
        cloud.read("name")


def test_a_server_that_never_answers_is_a_storage_error(
    gcs_double: CloudStorageDouble, cloud: GcsBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gcs, "RETRY_S", 0.3)
    monkeypatch.setattr(gcs, "TIMEOUT_S", (1.0, 0.2))
    with gcs_double.paused(), pytest.raises(StorageError, match="imed out"):
        cloud.read("name")


def test_a_missing_bucket_is_not_taken_for_a_missing_object(
    gcs_double: CloudStorageDouble,
) -> None:
    bucket = GcsBucket("gs://no-such-bucket")
    with pytest.raises(StorageError, match="no such bucket"):
        bucket.create("name", b"")
    with pytest.raises(StorageError, match="no such bucket"):
        list(bucket.list())
    bucket.close()


def test_names_that_only_the_cloud_allows_are_read(
    gcs_double: CloudStorageDouble,
) -> None:
    bucket = GcsBucket("gs://photos")
    for name in ("/leading", "trailing/", "a//b", ".hidden", "a/../b", "p", "p/q", "nul\0"):
        gcs_double.put("photos", name, name.encode())
        assert bucket.read(name) == name.encode()
        assert bucket.stat(name).name == name
    with pytest.raises(StorageError, match="two"):
        bucket.create("two\nlines", b"")  # Cloud Storage rejects it
    bucket.close()


def test_prefixes_keep_buckets_apart(gcs_double: CloudStorageDouble, cloud: GcsBucket) -> None:
    gcs_double.put("photos", "p", b"")
    gcs_double.put("photos", "pp/other", b"")
    gcs_double.put("photos", "other", b"")
    cloud.create("mine", b"")
    assert [stat.name for stat in cloud.list()] == ["mine"]
    with pytest.raises(ObjectNotFound):
        cloud.read("other")


@pytest.mark.parametrize("size", [4, 9_000_000])  # above 8 MiB, uploads use sessions
def test_content_type_cache_control_and_metadata_arrive(
    gcs_double: CloudStorageDouble, cloud: GcsBucket, size: int
) -> None:
    def properties() -> tuple[object, ...]:
        stored = gcs_double.get("photos", "p/t.webp", {})
        return stored.content_type, stored.cache_control, stored.metadata

    first = cloud.create("t.webp", b"a" * size, "image/webp", "max-age=60", {"by": "Zoë"})
    assert properties() == ("image/webp", "max-age=60", {"by": "Zoë"})
    cloud.replace("t.webp", first.generation, b"b" * size, "image/gif", "no-cache", {"by": "Ida"})
    assert properties() == ("image/gif", "no-cache", {"by": "Ida"})


def test_a_lost_reply_to_replacing_is_not_taken_for_somebody_elses_doing(
    cloud: GcsBucket, gcs_double: CloudStorageDouble
) -> None:
    first = cloud.create("name", b"first")
    gcs_double.faults.append(LOST)
    second = cloud.replace("name", first.generation, b"second")
    assert cloud.read("name", second.generation) == b"second"


def test_listing_tells_the_checksums(cloud: GcsBucket, gcs_double: CloudStorageDouble) -> None:
    cloud.create("name", b"123456789")
    gcs_double.requests.clear()
    [stat] = cloud.list()
    assert stat.crc32c == "4waSgw=="  # the check value of CRC-32C, 0xE3069283
    assert holds(cloud, stat, b"123456789")
    assert len(gcs_double.requests) == 1  # no content was read


def test_names_that_the_cloud_forbids_are_refused_without_asking(
    cloud: GcsBucket, gcs_double: CloudStorageDouble
) -> None:
    for name in ("two\nlines", "two\rlines", "x" * 1023):  # with "p/" one byte too long
        with pytest.raises(BadObjectName):
            cloud.create(name, b"")
        with pytest.raises(BadObjectName):
            cloud.replace(name, 1, b"")
    assert gcs_double.requests == []


def test_a_damaged_download_is_not_returned(
    gcs_double: CloudStorageDouble, cloud: GcsBucket
) -> None:
    cloud.create("name", b"data")
    gcs_double.damage("photos", "p/name", b"dada")
    with pytest.raises(ObjectUnreadable, match=r"'name' .* do not match its checksum"):
        cloud.read("name")


def test_the_client_is_made_once_and_on_first_use(
    gcs_double: CloudStorageDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, barrier = [], threading.Barrier(8)
    is_second = threading.Event()

    class Counted(storage.Client):  # type: ignore[misc]  # the package has no types
        def __init__(self) -> None:
            made.append(self)
            if len(made) > 1:
                is_second.set()
            is_second.wait(0.2)  # gives another thread time to create a second client
            super().__init__()

    monkeypatch.setattr(storage, "Client", Counted)
    cloud = GcsBucket("gs://photos/p")

    def use(_: int) -> list[Stat]:
        barrier.wait()
        return list(cloud.list())

    assert made == []
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(use, range(8))) == [[]] * 8
    assert len(made) == 1
    cloud.close()


def test_every_call_is_one_request(cloud: GcsBucket, gcs_double: CloudStorageDouble) -> None:
    cloud.create("name", b"data")
    cloud.read("name")
    cloud.stat("name")
    list(cloud.list())
    cloud.delete("name")
    methods = [method for method, _ in gcs_double.requests]
    assert methods == ["POST", "GET", "GET", "GET", "DELETE"]
