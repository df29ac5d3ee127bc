"""The Hugging Face hub in this process: what its client asks for to download a model.

The shapes of requests and answers follow https://huggingface.co/docs/hub/api and
huggingface_hub.file_download (X-Repo-Commit, X-Linked-Etag, X-Error-Code). Weights are in LFS, as
at the hub: their address leads on to another one, which gives ranges.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import huggingface_hub
import pytest
from huggingface_hub import constants

from tests.support.http_double import Handler, HttpDouble

COMMIT = "0123456789abcdef0123456789abcdef01234567"
IN_LFS = (".safetensors", ".bin", ".h5", ".msgpack")
CHUNK = 1 << 16  # bytes

Answer = tuple[int, dict[str, str], bytes]


class HubDouble(HttpDouble):
    """A server on a free port; `url` is what HF_ENDPOINT must be.

    `folders` has a folder for each model's id; `gated` the ids whose files nobody may have.
    `status`, if set, answers everything; `requests` lists what was asked: ("GET", path).

    Of weights: `cuts` says after how many bytes each of the next answers breaks off, `lies` has
    the names of the files that have other bytes than their digest, `pause` is in seconds for each
    64 KB. `has_ranges` and `has_digests` False: a poor mirror. `etag`, if set, is that of all
    weights. `sent` lists (name, first byte, bytes) of each answer, `tokens` (path, token) of each
    request with one.
    """

    def __init__(self) -> None:
        self.folders: dict[str, Path] = {}
        self.gated: set[str] = set()
        self.status = 0
        self.requests: list[tuple[str, str]] = []
        self.cuts: list[int] = []
        self.lies: set[str] = set()
        self.pause = 0.0
        self.has_ranges = True
        self.has_digests = True
        self.etag: str | None = None
        self.sent: list[tuple[str, int, int]] = []
        self.tokens: list[tuple[str, str]] = []
        super().__init__(_Handler)
        self.lfs_url = f"http://localhost:{self.port}/lfs"  # another host than `url`

    def answer(self, path: str, query: str) -> Answer:
        if self.status:
            return self.status, {}, b""
        if api := re.fullmatch(r"/api/models/(.+?)(?:/revision/([^/]+))?", path):
            return self._model(api[1], api[2] or "main", "blobs" in parse_qs(query))
        if file := re.fullmatch(r"/(.+)/resolve/([^/]+)/(.+)", path):
            return self._file(*file.groups())
        return 404, {}, b""

    def _model(self, model: str, revision: str, has_metadata: bool) -> Answer:
        if model not in self.folders:  # the hub says 401 to those who are not logged in
            return 401, {"X-Error-Code": "RepoNotFound"}, b""
        if revision not in ("main", COMMIT):
            return 404, {"X-Error-Code": "RevisionNotFound"}, b""
        siblings: list[dict[str, object]] = [{"rfilename": ".gitattributes"}]
        for file in sorted(self.folders[model].iterdir()):
            siblings.append({"rfilename": file.name})
            if has_metadata and self.has_digests:
                siblings[-1] |= _metadata(file)
        document = {"id": model, "sha": COMMIT, "siblings": siblings}
        return 200, {"Content-Type": "application/json"}, json.dumps(document).encode()

    def _file(self, model: str, revision: str, name: str) -> Answer:
        if model in self.gated:
            return 401, {"X-Error-Code": "GatedRepo"}, b""
        if revision not in ("main", COMMIT):
            return 404, {"X-Error-Code": "RevisionNotFound"}, b""
        path = self.folders[model] / name
        commit = {"X-Repo-Commit": COMMIT}
        if not path.is_file():
            return 404, {"X-Error-Code": "EntryNotFound", **commit}, b""
        data = path.read_bytes()
        if not name.endswith(IN_LFS):
            return 200, {"ETag": f'"{hashlib.sha1(data).hexdigest()}"', **commit}, data
        etag = hashlib.sha256(data).hexdigest() if self.has_digests else f"no-digest-{len(data)}"
        etag = etag if self.etag is None else self.etag
        linked = {"X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(len(data))}
        return 302, {"Location": f"{self.lfs_url}/{model}/{name}", **linked, **commit}, b""


def _metadata(file: Path) -> dict[str, object]:
    data = file.read_bytes()
    found: dict[str, object] = {"size": len(data), "blobId": hashlib.sha1(data).hexdigest()}
    if file.name.endswith(IN_LFS):
        sha256 = hashlib.sha256(data).hexdigest()
        found["lfs"] = {"sha256": sha256, "size": len(data), "pointerSize": 134}
    return found


@contextmanager
def hub_of_this_process(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Iterator[HubDouble]:
    """A double that the client in this process takes for the hub, with `cache` for its files."""
    double = HubDouble()
    # The client reads its environment at import, so a running one is told by its constants.
    files = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, double.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", files)
    monkeypatch.setattr(constants, "ENDPOINT", double.url)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    yield double
    huggingface_hub.close_session()
    double.close()


class _Handler(Handler):
    def do_GET(self) -> None:
        double: HubDouble = self.double
        address = urlsplit(self.path)
        double.requests.append((self.command, address.path))
        if token := self.headers.get("Authorization"):
            double.tokens.append((address.path, token))
        if lfs := re.fullmatch(r"/lfs/(.+)/([^/]+)", address.path):
            self._send_weights(double.folders[lfs[1]] / lfs[2])
            return
        status, headers, data = double.answer(address.path, address.query)
        self.send(status, data, headers)

    do_HEAD = do_GET

    def _send_weights(self, file: Path) -> None:
        double: HubDouble = self.double
        data = file.read_bytes()
        if file.name in double.lies:
            data = bytes(len(data))
        range_ = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(range_[1]) if range_ and double.has_ranges else 0
        if start and start >= len(data):
            self.send(416, b"")
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        cut = double.cuts.pop(0) if double.cuts else len(data)
        data = data[start : start + cut]
        double.sent.append((file.name, start, len(data)))
        for chunk in range(0, len(data), CHUNK):
            self.wfile.write(data[chunk : chunk + CHUNK])
            time.sleep(double.pause)
        if cut < file.stat().st_size - start:
            self.wfile.flush()
            self.close_connection = True
