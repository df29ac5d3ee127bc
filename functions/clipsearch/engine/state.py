"""What the mirror holds: write-once, numbered objects below <space>/mirror/.

A state names a table of the engine and the segments whose entries are all in it. Rows of a table
only change to later states of their photos, so whoever reads a state may open the table's newest
version.

Compaction drops tombstones after a week. A table that has missed one would show a deleted photo
for ever, so a mirror that was not whole for START_OVER_AFTER begins a new table.
"""

from __future__ import annotations

import json
import re
import secrets
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from clipsearch.errors import DamagedObject, ObjectExists, ObjectNotFound, StorageError
from clipsearch.index.format.segments import is_segment_name
from clipsearch.index.format.versions import refuse_newer
from clipsearch.storage import Bucket

FORMAT = 1
KEPT = 16  # older states are deleted: their readers read the newest one
RACES = 20  # races for a number that a mirror may lose in a row
START_OVER_AFTER = timedelta(days=3)
# Searches use a table for longer than mirrors do: they read the newer segments themselves.
USABLE_FOR = timedelta(days=6)
SCHEMA = 3  # of the table. A mirror begins a new one where the table has another
# A state without news is published again after this time, for its `whole`.
RENEW_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class MirrorState:
    """`table`: its name, for the engine. `segments`: names of those whose entries are all in it.

    `whole`: when the table last had everything, or when it began. `since`: when it had everything
    for the first time; None: never yet. Number 0: there is no state.
    """

    space: str
    table: str
    whole: datetime
    segments: frozenset[str] = frozenset()
    number: int = 0
    since: datetime | None = None
    schema: int = SCHEMA


def states_prefix(space: str) -> str:
    return f"{space}/mirror/"


def state_path(space: str, number: int) -> str:
    return f"{states_prefix(space)}{number:012d}.json"


def tables_prefix(space: str) -> str:
    return f"{space}/tables/"


def table_path(space: str, table: str) -> str:
    """Where the engine keeps the table: a folder, beside the states."""
    return f"{tables_prefix(space)}{table}.lance"


def new_table(space: str, now: datetime) -> MirrorState:
    """The state before the first one of a new table; it is not published."""
    return MirrorState(space, f"{int(now.timestamp()):012x}-{secrets.token_hex(4)}", now)


def begun(table: str) -> datetime:
    """When the table with this name began."""
    return datetime.fromtimestamp(int(table.partition("-")[0], 16), UTC)


def newest_state(bucket: Bucket, space: str) -> MirrorState | None:
    """The newest state that is readable. Raises UnknownFormat, StorageError.

    A damaged one is passed over: then the mirror repeats some work.
    """
    for _ in range(RACES):
        try:
            return _newest(bucket, space)
        except ObjectNotFound:  # a mirror has published KEPT more since the listing
            continue
    raise StorageError(f"the states of the mirror in {bucket.url} vanish while they are read")


def publish(
    bucket: Bucket,
    state: MirrorState,
    present: frozenset[str],
    now: datetime,
    renew_after: timedelta = RENEW_AFTER,
    lost: str | None = None,
) -> MirrorState:
    """Publish this state, joined with what others have published for its table meanwhile.

    `present`: segments that exist or that the commit names; others are forgotten. `renew_after`: a
    state without news is published only if its `whole` is later by so much. `lost`: a table that
    was deleted, and that states may still name. Returns the newest state. It has another table if
    another mirror began that one first: go on with it.
    Raises StorageError.
    """
    for _ in range(RACES):
        newest = newest_state(bucket, state.space)
        joined = _joined(newest, state, present, now, renew_after, lost)
        if newest is not None and (joined is None or joined == newest):
            return newest
        assert joined is not None
        numbers = state_numbers(bucket, state.space)
        following = replace(joined, number=max(numbers, default=0) + 1)
        path = state_path(state.space, following.number)
        try:
            bucket.create(path, _bytes(following), "application/json")
        except ObjectExists:
            continue
        # While a new table is filled, searches use the one before, which only older states name.
        for old in numbers if following.since else ():
            if old <= following.number - KEPT:
                bucket.delete(state_path(state.space, old))
        return following
    raise StorageError(f"other mirrors published a state of {state.space!r} first, {RACES} times")


