"""The Hugging Face hub in this process: the requests of a model download.

Requests and answers follow https://huggingface.co/docs/hub/api and
huggingface_hub.file_download (X-Repo-Commit, X-Error-Code).
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from tests.support.http_double import Handler, HttpDouble

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class HubDouble(HttpDouble):
    """A server on a free port; `url` is the value for HF_ENDPOINT.

    `folders` has a folder for each model's id; `gated` has the ids with refused files.
    `status`, if set, is the answer to everything; `requests` lists the requests: ("GET", path).
    """

    def __init__(self) -> None:
        self.folders: dict[str, Path] = {}
        self.gated: set[str] = set()
        self.status = 0
        self.requests: list[tuple[str, str]] = []
        super().__init__(_Handler)

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        if self.status:
            return self.status, {}, b""
        if api := re.fullmatch(r"/api/models/(.+?)(?:/revision/[^/]+)?", path):
            return self._model(api[1])
        if file := re.fullmatch(r"/(.+)/resolve/([^/]+)/(.+)", path):
            return self._file(*file.groups())
        return 404, {}, b""

    def _model(self, model: str) -> tuple[int, dict[str, str], bytes]:
        if model not in self.folders:  # the hub answers 401 without a login
            return 401, {"X-Error-Code": "RepoNotFound"}, b""
        names = sorted(path.name for path in self.folders[model].iterdir())
        document = {
            "id": model,
            "sha": COMMIT,
            "siblings": [{"rfilename": name} for name in [".gitattributes", *names]],
        }
        return 200, {"Content-Type": "application/json"}, json.dumps(document).encode()

    def _file(self, model: str, revision: str, name: str) -> tuple[int, dict[str, str], bytes]:
        if model in self.gated:
            return 401, {"X-Error-Code": "GatedRepo"}, b""
        path = self.folders[model] / name
        if revision not in ("main", COMMIT) or not path.is_file():
            return 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT}, b""
        data = path.read_bytes()
        headers = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": COMMIT}
        return 200, headers, data


class _Handler(Handler):
    def do_GET(self) -> None:
        double: HubDouble = self.double
        path = self.path.split("?")[0]
        double.requests.append((self.command, path))
        status, headers, data = double.answer(path)
        self.send(status, data, headers)

    do_HEAD = do_GET
