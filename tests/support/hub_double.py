"""The Hugging Face hub in this process: what its client asks for to download a model.

The shapes of requests and answers follow https://huggingface.co/docs/hub/api and
huggingface_hub.file_download (X-Repo-Commit, X-Error-Code).
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class HubDouble:
    """A server on a free port; `url` is what HF_ENDPOINT must be.

    `folders` has a folder for each model's id; `gated` the ids whose files nobody may have.
    `status`, if set, answers everything; `requests` lists what was asked: ("GET", path).
    """

    def __init__(self) -> None:
        self.folders: dict[str, Path] = {}
        self.gated: set[str] = set()
        self.status = 0
        self.requests: list[tuple[str, str]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.double = self  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        """After this, connections are refused."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        if self.status:
            return self.status, {}, b""
        if api := re.fullmatch(r"/api/models/(.+?)(?:/revision/[^/]+)?", path):
            return self._model(api[1])
        if file := re.fullmatch(r"/(.+)/resolve/([^/]+)/(.+)", path):
            return self._file(*file.groups())
        return 404, {}, b""

    def _model(self, model: str) -> tuple[int, dict[str, str], bytes]:
        if model not in self.folders:  # the hub says 401 to those who are not logged in
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


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        double: HubDouble = self.server.double  # type: ignore[attr-defined]
        path = self.path.split("?")[0]
        double.requests.append((self.command, path))
        status, headers, data = double.answer(path)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass
