"""Sends photos to the child process, and finds the one that ends it.

A batch that ends the process is halved until one photo is left. After LIMIT attempts that photo
becomes a failure, with the reason that `ingest` gives.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from cli import ROOT
from cli.common.errors import RunError
from cli.common.retry import Retries
from cli.embed import talk
from cli.embed.job import Job
from clipsearch.errors import StorageError
from clipsearch.index.format.entries import Cause, Entries, Entry
from clipsearch.index.format.segments import entries_of
from ingest.entries import failure
from ingest.indexing import Result
from ingest.messages import Wanted
from ingest.retries import LIMIT

COMMAND = [sys.executable, "-m", "cli.embed.child"]
BATCH_S = 600.0  # as long as Pub/Sub waits for `ingest`
GIVEN_UP_AT_ONCE = 16  # photos in a row: then it is the machine, not the photos


@dataclass(slots=True)
class Embedded:
    results: list[Result] = field(default_factory=list)
    entries: list[Entries] = field(default_factory=list)

    def add(self, other: Embedded) -> None:
        self.results += other.results
        self.entries += other.entries


class Embedder:
    """One child process. Thread-safe; threads wait for each other, as it uses all cores."""

    def __init__(self, job: Job, command: Sequence[str] | None = None) -> None:
        self._job, self._command = job, command or COMMAND
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._given_up = 0

    def embed(self, photos: Sequence[Wanted]) -> Embedded:
        """The results in the order of `photos`, and the entries to write.

        Raises StorageError, and RunError if the child cannot work at all.
        """
        with self._lock:
            return self._embed(list(photos))

    def close(self) -> None:
        with self._lock:
            self._end()

    def _embed(self, photos: list[Wanted]) -> Embedded:
        ended = ""
        for _ in range(LIMIT if len(photos) == 1 else 1):
            answer = self._patiently(photos)
            if isinstance(answer, talk.Done):
                self._given_up = 0
                parts = [entries_of("new", self._job.space, data) for data in answer.segments]
                return Embedded(answer.results, parts)
            ended = f" ({answer.name})" if answer else " ended the process"
        if len(photos) == 1:
            return self._give_up(photos[0], f"gave up after {LIMIT} attempts{ended}")
        middle = len(photos) // 2
        done = self._embed(photos[:middle])
        done.add(self._embed(photos[middle:]))
        return done

    def _give_up(self, photo: Wanted, reason: str) -> Embedded:
        self._given_up += 1
        if self._given_up >= GIVEN_UP_AT_ONCE:
            raise RunError(
                f"{self._given_up} photos in a row: {reason}; does the machine have enough memory?"
            )
        result = Result("failed", reason)
        if photo.at == photo.known:  # the index has this failure already
            return Embedded([result])
        entry: Entry = failure(photo.name, photo.at, reason, Cause.GAVE_UP)
        return Embedded([result], [Entries.from_entries([entry])])

    def _patiently(self, photos: list[Wanted]) -> talk.Done | talk.Surprise | None:
        """The answer; None if the process ended. Retries what passes; raises StorageError."""
        retries = Retries(threading.Event())
        while True:
            answer = self._ask(photos)
            if not isinstance(answer, talk.Fault):
                return answer
            if not retries.failed():
                raise StorageError(answer.reason)
            retries.wait()

    def _ask(self, photos: list[Wanted]) -> talk.Done | talk.Surprise | talk.Fault | None:
        process = self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        too_long = threading.Timer(BATCH_S, process.kill)
        too_long.start()
        try:
            talk.send(process.stdin, photos)
            answer: talk.Done | talk.Surprise | talk.Fault = talk.receive(process.stdout)
            return answer
        except (EOFError, OSError):
            self._end()
            return None
        finally:
            too_long.cancel()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None:
            return self._process
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        self._process = process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,  # Ctrl-C goes to the parent, whose end is its own
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            talk.send(process.stdin, self._job)
            answer: talk.Answer = talk.receive(process.stdout)
        except (EOFError, OSError) as error:
            self._end()
            code = process.returncode
            raise RunError(f"the embedding process ended at its start, exit code {code}") from error
        if isinstance(answer, talk.Fault):
            self._end()
            raise RunError(f"the embedding process cannot start: {answer.reason}")
        return process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with process:  # closes its input, which ends it
            if process.stdin is not None:
                try:
                    process.stdin.close()
                    process.wait(10)
                except (OSError, subprocess.TimeoutExpired):
                    pass
            process.kill()


@cache
def embedder_of(job: Job) -> Embedder:
    """One a process, so that its threads and bundles share one encoder."""
    return Embedder(job)
