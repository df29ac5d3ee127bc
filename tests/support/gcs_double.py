"""Cloud Storage's JSON API in this process: the calls that the storage client makes for us.

It keeps the guarantees that the index needs (preconditions, strong consistency, growing
generations, listing by name in pages) and can fail on request. Requests and answers follow https://cloud.google.com/storage/docs/json_api/v1/objects.
"""

from __future__ import annotations

import base64
import gc
import hashlib
import itertools
import json
import re
import threading
import time
import warnings
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import google_crc32c
import pytest

from tests.support.http_double import Handler, HttpDouble

# Faults: execute the request, but then
LOST = "lost"  # break the connection instead of answering,
CUT = "cut"  # break it in the middle of the body,
SHORT = "short"  # or send half of the body with the length of a whole one.
_ROUTE = re.compile(r"(/upload|/download)?/storage/v1/b/([^/]+)/o(?:/(.*))?")


@dataclass(frozen=True)
class StoredObject:
    """One generation of one object."""

    data: bytes
    generation: int
    content_type: str | None
    cache_control: str | None
    updated: datetime
    metadata: Mapping[str, str] | None = None
    content_encoding: str | None = None
    checksums_of: bytes | None = None  # None: detected from the data
    refusal: int | None = None  # the status of answers to reads of the data

    @property
    def crc32c(self) -> str:
        return _crc32c(self.data if self.checksums_of is None else self.checksums_of)

    @property
    def md5(self) -> str:
        return _md5(self.data if self.checksums_of is None else self.checksums_of)


class Refused(Exception):
    """Turned into an error answer of the API."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class CloudStorageDouble(HttpDouble):
    """A server on a free port of 127.0.0.1; `url` is the value for STORAGE_EMULATOR_HOST.

    Each of the next requests uses up one of `faults`: a status to answer with before doing
    anything, LOST, CUT or SHORT; None for no fault. `requests` lists the requests: ("GET",
    "/storage/v1/b/…?…").
    """

    def __init__(self, *buckets: str, page_size: int = 1000) -> None:
        self.page_size = page_size
        self.faults: deque[int | str | None] = deque()
        self.requests: list[tuple[str, str]] = []
        self._objects: dict[str, dict[str, StoredObject]] = {name: {} for name in buckets}
        self._sessions: dict[str, tuple[str, dict[str, Any], Mapping[str, str], bytearray]] = {}
        self._lock = threading.RLock()
        self._generations = itertools.count(time.time_ns() // 1000)
        super().__init__(_Handler)

    def put(self, bucket: str, name: str, data: bytes, **properties: str) -> StoredObject:
        """Overwrite, like an upload without preconditions."""
        return self.insert(bucket, {"name": name, **properties}, data, {})

    def damage(self, bucket: str, name: str, data: bytes) -> None:
        """From now on a read returns these bytes, with the checksums of the original ones."""
        with self._lock:
            true = self._objects[bucket][name]
            self._objects[bucket][name] = replace(true, data=data, checksums_of=true.data)

    def refuse(self, bucket: str, name: str, status: int | None) -> None:
        """From now on refuse reads of this object's data (None: allow them again). Its metadata
        stays readable."""
        with self._lock:
            self._objects[bucket][name] = replace(self._objects[bucket][name], refusal=status)

    @contextmanager
    def without(self, bucket: str) -> Iterator[None]:
        """Inside, the bucket does not exist."""
        objects = self._objects.pop(bucket)
        yield
        self._objects[bucket] = objects

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Inside, the server accepts requests and never answers."""
        with self._lock:
            yield

    # The methods of the API. Each is one atomic step.

    def insert(
        self, bucket: str, resource: Mapping[str, Any], data: bytes, query: Mapping[str, str]
    ) -> StoredObject:
        name = resource["name"]
        forbidden = name in ("", ".", "..") or "\r" in name or "\n" in name
        if forbidden or len(name.encode()) > 1024:
            raise Refused(400, f"Invalid object name: {name!r}")
        if resource.get("crc32c", _crc32c(data)) != _crc32c(data):
            raise Refused(400, "Provided CRC32C does not match the calculated one")
        with self._lock:
            objects = self._bucket(bucket)
            _check_precondition(objects.get(name), query)
            objects[name] = StoredObject(
                data=data,
                generation=next(self._generations),
                content_type=resource.get("contentType"),
                cache_control=resource.get("cacheControl"),
                content_encoding=resource.get("contentEncoding"),
                updated=datetime.now(UTC),
                metadata=resource.get("metadata"),
            )
            return objects[name]

    def get(self, bucket: str, name: str, query: Mapping[str, str]) -> StoredObject:
        with self._lock:
            found = self._bucket(bucket).get(name)
            if found is None or query.get("generation") not in (None, str(found.generation)):
                raise Refused(404, f"No such object: {bucket}/{name}")
            _check_precondition(found, query)
            return found

    def delete(self, bucket: str, name: str, query: Mapping[str, str]) -> None:
        with self._lock:
            self.get(bucket, name, query)
            del self._objects[bucket][name]

    def list(self, bucket: str, query: Mapping[str, str]) -> dict[str, Any]:
        begin = query.get("startOffset", "").encode()
        after = base64.b64decode(query.get("pageToken", ""))
        with self._lock:
            objects = self._bucket(bucket)
            names = sorted(
                name
                for name in objects
                if name.startswith(query.get("prefix", ""))
                and name.encode() >= begin
                and name.encode() > after
            )
            size = min(self.page_size, int(query.get("maxResults", self.page_size)))
            page = {"items": [resource_of(bucket, n, objects[n]) for n in names[:size]]}
        if len(names) > size:
            token = base64.b64encode(names[size - 1].encode()).decode()
            return {**page, "nextPageToken": token}
        return page

    def begin_upload(self, bucket: str, resource: dict[str, Any], query: Mapping[str, str]) -> str:
        with self._lock:
            _check_precondition(self._bucket(bucket).get(resource["name"]), query)
            session = f"session-{len(self._sessions)}"
            self._sessions[session] = bucket, resource, query, bytearray()
            return f"{self.url}/upload/storage/v1/b/{bucket}/o?upload_id={session}"

    def continue_upload(
        self, session: str, content_range: str, data: bytes
    ) -> tuple[str, StoredObject] | int:
        """The finished object with its name, or the number of bytes received so far."""
        bucket, resource, query, received = self._sessions[session]
        received += data
        if content_range.endswith(f"/{len(received)}"):
            return resource["name"], self.insert(bucket, resource, bytes(received), query)
        return len(received)

    def _bucket(self, name: str) -> dict[str, StoredObject]:
        if name not in self._objects:
            raise Refused(404, f"The specified bucket does not exist: {name}")
        return self._objects[name]


