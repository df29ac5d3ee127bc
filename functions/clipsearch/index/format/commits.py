"""Commits: immutable, numbered objects that name the segments which make up the index.

Publishing number N + 1 is the only step that can lose a race, and whoever loses it knows.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from clipsearch.errors import DamagedObject
from clipsearch.storage import Bucket, Stat

FORMAT = 1
# One a second reaches it after three thousand years. Greater numbers are not ours: nothing could
# follow them.
MAX_NUMBER = 99_999_999_999


@dataclass(frozen=True, slots=True)
class Commit:
    """The index of `space` after `number` commits; number 0 is the empty one before the first.

    `segments`: names of segments. `sizes`: how many entries each of them has.
    `replaced`: a segment that was merged into another, and the name of that one. It may still
    exist; a reader leaves it out. All that were merged into one segment come and go together,
    so whoever knows all sources of a segment knows what is in it.
    `packs`: a segment and the whole name of the object with its compressed vectors, made with
    the object `quantizer`.
    `purged`: when the last search for entries that no longer count was finished.
    """

    space: str
    number: int
    segments: tuple[str, ...] = ()
    replaced: Mapping[str, str] = field(default_factory=dict)
    packs: Mapping[str, str] = field(default_factory=dict)
    quantizer: str | None = None
    sizes: Mapping[str, int] = field(default_factory=dict)
    purged: datetime | None = None
    created: datetime | None = None


def commits_prefix(space: str) -> str:
    return f"{space}/commits/"


def commit_path(space: str, number: int) -> str:
    """The name of the object: sorts by number, up to 12 digits."""
    return f"{commits_prefix(space)}{number:012d}.json"


def commit_number(path: str, space: str) -> int:
    """The number of the commit that the object `path` is; 0 if it is none, or too great."""
    found = re.fullmatch(re.escape(commits_prefix(space)) + r"([0-9]{12})\.json", path)
    number = int(found[1]) if found else 0
    return number if number <= MAX_NUMBER else 0


def list_commits(bucket: Bucket, space: str) -> list[Stat]:
    """The objects that are commits, by number. Compaction sees to it that they are not many."""
    stats = bucket.list(commits_prefix(space))
    return [stat for stat in stats if commit_number(stat.name, space)]


def newest_commit(bucket: Bucket, space: str) -> Commit:
    """The commit with the greatest number; number 0 if there is none. Raises DamagedObject."""
    stats = list_commits(bucket, space)
    return read_commit(bucket, space, stats[-1].name) if stats else Commit(space, 0)


def read_commit(bucket: Bucket, space: str, path: str) -> Commit:
    """The commit that the object `path` is. Raises DamagedObject and ObjectNotFound."""
    return _parse(path, space, bucket.read(path))


def publish_commit(bucket: Bucket, commit: Commit) -> None:
    """Raises ObjectExists if another commit has the number: read the newest one and try again."""
    if not 1 <= commit.number <= MAX_NUMBER:
        raise ValueError(f"a commit has a number from 1 to {MAX_NUMBER}, not {commit.number!r}")
    created = commit.created or datetime.now(UTC)
    document: dict[str, Any] = {
        "format": FORMAT,
        "space": commit.space,
        "number": commit.number,
        "created": created.isoformat(),
        "segments": list(commit.segments),
        "sizes": dict(commit.sizes),
        "replaced": _by_target(commit.replaced),
        "packs": dict(commit.packs),
        "quantizer": commit.quantizer,
        "purged": commit.purged and commit.purged.isoformat(),
    }
    document["checksum"] = _checksum(document)
    data = json.dumps(document, indent=1).encode()
    bucket.create(commit_path(commit.space, commit.number), data, "application/json")


def _parse(path: str, space: str, data: bytes) -> Commit:
    try:
        document = json.loads(data)
        commit = Commit(
            space=space,
            number=commit_number(path, space),
            segments=_names(document["segments"]),
            replaced=_by_source(document["replaced"]),
            packs=_packs(document.get("packs", {}), space),
            quantizer=_quantizer(document.get("quantizer"), space),
            sizes=_sizes(document.get("sizes", {})),
            purged=_time(document["purged"]) if document.get("purged") else None,
            created=_time(document["created"]),
        )
        expected = {"format": FORMAT, "space": space, "number": commit.number}
        found = {key: document[key] for key in expected}
        if found != expected:
            raise ValueError(f"it says {found!r} instead of {expected!r}")
        if document.get("checksum", _checksum(document)) != _checksum(document):
            raise ValueError("its checksum is that of another one")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        # cut, for it may quote a hundred thousand names
        raise DamagedObject(path, f"it is not a commit of this space: {exc!r:.300}") from exc
    return commit


def _checksum(document: Mapping[str, Any]) -> int:
    """CRC-32 of all that the commit says besides: a bit that flips in a name leaves a name."""
    said = {key: value for key, value in document.items() if key != "checksum"}
    return zlib.crc32(json.dumps(said, sort_keys=True).encode())


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(_matches(name, "[^/]+") for name in value):
        raise ValueError(f"{value!r} is not a list of names of segments")
    return tuple(value)


def _by_target(replaced: Mapping[str, str]) -> dict[str, list[str]]:
    """As it is stored: while an index is filled, a hundred thousand lead to a few."""
    found: dict[str, list[str]] = {}
    for old, new in replaced.items():
        found.setdefault(new, []).append(old)
    return found


def _by_source(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValueError(f"{value!r} does not say what was replaced")
    return {old: new for new in _names([*value]) for old in _names(value[new])}


def _packs(value: Any, space: str) -> dict[str, str]:
    if not isinstance(value, dict) or not all(
        _matches(key, "[^/]+") and _matches(name, f"{space}/.+") for key, name in value.items()
    ):
        raise ValueError(f"{value!r} does not lead from segments to packs")
    return value


def _sizes(value: Any) -> dict[str, int]:
    if not isinstance(value, dict) or not all(
        type(size) is int and size > 0 for size in value.values()
    ):
        raise ValueError(f"{value!r} does not say how many entries segments have")
    return value


def _quantizer(value: Any, space: str) -> str | None:
    if value is not None and not _matches(value, f"{space}/.+"):
        raise ValueError(f"{value!r} is not the name of a quantizer")
    return None if value is None else str(value)


def _time(value: str) -> datetime:
    """A time that says its zone: others cannot be compared."""
    time = datetime.fromisoformat(value)
    if time.tzinfo is None:
        raise ValueError(f"the time {value!r} does not say its zone")
    return time


def _matches(value: Any, form: str) -> bool:
    return isinstance(value, str) and re.fullmatch(form, value) is not None
