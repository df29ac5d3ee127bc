"""Uploads the photos that the bucket lacks. Nothing is ever deleted.

You can stop it at any time: an object is complete or absent, and the next run compares again.
"""

from __future__ import annotations

import errno
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cli.common.command import one_line
from cli.common.output import warn
from cli.common.progress import bar
from cli.common.retry import Retries
from cli.upload.report import Outcome, Report
from cli.upload.source import GiveUp, NotAPhoto, OwnFault, Source, Unavailable
from cli.upload.workers import Workers
from clipsearch.errors import BadObjectName, ObjectExists, ObjectNotFound, StorageError
from clipsearch.storage import Bucket, Stat
from clipsearch.storage.checksum import holds

ROUNDS = 3  # attempts if others write the same name
IN_A_ROW = 20  # consecutive failures that look systemic: then we give up
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


def upload(source: Source, bucket: Bucket, jobs: int, stop: threading.Event | None = None) -> int:
    """The exit code. `stop`, when set, ends it early."""
    stop = stop or threading.Event()
    names = source.names()
    if not names:
        warn("there is nothing to upload: the folder has no files")
    there = _list(bucket, source.prefix)
    present = sum(name in there for name in names) if source.is_immutable else 0
    to_do = [name for name in names if not (source.is_immutable and name in there)]
    report = Report(len(names), present, source.left_out())
    engine = _Engine(source, bucket, there, stop)
    workers = Workers(engine.upload, to_do, min(jobs, len(to_do)), stop)
    with report, _set_by_ctrl_c(stop) as interrupted:
        for outcome in workers.results():
            report.note(outcome)
    return report.end(engine.given_up, interrupted.is_set())


@contextmanager
def _set_by_ctrl_c(stop: threading.Event) -> Iterator[threading.Event]:
    """An event that the first Ctrl-C sets, together with `stop`.

    Photos in progress arrive and are counted; KeyboardInterrupt might lose them. A second Ctrl-C
    raises it.
    """
    interrupted = threading.Event()

    def first(*_: object) -> None:
        signal.signal(signal.SIGINT, before)
        interrupted.set()
        stop.set()

    before = signal.signal(signal.SIGINT, first)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)


def _list(bucket: Bucket, prefix: str) -> dict[str, Stat]:
    listed = bar("listing", bucket.list(prefix), unit="objects", leave=False)
    return {stat.name: stat for stat in listed}


class _Engine:
    def __init__(
        self, source: Source, bucket: Bucket, there: dict[str, Stat], stop: threading.Event
    ) -> None:
        self.given_up = ""  # why
        self._source, self._bucket, self._there, self._stop = source, bucket, there, stop
        self._lock = threading.Lock()
        self._in_a_row = 0

    def upload(self, name: str) -> Outcome:
        """The outcome has every error. Sets `stop` if all others would fail, too."""
        outcome = self._upload(name)
        with self._lock:
            if outcome.kind in ("present", "uploaded"):
                self._in_a_row = 0
            self._in_a_row += outcome.may_be_general
            if outcome.ends_all:
                self._give_up(outcome.reason)
            elif self._in_a_row >= IN_A_ROW:
                self._give_up(f"{IN_A_ROW} in a row failed, the last one with: {outcome.reason}")
        return outcome

    def _give_up(self, reason: str) -> None:
        self.given_up = self.given_up or reason
        self._stop.set()

    def _upload(self, name: str) -> Outcome:
        retries = Retries(self._stop)
        while True:
            try:
                return self._attempt(name)
            except Unavailable as error:
                if self._stop.is_set():
                    break
                if not error.again or not retries.failed():
                    return Outcome(name, "failed", str(error), may_be_general=True)
            except NotAPhoto as error:
                return Outcome(name, "no photo", str(error))
            except (OwnFault, BadObjectName) as error:
                return Outcome(name, "failed", getattr(error, "reason", str(error)))
            except GiveUp as error:
                return Outcome(name, "not tried", str(error), ends_all=True)
            except StorageError as error:  # after the retries of the storage itself
                return _storage_failed(name, error)
            except MemoryError:
                return Outcome(name, "failed", "not enough memory", may_be_general=True)
            if not retries.wait():
                break
        return Outcome(name, "not tried")

    def _attempt(self, name: str) -> Outcome:
        data = self._source.read(name)
        there = self._there.get(name)
        if there is not None and self._holds(there, data):
            return Outcome(name, "present")
        content_type = self._source.content_type(data)
        for _ in range(ROUNDS):
            try:
                self._write(name, there, data, content_type)
                return Outcome(name, "uploaded")
            except (ObjectExists, ObjectNotFound) as error:  # changed since it was listed
                reason = str(error)
                there = self._look(name)
                if there is not None and (self._source.is_immutable or self._holds(there, data)):
                    return Outcome(name, "present")
        raise Unavailable(reason, again=True)

    def _write(self, name: str, there: Stat | None, data: bytes, content_type: str) -> None:
        how = content_type, self._source.cache_control, self._source.metadata(name)
        if there is None:
            self._bucket.create(name, data, *how)
        else:
            self._bucket.replace(name, there.generation, data, *how)

    def _look(self, name: str) -> Stat | None:
        try:
            return self._bucket.stat(name)
        except ObjectNotFound:
            return None

    def _holds(self, there: Stat, data: bytes) -> bool:
        try:
            return holds(self._bucket, there, data)
        except ObjectNotFound:  # gone since it was listed
            return False


def _storage_failed(name: str, error: StorageError) -> Outcome:
    is_full = isinstance(error.__cause__, OSError) and error.__cause__.errno in FULL
    return Outcome(name, "failed", one_line(error), may_be_general=True, ends_all=is_full)
