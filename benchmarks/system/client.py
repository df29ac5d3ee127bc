"""Clients that each send the next request after an answer, in their own process. It writes and
reads HTTP by hand, to use little of the cores.

python -m benchmarks.system.client reads a Job as JSON from standard input and prints an Outcome.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.system.asking import BEST, Kind, Side, requests
from cli import ROOT
from cli.common.localhost import HOST

PATIENCE = 120.0  # seconds until an answer times out
MOST_TRIES = 200  # status of a rejected request


class LoadError(Exception):
    """A request failed, so the figures would mean nothing."""


@dataclass(frozen=True)
class Job:
    side: Side
    kind: Kind
    port: int
    clients: int
    seconds: float  # seconds; no request starts later
    most: int  # requests
    seed: int
    names: list[str]
    pictures: list[str]  # paths


@dataclass
class Outcome:
    """`latencies` of answered requests in seconds; `turned_away` is the number of 503 answers."""

    latencies: list[float] = field(default_factory=list)
    turned_away: int = 0
    seconds: float = 0.0  # seconds from the first request to the last answer


def run(job: Job) -> Outcome:
    """Run the job in its own process. Raises LoadError."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.system.client"],
        cwd=ROOT,
        input=json.dumps(dataclasses.asdict(job)),
        text=True,
        capture_output=True,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"the clients ended ({done.returncode})"]
        raise LoadError(f"{job.side}, {job.kind}: {said[-1]}")
    return Outcome(**json.loads(done.stdout))


async def ask(job: Job) -> Outcome:
    """Run the job in this process. Raises LoadError, OSError."""
    pictures = [Path(path).read_bytes() for path in job.pictures]
    asked = requests(job.side, job.kind, job.names, pictures, job.seed)
    outcome = Outcome()
    limited = (request for _, request in zip(range(job.most), asked, strict=False))
    begin = time.monotonic()
    clients = [_client(job, limited, begin + job.seconds, outcome) for _ in range(job.clients)]
    await asyncio.gather(*clients)
    outcome.seconds = time.monotonic() - begin
    return outcome


async def _client(job: Job, asked: Iterator[bytes], until: float, outcome: Outcome) -> None:
    connection = Connection(job.port)
    try:
        while time.monotonic() < until and (request := next(asked, None)):
            begin = time.monotonic()
            await _until_answered(connection, request, outcome)
            outcome.latencies.append(time.monotonic() - begin)
    finally:
        connection.close()


async def _until_answered(connection: Connection, request: bytes, outcome: Outcome) -> None:
    for _ in range(MOST_TRIES):
        async with asyncio.timeout(PATIENCE):
            status, headers, body = await connection.exchange(request)
        if status == 200 and body.count(b'"score"') == BEST:
            return
        wait = headers.get("retry-after", "")
        if status != 503 or not wait:
            raise LoadError(f"answered {status}: {body[:200].decode(errors='replace')}")
        outcome.turned_away += 1
        await asyncio.sleep(float(wait))
    raise LoadError(f"turned away {MOST_TRIES} times")


class Connection:
    """A kept connection, opened again if the server has closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    def close(self) -> None:
        if self._streams:
            self._streams[1].close()
        self._streams = None

    async def exchange(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        """Status, headers with lower-case names, body. Raises OSError, LoadError."""
        if self._streams:
            try:
                return await self._exchange(*self._streams, request)
            except (asyncio.IncompleteReadError, ConnectionError):
                self.close()  # the server closed it while idle: retry on a new one
        self._streams = await asyncio.open_connection(HOST, self._port)
        try:
            return await self._exchange(*self._streams, request)
        except asyncio.IncompleteReadError as error:
            raise LoadError("the server closed the connection without an answer") from error

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in head[1:] if line)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        body = await reader.readexactly(int(headers["content-length"]))
        if headers.get("connection", "").lower() == "close":
            self.close()
        return int(head[0].split()[1]), headers, body


if __name__ == "__main__":
    try:
        outcome = asyncio.run(ask(Job(**json.load(sys.stdin))))
    except (LoadError, OSError) as error:
        sys.exit(str(error) or type(error).__name__)
    print(json.dumps(dataclasses.asdict(outcome)))
