"""Google Cloud Storage. Only the gcs* modules use its client and exceptions."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipsearch.errors import BadObjectName, ObjectExists, ObjectNotFound
from clipsearch.storage import MAX_NAME_BYTES, Stat, check_name, check_range, gs_parts
from clipsearch.storage.checksum import holds

if TYPE_CHECKING:
    from google.api_core.retry import Retry
    from google.cloud.storage import Blob, Client

# Retries, including waits, stop after this time: well within a function's request timeout of
# 60 s. The sender of the event or query retries anyway.
RETRY_S = 30.0
FIRST_WAIT_S, LONGEST_WAIT_S = 0.2, 5.0
# Connect and read timeouts.
TIMEOUT_S = (5.0, 20.0)
# Stops the client from fetching the bucket's metadata in a thread, for traces that we do not
# collect. That fetch costs a request and needs one more permission.
_NO_METADATA = "DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true"
# Kept open. The rows of packs are read by so many threads; the client alone would keep 10.
CONNECTIONS = 128
_LISTED = "items(name,generation,size,contentType,updated,crc32c),nextPageToken"


class GcsBucket:
    """The objects of a bucket below a prefix; see Bucket for the methods.

    The client is created on first use: it must not exist when the server forks.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._bucket_name, self._prefix = gs_parts(url)
        self._lock = threading.Lock()
        self._client: Client | None = None

    def create(
        self,
        name: str,
        data: bytes,
        content_type: str = "application/octet-stream",
        cache_control: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Stat:
        blob = self._new_blob(name, cache_control, metadata)
        written = self._upload("create", blob, 0, data, content_type)
        if written is None:
            raise ObjectExists(name)
        return written

    def replace(
        self,
        name: str,
        generation: int,
        data: bytes,
        content_type: str = "application/octet-stream",
        cache_control: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Stat:
        blob = self._new_blob(name, cache_control, metadata)
        written = self._upload("replace", blob, generation, data, content_type)
        if written is None:
            raise ObjectNotFound(name, generation)
        return written

    def read(
        self,
        name: str,
        generation: int | None = None,
        start: int = 0,
        most: int | None = None,
        end: int | None = None,
    ) -> bytes:
        check_range(start, end)
        bucket = self._blob(name).bucket
        # After _blob(): threads that import the client in parallel must all start in _translated().
        from clipsearch.storage.gcs_reading import ReadBlob, Reader

        blob = ReadBlob(self._prefix + name, bucket, generation=generation)
        reader = Reader(blob, name, {"timeout": TIMEOUT_S, "retry": _retry()})
        with self._translated("read", name, generation):
            return reader.read(start, most, end)

    def read_into(self, name: str, buffer: memoryview) -> int:
        if not buffer:
            return 0
        blob, end = self._blob(name), len(buffer) - 1
        from google.api_core.exceptions import RequestRangeNotSatisfiable

        from clipsearch.storage.gcs_reading import Filling

        target = Filling(buffer)
        with self._translated("read", name):
            try:
                blob.download_to_file(target, end=end, timeout=TIMEOUT_S, retry=_retry())
            except RequestRangeNotSatisfiable:
                if target.tell():
                    raise
                # The object is empty.
        return target.tell()

    def download(self, name: str, path: Path) -> None:
        blob = self._blob(name)
        with self._translated("download", name):
            blob.download_to_filename(str(path), timeout=TIMEOUT_S, retry=_retry())

    def stat(self, name: str) -> Stat:
        return self._stat_of(self._reloaded(name))

    def list(self, prefix: str = "", start: str = "") -> Iterator[Stat]:
        with self._translated("list", prefix):
            for blob in self._connected().list_blobs(
                self._bucket_name,
                prefix=self._prefix + prefix,
                start_offset=self._prefix + start,
                fields=_LISTED,
                timeout=TIMEOUT_S,
                retry=_retry(),
            ):
                yield self._stat_of(blob)

    def delete(self, name: str, generation: int | None = None) -> None:
        from google.api_core.exceptions import PreconditionFailed

        blob = self._blob(name)
        with (
            suppress(ObjectNotFound),
            self._translated("delete", name),
            suppress(PreconditionFailed),
        ):
            # Not blob.generation: in a versioned bucket that would delete an old version.
            blob.delete(if_generation_match=generation, timeout=TIMEOUT_S, retry=_retry())

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _connected(self) -> Client:
        from google.cloud.storage import Client
        from requests.adapters import HTTPAdapter

        with self._lock:
            if self._client is None:
                os.environ.setdefault(*_NO_METADATA)
                client = Client()
                for scheme in ("https://", "http://"):
                    client._http.mount(scheme, HTTPAdapter(pool_maxsize=CONNECTIONS))
                self._client = client
            return self._client

    def _blob(self, name: str, generation: int | None = None) -> Blob:
        check_name(name)
        with self._translated("connect for", name):
            bucket = self._connected().bucket(self._bucket_name)
        return bucket.blob(self._prefix + name, generation=generation)

    def _new_blob(
        self, name: str, cache_control: str | None, metadata: Mapping[str, str] | None
    ) -> Blob:
        check_name(name)
        if "\r" in name or "\n" in name:
            raise BadObjectName(name, "Cloud Storage does not allow line breaks")
        if len((self._prefix + name).encode()) > MAX_NAME_BYTES:
            reason = f"with the prefix {self._prefix!r} it has more than {MAX_NAME_BYTES} bytes"
            raise BadObjectName(name, reason)
        blob = self._blob(name)
        blob.cache_control = cache_control
        if metadata:
            blob.metadata = dict(metadata)
        return blob

    def _upload(
        self, operation: str, blob: Blob, over: int, data: bytes, content_type: str
    ) -> Stat | None:
        """Overwrite generation `over` (0: must not exist); None on a generation mismatch."""
        from google.api_core.exceptions import PreconditionFailed

        name = blob.name.removeprefix(self._prefix)
        with self._translated(operation, name):
            try:
                blob.upload_from_string(
                    data, content_type, if_generation_match=over, timeout=TIMEOUT_S, retry=_retry()
                )
            except PreconditionFailed:
                # Our own first attempt may have succeeded, with its reply lost.
                return self._identical(name, data)
        return self._stat_of(blob)

    def _reloaded(self, name: str, operation: str = "stat") -> Blob:
        blob = self._blob(name)
        with self._translated(operation, name):
            blob.reload(timeout=TIMEOUT_S, retry=_retry())
        return blob

    def _identical(self, name: str, data: bytes) -> Stat | None:
        """The Stat of the object if it already holds `data`, otherwise None."""
        stat = self._stat_of(self._reloaded(name, "compare"))
        return stat if holds(self, stat, data) else None

    def _stat_of(self, blob: Blob) -> Stat:
        return Stat(
            name=blob.name.removeprefix(self._prefix),
            generation=int(blob.generation),
            size=int(blob.size or 0),
            content_type=blob.content_type,
            updated=blob.updated,
            crc32c=blob.crc32c,
        )

    def _translated(
        self, operation: str, name: str, generation: int | None = None
    ) -> AbstractContextManager[None]:
        from clipsearch.storage.gcs_errors import translated

        return translated(operation, name, generation, self.url)


def _retry() -> Retry:
    from google.cloud.storage.retry import DEFAULT_RETRY

    policy: Any = DEFAULT_RETRY.with_timeout(RETRY_S)
    retry: Retry = policy.with_delay(initial=FIRST_WAIT_S, maximum=LONGEST_WAIT_S, multiplier=2.0)
    return retry
