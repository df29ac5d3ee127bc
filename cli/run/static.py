"""The web server of the local stack: the page at /, photos, thumbnails and the search below it.

In the cloud these are public objects in buckets, and a function. Here they are files in folders,
and the search function on this machine.
"""

from __future__ import annotations

import http.server
import mimetypes
import os
import shutil
import socket
import socketserver
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from cli.run.proxy import forward

SEARCH = "/search"  # the search function's / is here

# The table of the system may lack these or have them wrong, as in a bare container.
CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".heic": "image/heic",
    ".heif": "image/heif",
}


class StaticServer(socketserver.ThreadingTCPServer):
    """Serves `folders` and `generated` until `close`. OSError if the port is taken.

    `host`: an IP address. `folders`: path prefix such as "/photos/" → folder; "/" is the site.
    `generated`: path → text, which may change. `policy`: the Content-Security-Policy of pages.
    `search_url`: answers the requests below SEARCH, without a slash at its end; "" for none.
    `names`: the host names it answers to, with the name in the answers' URLs first; none for any.
    """

    # Not http.server.HTTPServer: it asks the DNS for the machine's name, and may hang.
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
        search_url: str = "",
        names: Sequence[str] = (),
    ) -> None:
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), _Handler)
        # longest prefix first, "/" last
        self.folders = sorted(folders.items(), key=lambda item: -len(item[0]))
        self.generated = generated
        self.policy = policy
        self.search_url = search_url
        self.port: int = self.server_address[1]
        self.names = names
        # 0.05: seconds between two looks for close()
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # a browser closed the connection
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: StaticServer
    protocol_version = "HTTP/1.1"
    timeout = 60  # seconds an idle connection is kept

    def do_GET(self) -> None:
        if self._is_for_us() and not self._is_search():
            self._answer()

    do_HEAD = do_GET

    def do_POST(self) -> None:
        if self._is_for_us() and not self._is_search():
            self.send_error(HTTPStatus.NOT_IMPLEMENTED)

    do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_POST

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the terminal shows what happens to the photos."""

    def _is_for_us(self) -> bool:
        """False after a refusal. A website may point its own name at this machine to read the
        photos (DNS rebinding); the browser then sends that name."""
        host = self.headers.get("Host", "").lower()
        name, port = host[: host.rfind("]") + 1] or host.partition(":")[0], self.server.port
        names = self.server.names
        if names and host == f"localhost:{port}" and names[0] != "localhost":
            # The URLs in answers name one origin, and a page sees only its own.
            self.send_response(HTTPStatus.TEMPORARY_REDIRECT)
            self.send_header("Location", f"http://{names[0]}:{port}/{self.path.lstrip('/')}")
            self.send_header("Content-Length", "0")
            self.send_header("Connection", "close")  # the body of a form is unread
            self.end_headers()
            return False
        if not names or name in names:
            return True
        what = f"host {name!r} is not served here; allowed: {', '.join(names)}; see --host"
        self.send_error(HTTPStatus.MISDIRECTED_REQUEST, explain=what)
        return False

    def _is_search(self) -> bool:
        """Whether it was a request to the search, which is then answered."""
        rest = self.path.removeprefix(SEARCH)
        is_search = self.path.startswith(SEARCH) and rest[:1] in ("", "/", "?")
        if is_search and self.server.search_url:
            forward(self, self.server.search_url, rest if rest[:1] == "/" else f"/{rest}")
            return True
        return False

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
            with suppress(OSError):  # removed meanwhile, or not readable
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
        # A photo may change under its name: the browser asks again, and gets 304.
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        if type_.startswith("text/html"):
            self.send_header("Content-Security-Policy", self.server.policy)
        if etag:
            self.send_header("ETag", etag)
        self.end_headers()


def find(folder: Path, quoted_name: str) -> Path | None:
    """The file in `folder` with the percent-encoded name `quoted_name`; None if there is none.

    Hidden files and links that lead out of `folder` are not found.
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
    """The Content-Type of a file. The browser shows only pictures of the photos folder: an HTML
    file among the photos must not run in our origin."""
    type_ = CONTENT_TYPES.get(Path(name).suffix.lower()) or mimetypes.guess_type(name)[0]
    if type_ is None or not (is_site or (type_.startswith("image/") and "svg" not in type_)):
        return "application/octet-stream"
    return type_