@contextmanager
def cloud_storage(
    monkeypatch: pytest.MonkeyPatch, *buckets: str, page_size: int = 1000
) -> Iterator[CloudStorageDouble]:
    """The double instead of the real service, for one test."""
    # Google's client does not close the connection after a refused download. pytest removes the
    # filter at the end of the test.
    warnings.filterwarnings("ignore", "unclosed <socket", ResourceWarning)
    double = CloudStorageDouble(*buckets, page_size=page_size)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", double.url)
    gc.freeze()  # the search below may skip older objects
    yield double
    double.close()
    gc.collect()  # while the filter still ignores those connections
    gc.unfreeze()


def resource_of(bucket: str, name: str, stored: StoredObject) -> dict[str, Any]:
    """The object resource of the JSON API, with int64 as strings."""
    resource = {
        "kind": "storage#object",
        "bucket": bucket,
        "name": name,
        "generation": str(stored.generation),
        "metageneration": "1",
        "size": str(len(stored.data)),
        "crc32c": stored.crc32c,
        "md5Hash": stored.md5,
        "updated": f"{stored.updated:%Y-%m-%dT%H:%M:%S.%fZ}",
        "timeCreated": f"{stored.updated:%Y-%m-%dT%H:%M:%S.%fZ}",
        "contentType": stored.content_type,
        "cacheControl": stored.cache_control,
        "contentEncoding": stored.content_encoding,
        "metadata": stored.metadata,
    }
    return {key: value for key, value in resource.items() if value is not None}


