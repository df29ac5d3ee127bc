"""Measure memory and seconds of `clipsearch embed` for many simulated photos.

    make bench-embed-scale [ARGS="--photos 1000000 --workers 2"]

Listing, comparing, writing and merging are real; the photos have names only, and the encoder is one
matrix. The index begins with half of the photos, in segments as `ingest` leaves them. It prints the
peak memory of each process.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from cli import ROOT
from cli.embed import pipeline, records, steps
from cli.embed.embedder import Embedded
from cli.embed.embedding import Bundle
from cli.embed.job import Job
from cli.embed.known import segments_of
from cli.embed.pipeline import build
from cli.embed.ranges import Range, ranges_of
from cli.embed.records import Record
from cli.embed.runners import check_complete, run_here
from clipsearch.index.format.entries import Entries, Entry, Kind
from clipsearch.index.format.segments import write_entries
from clipsearch.storage import Stat, open_bucket
from ingest.indexing import Result
from ingest.messages import Wanted

SPACE, DIMENSION, BYTES = "0123456789ab", 512, 200_000
RESULTS = ROOT / "build/bench/embed_scale.json"


class Simulated:
    """The listing of a bucket with `count` photos."""

    def __init__(self, count: int) -> None:
        self._count = count

    def list(self, prefix: str = "", start: str = "") -> Iterator[Stat]:
        low, high = 0, self._count  # the first name that is not below `start`
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if name_of(middle) < start else (low, middle)
        return (_stat(number) for number in range(low, self._count))


class ListSimulated(steps.ListRange):
    """`count`: photos in the bucket."""

    count = 0

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._count = type(self).count  # an attribute of the class does not travel

    def process(self, names: Range) -> Iterator[Record]:
        for stat in Simulated(self._count).list(start=names.start):
            if names.end and stat.name >= names.end:
                return
            steps.count("objects")
            yield records.of_listed(stat)


class EmbedSimulated(steps.Embed):
    def start_bundle(self) -> None:
        self._bundle = Bundle(self._job, embed)


def name_of(number: int) -> str:
    return f"albums/{number // 1000:06}/IMG_{number:09}.jpg"


def embed(photos: Sequence[Wanted]) -> Embedded:
    names = [(photo.name, photo.generation) for photo in photos]
    return Embedded([Result("indexed", "")] * len(photos), [entries_of(names)])


def entries_of(photos: Sequence[tuple[str, int]]) -> Entries:
    """Vectors are random projections of the hashes of names."""
    bits = np.array([list(records.key(name)) for name, _ in photos], np.float32)
    vectors = (bits - 127) @ matrix()
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Entries.from_entries(
        [
            Entry(name, generation, Kind.VECTOR, 4000, 3000, time.time_ns() // 1000, vector=vector)
            for (name, generation), vector in zip(photos, vectors, strict=True)
        ]
    )


@cache
def matrix() -> Any:
    return np.random.default_rng(0).normal(size=(16, DIMENSION)).astype(np.float32)


def _stat(number: int) -> Stat:
    return Stat(name_of(number), number + 1, BYTES, None, records._LONG_AGO)


class Memory:
    """Peaks of this process and its descendants, in MB, from Linux's /proc."""

    def __init__(self) -> None:
        self.peaks: dict[int, float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.5):
            known = {os.getpid()}
            for process in sorted(int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit()):
                try:
                    lines = Path(f"/proc/{process}/status").read_text().splitlines()
                except OSError:
                    continue
                facts = dict(line.split(":", 1) for line in lines if ":" in line)
                if process in known or int(facts["PPid"]) in known:
                    known.add(process)
                    peak = int(facts.get("VmHWM", "0 kB").split()[0]) / 1000
                    self.peaks[process] = max(peak, self.peaks.get(process, 0.0))


def prepare(url: str, count: int) -> None:
    """The index of every other photo, in full segments."""
    index = open_bucket(url)
    numbers = range(0, count, 2)
    for begin in range(0, len(numbers), 65_536):
        part = numbers[begin : begin + 65_536]
        write_entries(index, SPACE, entries_of([(name_of(n), n + 1) for n in part]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--photos", type=int, default=200_000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--no-merges", action="store_true")
    parser.add_argument("--indexed", action="store_true", help="begin with half of the photos")
    options = parser.parse_args()
    ListSimulated.count = options.photos
    for name, step in (("ListRange", ListSimulated), ("Embed", EmbedSimulated)):
        setattr(steps, name, step)
    if options.no_merges:
        pipeline._compact = lambda *given: None
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as temporary:
        photos_url, index_url, thumbnails_url = (
            (Path(temporary) / part).as_uri() for part in ("photos", "index", "thumbnails")
        )
        job = Job(photos_url, index_url, thumbnails_url, SPACE)
        index = open_bucket(job.index)
        if options.indexed:
            # In another process: this one shall have the memory of the command only.
            apart = multiprocessing.get_context("spawn").Process(
                target=prepare, args=(job.index, options.photos)
            )
            apart.start()
            apart.join()
        photos: Any = Simulated(options.photos)
        ranges = ranges_of(photos, 4 * options.workers)
        segments = segments_of(index, SPACE)
        print(f"{len(ranges)} ranges, {len(segments)} segments", flush=True)
        started = time.monotonic()
        with Memory() as memory:
            made = partial(build, job=job, ranges=ranges, segments=segments)
            counters = run_here(made, options.workers)
        seconds = time.monotonic() - started
    check_complete(counters)
    here = memory.peaks.pop(os.getpid())
    others = max(memory.peaks.values(), default=0.0)
    print(dict(counters))
    print("| photos | workers | s | MB of the runner | MB of the largest worker |")
    print("| --- | --- | --- | --- | --- |")
    print(f"| {options.photos:,} | {options.workers} | {seconds:.0f} | {here:.0f} | {others:.0f} |")
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    figures = {"photos": options.photos, "workers": options.workers, "seconds": seconds}
    RESULTS.write_text(json.dumps({**figures, "runner_mb": here, "worker_mb": others}))


if __name__ == "__main__":
    # By its own name, so that other processes find its classes.
    from benchmarks import embed_scale

    embed_scale.main()
