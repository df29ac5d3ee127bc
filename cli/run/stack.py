"""Runs everything until Ctrl-C: model, functions, web server, and the events of the photos.

Threads of the feeder wait for ingest, and one thread waits for the file system. The main thread
does the rest.
"""

from __future__ import annotations

import fcntl
import signal
import sys
import threading
import time
import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

import watchfiles

from cli.common.errors import RunError, UsageError, reason_of
from cli.common.localhost import HOST
from cli.common.output import warn
from cli.common.processes import (
    Function,
    check_alive,
    check_port,
    end_functions,
    port_error,
    start_function,
    wait_until_up,
)
from cli.demo_photos import draw_demo_photos
from cli.run.changes import SETTLED_AFTER_US, FolderChanges
from cli.run.feeder import Feeder
from cli.run.model import export_once
from cli.run.options import Options
from cli.run.page import SEARCH_URL, SITE, called, policy, site_files
from cli.run.report import Report, known_generations
from cli.run.same_folder import check_not_emptied, check_same, identity_of
from cli.run.schedule import Schedule
from cli.run.static import StaticServer
from cli.run.switches import Switches
from clipsearch.errors import ClipsearchError
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.model.bundle import publish_bundle
from clipsearch.storage import open_bucket

TICK_SECONDS = 0.1
LOOK_AT_LEAST_EVERY = 30.0  # seconds; a network drive may send no notices of changes
GONE_AT_ONCE = 20  # photos; see _check_emptied
TROUBLED_AFTER = 4  # deliveries of one event


def run(options: Options) -> None:
    """Run until a signal asks to end. RunError if a part cannot start or stops."""
    try:
        with _only_one(options):
            _prepare_and_run(options)
    except ClipsearchError as error:
        raise RunError(f"{error} ({options.state})") from error
    except OSError as error:  # such as a full disk
        raise RunError(reason_of(error)) from error


@contextmanager
def _only_one(options: Options) -> Iterator[None]:
    """UsageError if another run uses the same state. The lock ends with this process."""
    with _lock_file(options) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(
                f"clipsearch run is already running for {options.photos}; stop that one first, "
                "or use another --state"
            ) from error
        yield


def _lock_file(options: Options) -> TextIO:
    """UsageError if the folder of the state cannot be made or written."""
    try:
        options.state.mkdir(parents=True, exist_ok=True)
        return (options.state / "lock").open("a")
    except OSError as error:
        raise UsageError(
            f"{options.state} cannot hold the index ({reason_of(error)}); "
            "choose another folder with --state"
        ) from error


def _prepare_and_run(options: Options) -> None:
    check_port(options.port, "page", options.host)
    check_port(options.search_port, "search")
    check_port(options.ingest_port, "ingest")
    if options.checkpoint:
        export_once(options.checkpoint, options.model)
    if options.demo_count:
        draw_demo_photos(options.photos, options.demo_count)
    with _set_by_signals() as stop, ExitStack() as ends:
        _run(options, stop, ends)