class _Handler(Handler):
    def _serve(self) -> None:
        double: CloudStorageDouble = self.double
        double.requests.append((self.command, self.path))
        body = self.body()
        fault = double.faults.popleft() if double.faults else None
        try:
            if isinstance(fault, int):
                raise Refused(fault, "a fault that the test set")
            status, headers, content = self._answer(double, body)
        except Refused as refusal:
            status, headers = refusal.status, {"Content-Type": "application/json"}
            content = _json({"error": {"code": status, "message": str(refusal)}})
        if fault == LOST:
            self.close_connection = True
            return
        if fault == SHORT:
            content = content[: len(content) // 2]
        if fault == CUT:
            self.close_connection = True
            headers = {**headers, "Content-Length": str(len(content))}
            content = content[: len(content) // 2]
        self.send(status, content, headers)

    do_GET = do_POST = do_PUT = do_DELETE = _serve

    def _answer(
        self, double: CloudStorageDouble, body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        address = urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(address.query).items()}
        route = _ROUTE.fullmatch(address.path)
        if route is None:
            raise Refused(501, f"the double does not know {self.command} {self.path}")
        service, bucket, name = route[1], unquote(route[2]), unquote(route[3] or "")
        if service == "/upload":
            return self._upload(double, bucket, query, body)
        if self.command == "DELETE":
            double.delete(bucket, name, query)
            return 204, {}, b""
        if not name:
            return 200, {"Content-Type": "application/json"}, _json(double.list(bucket, query))
        stored = double.get(bucket, name, query)
        if query.get("alt") != "media":
            return _resource_answer(bucket, name, stored)
        if stored.refusal:
            raise Refused(stored.refusal, "refused by the test")
        checksums = f"crc32c={stored.crc32c},md5={stored.md5}"
        headers = {"X-Goog-Generation": str(stored.generation), "X-Goog-Hash": checksums}
        headers["Content-Type"] = stored.content_type or ""
        # The client always accepts gzip, so the stored bytes are sent as they are.
        if stored.content_encoding:
            headers["Content-Encoding"] = stored.content_encoding
            headers["X-Goog-Stored-Content-Encoding"] = stored.content_encoding
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked is None:
            return 200, headers, stored.data
        start, end = int(asked[1]), int(asked[2] or len(stored.data)) + 1
        if start >= len(stored.data):
            raise Refused(416, "The requested range cannot be satisfied.")
        part = stored.data[start:end]
        headers["Content-Range"] = f"bytes {start}-{start + len(part) - 1}/{len(stored.data)}"
        return 206, headers, part

    def _upload(
        self, double: CloudStorageDouble, bucket: str, query: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        if self.command == "PUT":
            content_range = self.headers["Content-Range"]
            done = double.continue_upload(query["upload_id"], content_range, body)
            if isinstance(done, int):
                return 308, {"Range": f"bytes=0-{done - 1}"} if done else {}, b""
            return _resource_answer(bucket, *done)
        if query["uploadType"] == "resumable":
            resource = json.loads(body)
            resource.setdefault("contentType", self.headers["X-Upload-Content-Type"])
            return 200, {"Location": double.begin_upload(bucket, resource, query)}, b""
        resource, data = _multipart(self.headers["Content-Type"], body)
        stored = double.insert(bucket, resource, data, query)
        return _resource_answer(bucket, resource["name"], stored)


def _resource_answer(
    bucket: str, name: str, stored: StoredObject
) -> tuple[int, Mapping[str, str], bytes]:
    resource = _json(resource_of(bucket, name, stored))
    return 200, {"Content-Type": "application/json"}, resource


def _multipart(content_type: str, body: bytes) -> tuple[dict[str, Any], bytes]:
    """The two parts of a multipart/related upload: the resource and the data."""
    found = re.search('boundary="?([^";]+)', content_type)
    assert found, content_type
    boundary = b"--" + found[1].encode()
    first, second = body.split(boundary)[1:3]
    resource = json.loads(first.split(b"\r\n\r\n", 1)[1])
    headers, data = second.split(b"\r\n\r\n", 1)
    part_type = re.search(rb"content-type: *([^\r\n]+)", headers, re.IGNORECASE)
    if part_type:
        resource.setdefault("contentType", part_type[1].decode())
    return resource, data.removesuffix(b"\r\n")


def _check_precondition(found: StoredObject | None, query: Mapping[str, str]) -> None:
    """ifGenerationMatch: 0 means that the object must not exist."""
    expected = query.get("ifGenerationMatch")
    if expected is not None and int(expected) != (found.generation if found else 0):
        message = "At least one of the pre-conditions you specified did not hold."
        raise Refused(412, message)


def _crc32c(data: bytes) -> str:
    return base64.b64encode(google_crc32c.value(data).to_bytes(4, "big")).decode()


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
