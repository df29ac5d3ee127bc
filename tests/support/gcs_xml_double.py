"""Cloud Storage's XML API in this process: the calls that Lance makes.

Requests and answers follow https://cloud.google.com/storage/docs/xml-api/reference-methods. It
keeps preconditions and atomic writes. `requests` lists the requests: ("PUT", "/bucket/name?…").
`created`: what was written with "must not exist", by /bucket/name.
"""

from __future__ import annotations

import email.utils
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest

from tests.support.http_double import Handler, HttpDouble

WRITTEN = "2026-03-01T12:00:00.000Z"


class XmlStorageDouble(HttpDouble):
    def __init__(self) -> None:
        self.requests: list[tuple[str, str]] = []
        self.objects: dict[str, tuple[bytes, int]] = {}  # data and generation, by /bucket/name
        self.created: set[str] = set()
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.lock = threading.RLock()
        super().__init__(_Handler)

    def put(self, path: str, data: bytes, expected: str | None) -> int | None:
        """The new generation; None if the precondition fails."""
        with self.lock:
            there = self.objects.get(path, (b"", 0))[1]
            if expected is not None and int(expected) != there:
                return None
            self.objects[path] = data, there + 1
            if expected == "0":
                self.created.add(path)
            return there + 1


@contextmanager
def xml_storage(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[XmlStorageDouble]:
    """The double instead of the real service, for Lance in this process."""
    double = XmlStorageDouble()
    key = {"gcs_base_url": double.url, "disable_oauth": True, "client_email": "", "private_key": ""}
    file = folder / "key.json"
    file.write_text(json.dumps({**key, "private_key_id": ""}))
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", str(file))
    monkeypatch.setenv("GOOGLE_ALLOW_HTTP", "true")
    yield double
    double.close()


class _Handler(Handler):
    def _serve(self) -> None:
        double: XmlStorageDouble = self.double
        double.requests.append((self.command, self.path))
        body = self.body()
        address = urlsplit(self.path)
        path = unquote(address.path)
        query = {k: v[-1] for k, v in parse_qs(address.query, keep_blank_values=True).items()}
        getattr(self, f"_{self.command.lower()}")(double, path, query, body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve

    def _put(self, double, path, query, body):
        if "partNumber" in query:
            double.uploads[query["uploadId"]][int(query["partNumber"])] = body
            self.send(200, b"", {"ETag": f'"part-{query["partNumber"]}"'})
            return
        if source := self.headers.get("x-goog-copy-source"):
            body = double.objects["/" + unquote(source).lstrip("/")][0]
        made = double.put(path, body, self.headers.get("x-goog-if-generation-match"))
        if made is None:
            self.send(412, b"<Error><Code>PreconditionFailed</Code></Error>")
        else:
            self.send(200, b"", {"ETag": f'"{made}"', "x-goog-generation": str(made)})

    def _post(self, double, path, query, body):
        if "uploads" in query:
            with double.lock:
                name = f"upload-{len(double.uploads)}"
                double.uploads[name] = {}
            answer = f"<InitiateMultipartUploadResult><UploadId>{name}</UploadId>"
            self.send(200, f"{answer}</InitiateMultipartUploadResult>".encode())
            return
        parts = double.uploads[query["uploadId"]]
        made = double.put(path, b"".join(parts[number] for number in sorted(parts)), None)
        answer = f'<CompleteMultipartUploadResult><ETag>"{made}"</ETag>'
        self.send(200, f"{answer}</CompleteMultipartUploadResult>".encode())

    def _delete(self, double, path, query, body):
        with double.lock:
            gone = double.objects.pop(path, None)
        self.send(204 if gone else 404, b"")

    def _get(self, double, path, query, body):
        if path.count("/") == 1 or (path.endswith("/") and path.count("/") == 2):
            self.send(200, self._listed(double, path.strip("/"), query))
            return
        found = double.objects.get(path)
        if found is None:
            self.send(404, b"<Error><Code>NoSuchKey</Code></Error>")
            return
        data, generation = found
        headers = {
            "ETag": f'"{generation}"',
            "x-goog-generation": str(generation),
            "Last-Modified": email.utils.formatdate(1_772_366_400, usegmt=True),
        }
        asked = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if asked is None:
            self.send(200, data, headers)
            return
        start = int(asked[1]) if asked[1] else max(0, len(data) - int(asked[2]))
        end = int(asked[2]) + 1 if asked[1] and asked[2] else len(data)
        part = data[start:end]
        headers["Content-Range"] = f"bytes {start}-{start + len(part) - 1}/{len(data)}"
        self.send(206, part, headers)

    def _head(self, double, path, query, body):
        found = double.objects.get(path)
        self.send_response(200 if found else 404)
        data, generation = found or (b"", 0)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("ETag", f'"{generation}"')
        self.send_header("Last-Modified", email.utils.formatdate(1_772_366_400, usegmt=True))
        self.end_headers()

    def _listed(self, double, bucket, query) -> bytes:
        prefix, cut = query.get("prefix", ""), query.get("delimiter", "")
        begin = query.get("continuation-token") or query.get("start-after", "")
        folders, items = set(), []
        with double.lock:
            for path, (data, generation) in sorted(double.objects.items()):
                name = path.removeprefix(f"/{bucket}/")
                if name == path or not name.startswith(prefix) or name <= begin:
                    continue
                rest = name[len(prefix) :]
                if cut and cut in rest:
                    folders.add(prefix + rest.split(cut)[0] + cut)
                    continue
                items.append(
                    f"<Contents><Key>{escape(name)}</Key><Size>{len(data)}</Size>"
                    f'<LastModified>{WRITTEN}</LastModified><ETag>"{generation}"</ETag></Contents>'
                )
        common = "".join(
            f"<CommonPrefixes><Prefix>{escape(one)}</Prefix></CommonPrefixes>"
            for one in sorted(folders)
        )
        listed = "".join(items) + common
        whole = f"<IsTruncated>false</IsTruncated>{listed}"
        return f"<ListBucketResult>{whole}</ListBucketResult>".encode()
