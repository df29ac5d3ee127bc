"""Photos per second into an index: ours by events and by a reconcile, theirs by its loop."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.system.servers import free_port, our_settings
from benchmarks.system.world import BUNDLE, World
from cli import ROOT
from cli.common.localhost import HOST
from cli.common.processes import check_alive, end_functions, start_function
from cli.run.feeder import Event, Feeder
from cli.run.schedule import Maintenance
from cli.run.static import StaticServer
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.model.bundle import publish_bundle
from clipsearch.storage import Stat
from clipsearch.storage.local import FolderBucket

WARM_UP = 8
TICK = 0.005  # seconds
PATIENCE = 300.0


class IngestError(Exception):
    pass


class OurIngest:
    """The real ingest and three folders; the photos are there before the time begins."""

    def __init__(self, folder: Path, pictures: list[Path], ends: ExitStack) -> None:
        self._photos, index = FolderBucket(folder / "photos"), FolderBucket(folder / "index")
        self._pictures = [path.read_bytes() for path in pictures]
        self._reader = SnapshotReader(index, publish_bundle(BUNDLE, index), keep_vectors=False)
        settings = our_settings(index.root, self._photos.root)
        self.function = start_function("ingest", free_port(), settings, folder / "ingest.log")
        ends.callback(end_functions, [self.function])
        self._feeder = Feeder(self.function.url)
        ends.callback(self._feeder.close)
        self._count = 0
        self.by_events(WARM_UP)

    def by_events(self, count: int) -> float:
        """Photos per second, with an event for each."""
        stats = [self._write() for _ in range(count)]
        return self._rate(count, [Event("finalized", s.name, s.generation, s.size) for s in stats])

    def by_reconciling(self, count: int) -> float:
        """Photos per second of a reconcile, for photos without events."""
        for _ in range(count):
            self._write()
        return self._rate(count, [Maintenance("reconcile")])

    def _write(self) -> Stat:
        data = self._pictures[self._count % len(self._pictures)]
        self._count += 1
        return self._photos.create(f"{self._count:06}.jpg", data)

    def _rate(self, count: int, events: Sequence[Event | Maintenance]) -> float:
        begin = time.monotonic()
        self._feeder.put(events)
        while self._feeder.waiting():
            check_alive([self.function])
            if time.monotonic() > begin + PATIENCE or self._feeder.troubled(4):
                raise IngestError(f"ingest does not accept events; see {self.function.log}")
            time.sleep(TICK)
        seconds = time.monotonic() - begin
        indexed = self._reader.refresh().photos
        if indexed != self._count:
            raise IngestError(f"{indexed} of {self._count} photos are indexed")
        return count / seconds


def their_rate(world: World, count: int) -> float:
    """Photos per second of the original's loop, which downloads them one by one."""
    names = [path.name for path in world.pictures]
    server = StaticServer(HOST, port := free_port(), {"/": world.folder}, {}, "")
    try:
        addresses = [f"http://{HOST}:{port}/{names[n % len(names)]}\n" for n in range(count)]
        with tempfile.TemporaryDirectory() as out:
            command = [sys.executable, "-m", "benchmarks.system.original_ingest"]
            done = subprocess.run(
                [*command, str(world.model), f"{out}/index.pkl"],
                cwd=ROOT,
                input="".join(addresses),
                text=True,
                stdout=subprocess.PIPE,
                check=True,
            )
    finally:
        server.close()
    return float(done.stdout.split()[-1])
