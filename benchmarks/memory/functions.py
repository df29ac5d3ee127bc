"""The resident memory of the real functions, each a process group as on a laptop."""

from __future__ import annotations

import json
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks.index.data import Data
from benchmarks.memory.resident import own_anonymous, resident
from benchmarks.random_checkpoint import checkpoint
from benchmarks.system.servers import free_port, our_settings, processes
from cli import ROOT
from cli.common.processes import Function, end_functions, start_function
from clipsearch.model.bundle import publish_bundle, read_bundle
from clipsearch.model.manifest import TOWERS
from clipsearch.storage.local import FolderBucket
from model_export.write_bundle import write_bundle

MODEL = "openai/clip-vit-base-patch32"
BUNDLE = ROOT / "build" / "bench" / "memory-model"
TEXTS = 50
UPLOADS = 20


def measure(photos: int, photo: bytes) -> dict[str, Any]:
    """Bytes after each kind of request, by function. `photo`: a file to search by and to upload."""
    if not (BUNDLE / "model.json").exists():
        write_bundle(checkpoint(MODEL), BUNDLE, MODEL, dict.fromkeys(TOWERS, "int8"))
    with tempfile.TemporaryDirectory() as temporary:
        index = Path(temporary) / "index"
        Data.load(None).write_library(index, photos, read_bundle(BUNDLE).bundle.space)
        publish_bundle(BUNDLE, FolderBucket(index))
        settings = our_settings(index, Path(temporary) / "photos")
        return {
            "search": _search(settings, photo, Path(temporary)),
            "ingest": _ingest(settings, photo, Path(temporary)),
        }


def _search(settings: dict[str, str], photo: bytes, folder: Path) -> dict[str, Any]:
    found = {}
    function = start_function("search", free_port(), settings, folder / "search.log")
    try:
        for number in range(TEXTS):
            _answer(function, urllib.request.Request(f"{function.url}?q=mushroom{number}"))
        found["texts"] = _memory(function)
        body = _form(photo)
        for _ in range(5):
            headers = {"Content-Type": "multipart/form-data; boundary=part"}
            _answer(function, urllib.request.Request(function.url, body, headers))
        found["texts, pictures"] = _memory(function)
    finally:
        end_functions([function])
    return found


def _ingest(settings: dict[str, str], photo: bytes, folder: Path) -> dict[str, Any]:
    bucket = FolderBucket(folder / "photos")
    function = start_function("ingest", free_port(), settings, folder / "ingest.log")
    try:
        for number in range(UPLOADS):
            name = f"{number}.jpg"
            bucket.create(name, photo)
            stat = bucket.stat(name)
            resource = {"bucket": "photos", "name": name, "generation": str(stat.generation)}
            body = json.dumps({**resource, "size": str(stat.size)}).encode()
            headers = {
                "Content-Type": "application/json",
                "ce-id": name,
                "ce-source": "bench",
                "ce-specversion": "1.0",
                "ce-type": "google.cloud.storage.object.v1.finalized",
            }
            _answer(function, urllib.request.Request(function.url, body, headers))
        return {"uploads": _memory(function)}
    finally:
        end_functions([function])


def _answer(function: Function, request: urllib.request.Request) -> None:
    """Waits until the function listens."""
    give_up = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                answer.read()
                return
        except ConnectionError:
            pass
        except urllib.error.HTTPError:
            raise
        except urllib.error.URLError:
            pass
        if time.monotonic() > give_up:
            raise TimeoutError(f"{function.name} does not answer: {function.log.read_text()}")
        time.sleep(0.1)


def _memory(function: Function) -> dict[str, int]:
    """Bytes of its processes, without the one that ends it with this benchmark.

    `resident` counts pages that master and worker share twice. `charged` counts them once, as a
    container does.
    """
    pids = [pid for pid in processes(function) if pid != function.process.pid]
    each = [resident(pid) for pid in pids]
    files = max(one["now"] - one["anonymous"] for one in each)
    return {
        "resident": sum(one["now"] for one in each),
        "peak": sum(one["peak"] for one in each),
        "charged": sum(map(own_anonymous, pids)) + files,
    }


def _form(photo: bytes) -> bytes:
    head = b'--part\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n'
    return head + photo + b"\r\n--part--\r\n"