def _joined(
    newest: MirrorState | None,
    state: MirrorState,
    present: frozenset[str],
    now: datetime,
    renew_after: timedelta,
    lost: str | None,
) -> MirrorState | None:
    """What to publish after `newest`; `newest` itself if that says enough; None: go on with it."""
    if newest is None:
        return replace(state, segments=state.segments & present)
    if newest.table != state.table:
        is_past = newest.table == lost or is_too_old(newest, now)
        return replace(state, segments=state.segments & present) if is_past else None
    segments = (newest.segments | state.segments) & present
    since = newest.since or state.since
    is_same = (segments, since) == (newest.segments, newest.since)
    if is_same and state.whole - newest.whole < renew_after:
        return newest
    whole = max(newest.whole, state.whole)
    return replace(newest, segments=segments, whole=whole, since=since)


def is_too_old(state: MirrorState, now: datetime) -> bool:
    """Whether its table may have missed a tombstone, or lacks columns."""
    return state.schema != SCHEMA or now - state.whole > START_OVER_AFTER


def is_usable(state: MirrorState, now: datetime) -> bool:
    """Whether searches may use its table, with the segments that the state does not name."""
    return bool(state.since) and state.schema == SCHEMA and now - state.whole <= USABLE_FOR


def _newest(bucket: Bucket, space: str) -> MirrorState | None:
    for number in sorted(state_numbers(bucket, space), reverse=True):
        try:
            return read_state(bucket, space, number)
        except DamagedObject as damaged:
            if type(damaged) is not DamagedObject:  # of a newer version
                raise
    return None


def read_state(bucket: Bucket, space: str, number: int) -> MirrorState:
    """Raises DamagedObject, UnknownFormat, ObjectNotFound, StorageError."""
    path = state_path(space, number)
    return _parse(path, space, number, bucket.read(path))


def state_numbers(bucket: Bucket, space: str) -> dict[int, int]:
    """The generation of each by number, ascending."""
    form = re.escape(states_prefix(space)) + r"([0-9]{12})\.json"
    stats = bucket.list(states_prefix(space))
    found = ((re.fullmatch(form, stat.name), stat.generation) for stat in stats)
    return {int(number[1]): generation for number, generation in found if number}


def _bytes(state: MirrorState) -> bytes:
    document = {
        "format": FORMAT,
        "space": state.space,
        "number": state.number,
        "table": state.table,
        "schema": state.schema,
        "whole": state.whole.isoformat(),
        "since": state.since.isoformat() if state.since else None,
        "segments": sorted(state.segments),
    }
    return json.dumps({**document, "checksum": _checksum(document)}, indent=1).encode()


def _parse(path: str, space: str, number: int, data: bytes) -> MirrorState:
    try:
        document = json.loads(data)
        refuse_newer(path, document.get("format"), FORMAT)
        said = {key: value for key, value in document.items() if key != "checksum"}
        segments = document["segments"]
        if document["checksum"] != _checksum(said):
            raise ValueError("its checksum does not match")
        if (document["format"], document["space"], document["number"]) != (FORMAT, space, number):
            raise ValueError("its format, space or number is another")
        if not all(isinstance(name, str) and is_segment_name(name) for name in segments):
            raise ValueError("its segments are no names of segments")
        table, whole = document["table"], _time(document["whole"])
        since = None if document.get("since") is None else _time(document["since"])
        if not is_table_name(table):
            raise ValueError("its table is no name of a table")
        schema = int(document.get("schema", 1))
        return MirrorState(space, table, whole, frozenset(segments), number, since, schema)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise DamagedObject(path, f"it is not a state of the mirror: {exc!r:.300}") from exc


def is_table_name(name: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{1,15}-[0-9a-f]{1,32}", name) is not None


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"the time {text} has no zone")
    return moment


def _checksum(document: Mapping[str, Any]) -> int:
    return zlib.crc32(json.dumps(document, sort_keys=True).encode())
