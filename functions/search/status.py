"""GET /status: the state of the index, for whoever looks after it.

Imported on the first request that needs it, not with main.py (see search.state).
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from clipsearch.entries import Entries, Kind
from search.state import State

FAILURES_SHOWN = 100

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def status_of(state: State) -> dict[str, Any]:
    """The answer as HTTP gives it. `objects` and `pending` need a reconcile to be known."""
    snapshot = state.snapshot
    return {
        "model": state.encoder.name,
        "space": state.encoder.space,
        "commit": snapshot.commit,
        "updated": rfc3339(snapshot.updated) if snapshot.updated else None,
        "photos": {
            "objects": None,
            "indexed": snapshot.photos,
            "failed": snapshot.failures,
            "pending": None,
        },
        "failures": _failures(snapshot.entries),
    }


def _failures(entries: Entries) -> list[dict[str, Any]]:
    rows = np.flatnonzero(entries.kinds == Kind.FAILURE)
    rows = rows[np.argsort(-entries.times[rows], kind="stable")][:FAILURES_SHOWN]
    return [
        {
            "name": entries.name(row),
            "generation": int(entries.generations[row]),
            "reason": entries.reason(row),
            # a timedelta, because a float of seconds loses microseconds
            "at": rfc3339(_EPOCH + timedelta(microseconds=int(entries.times[row]))),
        }
        for row in rows.tolist()
    ]


def rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