def _run(options: Options, stop: threading.Event, ends: ExitStack) -> None:
    index = open_bucket((options.state / "index").as_uri())
    reader = SnapshotReader(index, publish_bundle(options.model, index), keep_vectors=False)
    search, ingest = functions = _start_functions(options, ends)
    site = partial(site_files, SEARCH_URL, options.suggestions, called(options.photos))
    pages = site({"files": 0, "waiting": 0})
    ends.callback(_start_static(options, pages).close)
    wait_until_up(search, "health", stop)
    wait_until_up(ingest, "", stop)

    changes = FolderChanges(
        open_bucket(options.photos.as_uri()), *known_generations(reader.refresh())
    )
    feeder = Feeder(ingest.url)
    ends.callback(feeder.close)
    report = Report(reader, feeder, ingest.log)
    ends.callback(report.close)
    report.ready(options, search.url)
    if options.has_browser and sys.stdout.isatty():
        webbrowser.open(options.page)
    dirty = _watch(options.photos, stop)
    identity = identity_of(options.photos)
    schedule = Schedule()
    switches = Switches(index)
    is_first_look = True
    next_look = 0.0
    is_fed = False
    while not stop.wait(TICK_SECONDS):
        check_alive(functions)
        check_same(options.photos, identity)
        if dirty.is_set() or time.monotonic() >= next_look:
            dirty.clear()
            events = changes.look(SETTLED_AFTER_US if is_fed else 0)
            check_same(options.photos, identity)  # again: it may have been unplugged meanwhile
            check_not_emptied(options, changes, len(events), 0 if is_first_look else GONE_AT_ONCE)
            is_first_look = False
            soon = SETTLED_AFTER_US / 1e6
            next_look = time.monotonic() + (soon if changes.unsettled else LOOK_AT_LEAST_EVERY)
            feeder.put(events)
            report.found(events, changes.outdated)
            if changes.outdated:
                schedule.ask()
        if switches.needs_reconcile():
            schedule.ask()
        report.show()
        pages |= site({"files": changes.seen, "waiting": feeder.photos_waiting()})
        if feeder.waiting() > len(feeder.troubled(TROUBLED_AFTER)):
            continue
        messages = schedule.due()
        feeder.put(messages)
        if not is_fed and not messages:
            is_fed = True
            report.fed(options)


def _start_functions(options: Options, ends: ExitStack) -> list[Function]:
    # Other machines have other names for this one. "..": seen from /search/ of the page's port.
    site = ".." if options.is_open else options.page
    settings = {
        "CLIPSEARCH_PHOTOS": options.photos.as_uri(),
        "CLIPSEARCH_INDEX": (options.state / "index").as_uri(),
        "CLIPSEARCH_THUMBNAILS": (options.state / "thumbnails").as_uri(),
        "CLIPSEARCH_PHOTOS_URL": f"{site}/photos",
        "CLIPSEARCH_THUMBNAILS_URL": f"{site}/thumbnails",
        "CLIPSEARCH_SITE_URL": site,
        # The page needs none, because search has its origin. Websites must not ask for photos.
        "CLIPSEARCH_ALLOWED_ORIGINS": options.page,
        **options.switches,
    }
    functions: list[Function] = []
    ends.callback(end_functions, functions)
    for name, port in (("search", options.search_port), ("ingest", options.ingest_port)):
        log = options.state / f"{name}.log"
        functions.append(start_function(name, port, settings, log))
    return functions


def _start_static(options: Options, pages: dict[str, str]) -> StaticServer:
    folders = {
        "/": SITE,
        "/photos/": options.photos,
        "/thumbnails/": options.state / "thumbnails",
    }
    names = (
        () if options.is_open else (urlsplit(options.page).netloc.rpartition(":")[0], "localhost")
    )
    try:
        return StaticServer(
            options.host,
            options.port,
            folders,
            pages,
            policy(),
            search_url=f"http://{HOST}:{options.search_port}",
            names=names,
        )
    except OSError as error:  # taken since check_port
        raise port_error(options.port, "page", error, options.host) from error


def _watch(photos: Path, stop: threading.Event) -> threading.Event:
    """An event that is set at each change below `photos`."""
    dirty = threading.Event()

    def wait_for_changes() -> None:
        try:
            for _ in watchfiles.watch(
                photos,
                watch_filter=None,
                debounce=400,
                stop_event=stop,
                ignore_permission_denied=True,  # such as lost+found at the root of a drive
            ):
                dirty.set()
        except (OSError, RuntimeError) as error:  # too many folders for the system's limit
            warn(
                f"the system sends no notices of changes ({reason_of(error)}); "
                f"looking every {LOOK_AT_LEAST_EVERY:.0f} s"
            )

    threading.Thread(target=wait_for_changes, name="watch", daemon=True).start()
    return dirty


@contextmanager
def _set_by_signals() -> Iterator[threading.Event]:
    """An event that SIGINT, SIGTERM and SIGHUP set, in place of their usual effect."""
    stop = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
