"""Commits: immutable, numbered objects that name the segments which make up the index.

Publishing number N + 1 is the only step that can lose a race, and whoever loses it knows.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from clipsearch.errors import DamagedObject
from clipsearch.storage import Bucket

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Commit:
    """The index of `space` after `number` commits; number 0 is the empty one before the first.

    `segments`, `replaced`: names of segments. The replaced ones have been merged into others
    and may still exist; a reader leaves them out.
    """

    space: str
    number: int
    segments: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    created: datetime | None = None


def commit_path(space: str, number: int) -> str:
    """The name of the object: sorts by number, up to 12 digits."""
    return f"{space}/commits/{number:012d}.json"


def newest_commit(bucket: Bucket, space: str) -> Commit:
    """The commit with the greatest number; number 0 if there is none. Raises DamagedObject."""
    names = [stat.name for stat in bucket.list(f"{space}/commits/")]
    return _parse(names[-1], space, bucket.read(names[-1])) if names else Commit(space, 0)


def publish_commit(bucket: Bucket, commit: Commit) -> None:
    """Raises ObjectExists if another commit has the number: read the newest one and try again."""
    if commit.number < 1:
        raise ValueError(f"the first commit has number 1, not {commit.number!r}")
    created = commit.created or datetime.now(UTC)
    document = {
        "format": FORMAT,
        "space": commit.space,
        "number": commit.number,
        "created": created.isoformat(),
        "segments": list(commit.segments),
        "replaced": list(commit.replaced),
    }
    data = json.dumps(document, indent=1).encode()
    bucket.create(commit_path(commit.space, commit.number), data, "application/json")


def _parse(path: str, space: str, data: bytes) -> Commit:
    try:
        document = json.loads(data)
        commit = Commit(
            space=space,
            number=int(path.removeprefix(f"{space}/commits/").removesuffix(".json")),
            segments=_names(document["segments"]),
            replaced=_names(document["replaced"]),
            created=datetime.fromisoformat(document["created"]),
        )
        expected = {"format": FORMAT, "space": space, "number": commit.number}
        found = {key: document[key] for key in expected}
        if found != expected:
            raise ValueError(f"it says {found!r} instead of {expected!r}")
    except (ValueError, KeyError, TypeError) as exc:
        raise DamagedObject(path, f"it is not a commit of this space: {exc!r}") from exc
    return commit


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(
        isinstance(name, str) and re.fullmatch(r"[^/]+", name) for name in value
    ):
        raise ValueError(f"{value!r} is not a list of names of segments")
    return tuple(value)
