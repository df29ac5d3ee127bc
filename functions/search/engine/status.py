"""GET /status: the state of the index, for operators.

Imported on the first request that needs it, not with main.py (see search.engine.state).
"""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from clipsearch.errors import DamagedObject, StorageError
from clipsearch.index.format.entries import Cause
from clipsearch.index.reader.snapshot_reader import Snapshot
from clipsearch.index.reconcile_log import Coverage, CoverageReader
from clipsearch.storage import Bucket
from clipsearch.version import __version__
from search.engine.state import State

log = logging.getLogger("clipsearch")

FAILURES_SHOWN = 100
KINDS: dict[int, str] = {Cause.REFUSED: "refused", Cause.GAVE_UP: "gave up"}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class StatusReader:
    """Reads the last reconcile's record on each request. Safe to use from several threads."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._records: CoverageReader | None = None

    def status(self, state: State) -> dict[str, Any]:
        """Return the JSON. `objects` and `pending` are null before the first reconcile."""
        snapshot = state.snapshot
        coverage, damaged = self._coverage(snapshot.space)
        pending = None
        if coverage is not None:
            photos = coverage.pending
            pending = snapshot.lacking(photos.keys, photos.generations)
        return {
            "version": __version__,
            "model": state.encoder.name,
            "space": snapshot.space,
            "commit": snapshot.commit,
            "updated": rfc3339(snapshot.updated) if snapshot.updated else None,
            "photos": {
                "objects": coverage.objects if coverage else None,
                "indexed": snapshot.photos,
                "failed": snapshot.failures - snapshot.skipped,
                "skipped": snapshot.skipped,
                "pending": pending,
            },
            "reconciled": _reconciled(coverage),
            "failures": _failures(snapshot),
            "damaged": [*_damaged(snapshot), *damaged],
        }

    def _coverage(self, space: str) -> tuple[Coverage | None, list[dict[str, str]]]:
        """Return (the newest readable record, the newest one if it is damaged)."""
        records = self._records
        if records is None or records.space != space:
            records = self._records = CoverageReader(self._bucket, space)
        try:
            return records.newest(), []
        except DamagedObject as error:
            return records.known, [{"object": error.name, "reason": error.reason}]
        except StorageError as error:
            log.warning("the record of the last reconcile cannot be read: %s", error)
            return records.known, []


def _reconciled(coverage: Coverage | None) -> dict[str, str] | None:
    if coverage is None:
        return None
    return {"started": rfc3339(coverage.started), "at": rfc3339(coverage.finished)}


def _damaged(snapshot: Snapshot) -> list[dict[str, str]]:
    """List damaged segments and commits, which are ignored."""
    pairs = [line.partition(": ") for line in snapshot.damaged]
    return [{"object": name, "reason": reason} for name, _, reason in pairs]


def _failures(snapshot: Snapshot) -> list[dict[str, Any]]:
    entries = snapshot.newest_failed(FAILURES_SHOWN)
    return [
        {
            "name": entries.name(row),
            "generation": int(entries.generations[row]),
            "kind": KINDS.get(int(entries.widths[row]), "unreadable"),
            "reason": entries.reason(row),
            # a timedelta, because seconds as a float lose microseconds
            "at": rfc3339(_EPOCH + timedelta(microseconds=int(entries.times[row]))),
        }
        for row in (-entries.times).argsort(kind="stable").tolist()
    ]


def rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
