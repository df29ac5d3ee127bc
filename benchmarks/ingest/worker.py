"""python -m benchmarks.ingest.worker FOLDER JSON: the process that is measured.

Prints a line of JSON for each turn: figures by way, and whether it goes before other programs.
"""

from __future__ import annotations

import base64
import importlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.ingest.core import Meter, pin
from benchmarks.ingest.slow_storage import Log, SlowBucket, chain
from cli.run.feeder import DELIVERIES_AT_ONCE, Event
from clipsearch.images.look import look_of
from clipsearch.images.thumbnails import make_thumbnail, read_pixels
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.model.pointer import make_current
from clipsearch.storage import Stat
from clipsearch.storage.local import FolderBucket
from ingest.facts import facts_in

LIMIT = 48  # photos
BUCKETS = ("photos", "index", "thumbnails")


class Worker:
    """The function in the real framework. Each turn of a way has buckets of its own."""

    def __init__(self, folder: Path) -> None:
        from functions_framework import create_app

        self._folder, self._log = folder, Log()
        self._pictures = [path.read_bytes() for path in sorted((folder / "pictures").iterdir())]
        make_app: Any = create_app  # untyped
        self._client = make_app("ingest", "functions/main.py").test_client()
        services = importlib.import_module("ingest.services")
        opened = services.open_bucket
        vars(services)["open_bucket"] = lambda url: SlowBucket(opened(url), self._log)
        vars(importlib.import_module("ingest.maintenance"))["ONE_IN"] = 10**9
        self._services = sys.modules["ingest.main"]._make_services()
        self._encoder = self._services.model.encoder()

    def turn(self, way: str, count: int) -> dict[str, Any]:
        """Between two halves of the limit, because other programs slow this one more or less."""
        before = self.limit(LIMIT // 2)
        measured = getattr(self, way)(count)
        after = self.limit(LIMIT // 2)
        limit = {key: before[key] + after[key] for key in before}
        return {"way": way, "count": count, **measured, "limit": {**limit, "count": LIMIT}}

    def limit(self, count: int) -> dict[str, float]:
        """Seconds of CPU of each part, too. `facts`, which `ingest` also makes, are not in `wall`
        and `cpu`."""
        parts = {"decode": 0.0, "thumbnail": 0.0, "encode": 0.0}
        thumbnails: list[bytes] = []
        meter = Meter()
        for number in range(count):
            begin = time.thread_time()
            photo = self._encoder.decode(self._pictures[number % len(self._pictures)])
            decoded = time.thread_time()
            thumbnails.append(make_thumbnail(photo.thumbnail))
            small = time.thread_time()
            self._encoder.encode_image([photo.square])
            parts["decode"] += decoded - begin
            parts["thumbnail"] += small - decoded
        measured = meter.read()
        parts["encode"] = measured["cpu"] - parts["decode"] - parts["thumbnail"]
        begin = time.thread_time()
        for number, thumbnail in enumerate(thumbnails):
            facts_in(self._pictures[number % len(self._pictures)], False)
            look_of(read_pixels(thumbnail))
        return {**measured, **parts, "facts": time.thread_time() - begin}

    def events(self, count: int) -> dict[str, Any]:
        chains = []

        def send(stats: list[Stat]) -> None:
            for stat in stats:
                self._log.take()
                self._event(stat)
                chains.append(chain(self._log.take()))

        return {**self._measured(count, send), "chains": chains}

    def crowd(self, count: int) -> dict[str, Any]:
        def send(stats: list[Stat]) -> None:
            with ThreadPoolExecutor(DELIVERIES_AT_ONCE) as pool:
                list(pool.map(self._event, stats))

        return self._measured(count, send)

    def batch(self, count: int) -> dict[str, Any]:
        def send(stats: list[Stat]) -> None:
            photos = [[s.name, s.generation, s.size, s.generation, 0] for s in stats]
            self._tell({"action": "index", "space": self._encoder.space, "photos": photos})

        return self._measured(count, send)

    def reconcile(self, count: int) -> dict[str, Any]:
        return self._measured(count, lambda stats: self._tell({"action": "reconcile"}))

    def _measured(self, count: int, send: Callable[[list[Stat]], None]) -> dict[str, Any]:
        place = self._folder / "place"
        shutil.rmtree(place, ignore_errors=True)
        photos, index, thumbnails = (FolderBucket(place / name) for name in BUCKETS)
        for name, bucket in zip(BUCKETS, (photos, index, thumbnails), strict=True):
            setattr(self._services, name, SlowBucket(bucket, self._log))
        make_current(index, self._encoder.space)
        stats = [
            photos.create(f"{number:06}.jpg", self._pictures[number % len(self._pictures)])
            for number in range(count)
        ]
        self._log.take()
        meter = Meter()
        send(stats)
        measured: dict[str, Any] = {**meter.read(), "requests": len(self._log.take()) / count}
        found = SnapshotReader(index, self._encoder.space, keep_vectors=False).refresh().photos
        pictures = sum(1 for _ in thumbnails.list())
        assert (found, pictures) == (count, count), (found, pictures, count)
        return measured

    def _event(self, stat: Stat) -> None:
        request = Event("finalized", stat.name, stat.generation, stat.size).request(
            "http://ingest/"
        )
        assert isinstance(request.data, bytes)
        self._post(request.data, dict(request.header_items()))

    def _tell(self, message: Mapping[str, Any]) -> None:
        data = base64.b64encode(json.dumps(message).encode()).decode()
        headers = {
            "Content-Type": "application/json",
            "ce-specversion": "1.0",
            "ce-id": "1",
            "ce-source": "//pubsub.googleapis.com/bench",
            "ce-type": "google.cloud.pubsub.topic.v1.messagePublished",
        }
        self._post(json.dumps({"message": {"data": data}}).encode(), headers)

    def _post(self, body: bytes, headers: Mapping[str, str]) -> None:
        answer = self._client.post("/", data=body, headers=headers)
        assert answer.status_code < 300, answer.text


def main(folder: Path, counts: Mapping[str, int], turns: int) -> None:
    is_first = pin()
    for name in BUCKETS:
        os.environ[f"CLIPSEARCH_{name.upper()}"] = (folder / "start" / name).as_uri()
    for name in ("PHOTOS", "THUMBNAILS"):
        os.environ[f"CLIPSEARCH_{name}_URL"] = "http://localhost"
    worker = Worker(folder)
    for way in counts:
        worker.turn(way, 8)
    for _ in range(turns):
        turn = [worker.turn(way, count) for way, count in counts.items()]
        print(json.dumps({"is_first": is_first, **{one["way"]: one for one in turn}}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]), int(sys.argv[3]))
