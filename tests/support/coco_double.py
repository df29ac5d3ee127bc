"""images.cocodataset.org in this process, with the faults of a download."""

from __future__ import annotations

import io
import json
import re
import threading
import time
import zipfile
from collections import deque
from typing import Any

from tests.support.http_double import Handler, HttpDouble
from tests.support.pictures import picture

ARCHIVE = "/annotations/annotations_trainval2017.zip"

# Faults. A status, or a status with a Retry-After, is a fault too.
CUT = "cut"  # half of the declared bytes, then the connection ends
SHORT = "short"  # half of the bytes, declared as all
LONG = "long"  # all bytes, with more declared
RESET = "reset"  # no answer
PAGE = "page"  # the login page of a captive portal, with status 200
SLOW = "slow"  # in small pieces, with pauses
UNCOUNTED = "uncounted"  # no declared length

Fault = int | str | tuple[int, str]


class CocoDouble(HttpDouble):
    """A server on a free port with `count` photos of val2017. Each of the next requests of a path
    uses up one of its `faults`, or one of "*". `requests` lists paths and headers."""

    def __init__(self, count: int) -> None:
        self.files = {f"/val2017/{name_of(n)}": jpeg(n) for n in range(count)}
        self.files[ARCHIVE] = archive(captions_file(count))
        self.faults: dict[str, deque[Fault]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.times: list[float] = []  # of the requests
        self.delay = 0.0  # seconds before each answer
        self.has_ranges = True
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()
        super().__init__(_Handler)

    def fail(self, path: str, *faults: Fault) -> None:
        self.faults.setdefault(path, deque()).extend(faults)

    def next_fault(self, path: str) -> Fault | None:
        for key in (path, "*"):
            if self.faults.get(key):
                return self.faults[key].popleft()
        return None

    def asked(self, path: str) -> int:
        return sum(asked == path for asked, _ in self.requests)


def name_of(number: int) -> str:
    return f"{number:012}.jpg"


def jpeg(number: int) -> bytes:
    """A picture that differs from all others."""
    return picture("JPEG", (number % 256, number // 256, 99), (64, 48))


def captions_file(count: int, url: str = "http://images.cocodataset.org") -> dict[str, Any]:
    licenses = [{"id": 4, "name": "Attribution License", "url": "http://example.org/by/2.0/"}]
    images = [
        {
            "id": n,
            "file_name": name_of(n),
            "coco_url": f"{url}/val2017/{name_of(n)}",
            "flickr_url": f"http://farm.example.org/{n}_z.jpg",
            "license": 4,
            "width": 64,
            "height": 48,
        }
        for n in reversed(range(count))  # unordered, like the real ones
    ]
    captions = [{"id": n, "image_id": n, "caption": "a colour"} for n in range(count)]
    return {"info": {}, "licenses": licenses, "images": images, "annotations": captions}


def archive(document: Any, name: str = "annotations/captions_val2017.json") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr(name, json.dumps(document))
    return file.getvalue()


class _Handler(Handler):
    wbufsize = 0  # slow pieces arrive one by one

    def do_GET(self) -> None:
        double: CocoDouble = self.double
        with double.lock:
            double.requests.append((self.path, dict(self.headers.items())))
            double.times.append(time.monotonic())
            fault = double.next_fault(self.path)
            double.at_once += 1
            double.most_at_once = max(double.most_at_once, double.at_once)
        time.sleep(double.delay)
        with double.lock:
            double.at_once -= 1  # before the answer, after which the client sends the next request
        self._answer(double, fault)

    def _answer(self, double: CocoDouble, fault: Fault | None) -> None:
        data = double.files.get(self.path)
        if isinstance(fault, int | tuple):
            status, wait = fault if isinstance(fault, tuple) else (fault, None)
            self._send(status, b"busy", {"Retry-After": wait} if wait else {})
        elif fault == RESET:
            self.close_connection = True
        elif fault == PAGE:
            self._send(200, b"<html>Welcome to our hotel</html>", {"Content-Type": "text/html"})
        elif data is None:
            self._send(404, b"none", {})
        else:
            self._send_file(data, fault)

    def _send_file(self, data: bytes, fault: Fault | None) -> None:
        etag = f'"{hash(data):x}"'
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        headers = {"ETag": etag}
        status = 200
        if asked and self.double.has_ranges and self.headers.get("If-Range") == etag:
            start = int(asked[1])
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            data, status = data[start:], 206
        half = data[: len(data) // 2]
        if fault == CUT:
            self._send(status, half, headers, announced=len(data))
        elif fault == LONG:
            self._send(status, data, headers, announced=len(data) + 100)
        elif fault == UNCOUNTED:
            self._send(status, data, headers, announced=None)
        else:
            self._send(status, half if fault == SHORT else data, headers, is_slow=fault == SLOW)

    def _send(
        self,
        status: int,
        data: bytes,
        headers: dict[str, str],
        announced: int | None = -1,
        is_slow: bool = False,
    ) -> None:
        self.send_response(status)
        if announced == -1:
            announced = len(data)
        for key, value in headers.items():
            self.send_header(key, value)
        if announced is not None:
            self.send_header("Content-Length", str(announced))
        self.close_connection = announced != len(data)
        self.end_headers()
        step = 100 if is_slow else len(data) or 1
        for start in range(0, len(data), step):
            self.wfile.write(data[start : start + step])
            time.sleep(0.02 if is_slow else 0)
