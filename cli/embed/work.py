"""Begins, shows how far it is, and reports."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from cli.common.errors import RunError
from cli.common.output import result, say
from cli.common.progress import bar
from cli.embed import tally
from cli.embed.embedder import embedder_of
from cli.embed.job import Job
from cli.embed.known import segments_of
from cli.embed.options import Options
from cli.embed.pipeline import build
from cli.embed.ranges import ranges_of
from cli.embed.runners import Counters, check_complete, run_here, run_there
from cli.reconcile import fill
from clipsearch.errors import NoModel
from clipsearch.index.reconcile_log import Part, Pending, delete_old_runs, new_run, write_part
from clipsearch.model.pointer import current_pointer
from ingest.reconcile.settle import settle

RANGES_PER_WORKER = 4
LOOK_EVERY_S = 0.5


def embed(options: Options) -> int:
    """The exit code: 1 if photos of an empty bucket were kept. Raises RunError, StorageError."""
    services, space = options.to.services, options.to.space
    fill.begin(options.to)
    started = time.time_ns() // 1000
    segments = segments_of(services.index, space)  # before the photos are listed
    count = 1 if options.workers == 1 else RANGES_PER_WORKER * options.workers
    ranges = ranges_of(services.photos, count)
    say(f"comparing {services.photos.url} with {len(segments):,} segments of the index")
    with tempfile.TemporaryDirectory(prefix="clipsearch-embed-") as folder:
        job = options.job("" if options.dataflow else folder)
        steps = partial(build, job=job, ranges=ranges, segments=segments)
        counters = _run(options, job, steps)
    check_complete(counters)
    seconds = time.time() - started / 1e6
    _record(options, started, counters)
    _next(options)
    figures = _figures(counters, seconds)
    say(_line(figures))
    result(figures)
    if figures["kept"]:
        raise RunError(
            f"{services.photos.url} is empty, but the index knows {figures['kept']} photos of it; "
            "if its drive is not mounted, mount it; if you deleted all photos, add --empty"
        )
    return 0


def _run(options: Options, job: Job, steps: Any) -> Counters:
    with bar("indexing") as progress:
        if options.dataflow:

            def show(counters: Counters) -> None:
                progress.total = counters.get("wanted") or None
                progress.update(_done(counters) - progress.n)

            return run_there(steps, options.workers, options.dataflow, show)
        with _watched(job.tally, progress):
            try:
                return run_here(steps, options.workers)
            finally:
                embedder_of(job).close()


@contextmanager
def _watched(folder: str, progress: Any) -> Iterator[None]:
    """Shows how many photos the processes here have done."""
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(LOOK_EVERY_S):
            progress.update(tally.total(folder) - progress.n)

    thread = threading.Thread(target=look, name="clipsearch-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _record(options: Options, started: int, counters: Counters) -> None:
    """The record of a reconcile, for /status: the photos that the index lacked are in it now."""
    index, space = options.to.services.index, options.to.space
    part = Part(
        objects=counters.get("objects", 0),
        indexed=counters.get("indexed before", 0),
        failed=counters.get("failed before", 0),
        orphaned=counters.get("removed", 0),
        started=started,
        finished=time.time_ns() // 1000,
        end="",
        pending=Pending.concat([]),
    )
    write_part(index, space, new_run(), 0, part)
    delete_old_runs(index, space)


def _next(options: Options) -> None:
    index, space = options.to.services.index, options.to.space
    try:
        pointer = current_pointer(index)
    except NoModel:
        return
    if space == pointer.space:
        if settle(index, space):
            say(f"the switch to model {space} is complete; model {pointer.previous} may go")
    elif space == pointer.filling:
        say(f"model {pointer.space} still answers; next: clipsearch switch {space}")


def _done(counters: Counters) -> int:
    return sum(counters.get(name, 0) for name in ("indexed", "failed", "skipped", "gone"))


def _figures(counters: Counters, seconds: float) -> dict[str, Any]:
    names = ("objects", "indexed", "failed", "skipped", "gone", "removed", "bytes", "damaged")
    done = _done(counters)
    return {
        **{name: counters.get(name, 0) for name in names},
        "indexed_before": counters.get("indexed before", 0),
        "failed_before": counters.get("failed before", 0),
        "skipped_before": counters.get("skipped before", 0),
        "kept": counters.get("kept", 0),
        "segments": counters.get("segments", 0),
        "seconds": round(seconds, 2),
        "photos_per_second": round(done / seconds, 2) if seconds else 0.0,
    }


def _line(figures: dict[str, Any]) -> str:
    damaged = figures["damaged"]
    return (
        f"{figures['objects']:,} objects, {figures['indexed_before']:,} indexed before; now "
        f"{figures['indexed']:,} indexed, {figures['failed']:,} failed, "
        f"{figures['skipped']:,} skipped, {figures['gone']:,} gone, "
        f"{figures['removed']:,} removed; {figures['bytes'] / 1e6:,.1f} MB in "
        f"{figures['seconds']:,.0f} s, {figures['photos_per_second']:,.1f} photos/s"
        f"{f'; {damaged:,} damaged segments were not read' if damaged else ''}"
    )
