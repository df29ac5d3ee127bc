"""The web server of the local stack: the page at /, photos and thumbnails below it.

In the cloud these three are public objects in buckets; here they are files in folders.
"""

from __future__ import annotations

import http.server
import mimetypes
import os
import shutil
import socketserver
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

# What the system's table may lack or may have wrong (Windows' registry, a bare container).
CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".heic": "image/heic",
    ".heif": "image/heif",
}


class StaticServer(socketserver.ThreadingTCPServer):
    """Serves `folders` (address prefix such as "/photos/" → folder; "/" is the site) and
    `generated` (path → text) until `close`; pages carry the Content-Security-Policy `policy`.
    Binding happens here: OSError when the port is taken.
    """

    # not http.server.HTTPServer: that one asks the DNS for the machine's name, and may hang
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        host: str,
        port: int,
        folders: Mapping[str, Path],
        generated: Mapping[str, str],
        policy: str,
    ) -> None:
        super().__init__((host, port), _Handler)
        # the longest prefix first, so that "/" is asked last
        self.folders = sorted(folders.items(), key=lambda item: -len(item[0]))
        self.generated = generated
        self.policy = policy
        # 0.05: seconds that close() may have to wait
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # a browser that went away is no news
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: StaticServer
    protocol_version = "HTTP/1.1"
    timeout = 60  # seconds an idle connection is kept

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal belongs to the stack's own lines."""

    def _answer(self) -> None:
        path = urlsplit(self.path).path
        if path == "/":
            path = "/index.html"
        if path in self.server.generated:
            self._send_text(path, self.server.generated[path])
            return
        for prefix, folder in self.server.folders:
            if path.startswith(prefix):
                self._send_file(find(folder, path.removeprefix(prefix)), is_site=prefix == "/")
                return
        self.send_error(HTTPStatus.NOT_FOUND)

    def _send_text(self, path: str, text: str) -> None:
        data = text.encode()
        self._send_head(content_type(path, is_site=True), len(data), etag=None)
        if self.command != "HEAD":
            self.wfile.write(data)

    def _send_file(self, file: Path | None, is_site: bool) -> None:
        opened: BinaryIO | None = None
        if file is not None:
            with suppress(OSError):  # gone since, or not readable
                opened = file.open("rb")
        if file is None or opened is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        with opened:
            stat = os.fstat(opened.fileno())
            etag = f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"'
            if self.headers.get("If-None-Match") == etag:
                self.send_response(HTTPStatus.NOT_MODIFIED)
                self.send_header("ETag", etag)
                self.end_headers()
                return
            self._send_head(content_type(file.name, is_site), stat.st_size, etag)
            if self.command != "HEAD":
                shutil.copyfileobj(opened, self.wfile)

    def _send_head(self, type_: str, size: int, etag: str | None) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", type_)
        self.send_header("Content-Length", str(size))
        # a photo may be replaced under its name: ask again, and take 304 for an answer
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        if type_.startswith("text/html"):
            self.send_header("Content-Security-Policy", self.server.policy)
        if etag:
            self.send_header("ETag", etag)
        self.end_headers()


def find(folder: Path, quoted_name: str) -> Path | None:
    """The file in `folder` that `quoted_name` (percent-encoded) names; None when there is none.

    Hidden files are none, and neither is what a link leads to outside of `folder`.
    """
    try:
        parts = unquote(quoted_name, errors="strict").split("/")
    except UnicodeDecodeError:
        return None
    if any(not part or part.startswith(".") or "\0" in part for part in parts):
        return None
    try:
        file = folder.joinpath(*parts).resolve(strict=True)
    except OSError:
        return None
    return file if file.is_file() and file.is_relative_to(folder.resolve()) else None


def content_type(name: str, is_site: bool) -> str:
    """What to call a file. Of a person's own folder only pictures are shown in the browser:
    a page found among the photos must not run in our origin."""
    type_ = CONTENT_TYPES.get(Path(name).suffix.lower()) or mimetypes.guess_type(name)[0]
    if type_ is None or not (is_site or (type_.startswith("image/") and "svg" not in type_)):
        return "application/octet-stream"
    return type_
