"""Commits: immutable, numbered objects that name the segments of the index.

Only publishing number N + 1 can race. The loser gets ObjectExists.
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
from clipsearch.index.format.versions import refuse_newer
from clipsearch.storage import Bucket, Stat

FORMAT = 1
# One commit a second reaches it after three thousand years. Readers ignore greater numbers: no
# commit could follow them.
MAX_NUMBER = 99_999_999_999


@dataclass(frozen=True, slots=True)
class Commit:
    """The index of `space` after `number` commits; number 0 is the empty one before the first.

    `segments`: names of segments. `sizes`: number of entries by segment.
    `replaced`: maps each merged segment to the segment that contains it. The merged segment may
    still exist; readers skip it. All sources of a segment are added and removed together. So a
    reader that has seen all sources has seen the segment.
    `packs`: maps a segment to the full name of its pack, made with the object `quantizer`.
    `purged`: when the last purge finished.
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
    """The number in the object name `path`; 0 if it is not a commit or above MAX_NUMBER."""
    found = re.fullmatch(re.escape(commits_prefix(space)) + r"([0-9]{12})\.json", path)
    number = int(found[1]) if found else 0
    return number if number <= MAX_NUMBER else 0


def list_commits(bucket: Bucket, space: str) -> list[Stat]:
    """The commit objects by number. They are few: compaction deletes old ones."""
    stats = bucket.list(commits_prefix(space))
    return [stat for stat in stats if commit_number(stat.name, space)]


def newest_commit(bucket: Bucket, space: str) -> Commit:
    """The commit with the greatest number, or an empty one with number 0.

    Raises UnknownFormat and DamagedObject.
    """
    stats = list_commits(bucket, space)
    return read_commit(bucket, space, stats[-1].name) if stats else Commit(space, 0)


def read_commit(bucket: Bucket, space: str, path: str) -> Commit:
    """The commit in the object `path`. Raises UnknownFormat, DamagedObject and ObjectNotFound."""
    return _parse(path, space, bucket.read(path))


def publish_commit(bucket: Bucket, commit: Commit) -> None:
    """Raises ObjectExists if the number is taken: read the newest commit and retry."""
    if not 1 <= commit.number <= MAX_NUMBER:
        raise ValueError(f"a commit number is from 1 to {MAX_NUMBER}, not {commit.number!r}")
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
        if document.get("checksum", _checksum(document)) != _checksum(document):
            raise ValueError("its checksum does not match")
        refuse_newer(path, document.get("format"), FORMAT)
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
            raise ValueError(f"it has {found!r} instead of {expected!r}")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        # truncated: it may quote a hundred thousand names
        raise DamagedObject(path, f"it is not a commit of this space: {exc!r:.300}") from exc
    return commit


def _checksum(document: Mapping[str, Any]) -> int:
    """CRC-32 of the other fields. Detects a flipped bit in a name, which is still a valid name."""
    said = {key: value for key, value in document.items() if key != "checksum"}
    return zlib.crc32(json.dumps(said, sort_keys=True).encode())


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(_matches(name, "[^/]+") for name in value):
        raise ValueError(f"{value!r} is not a list of names of segments")
    return tuple(value)


def _by_target(replaced: Mapping[str, str]) -> dict[str, list[str]]:
    """The stored form: shorter, because many segments (up to 100,000) are merged into few."""
    found: dict[str, list[str]] = {}
    for old, new in replaced.items():
        found.setdefault(new, []).append(old)
    return found


def _by_source(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValueError(f"{value!r} is not a map of replaced segments")
    return {old: new for new in _names([*value]) for old in _names(value[new])}


def _packs(value: Any, space: str) -> dict[str, str]:
    if not isinstance(value, dict) or not all(
        _matches(key, "[^/]+") and _matches(name, f"{space}/.+") for key, name in value.items()
    ):
        raise ValueError(f"{value!r} is not a map from segments to packs")
    return value


def _sizes(value: Any) -> dict[str, int]:
    if not isinstance(value, dict) or not all(
        type(size) is int and size > 0 for size in value.values()
    ):
        raise ValueError(f"{value!r} is not a map from segments to numbers of entries")
    return value


def _quantizer(value: Any, space: str) -> str | None:
    if value is not None and not _matches(value, f"{space}/.+"):
        raise ValueError(f"{value!r} is not the name of a quantizer")
    return None if value is None else str(value)


def _time(value: str) -> datetime:
    """A time with a time zone; times without one cannot be compared with it."""
    time = datetime.fromisoformat(value)
    if time.tzinfo is None:
        raise ValueError(f"the time {value!r} has no time zone")
    return time


def _matches(value: Any, form: str) -> bool:
    return isinstance(value, str) and re.fullmatch(form, value) is not None
