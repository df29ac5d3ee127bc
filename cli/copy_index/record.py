"""What the copy holds: numbered, write-once objects in the copy itself.

    copies/<12 digits>.json    {"format": 1, "from": URL, "segments": {SPACE: [NAME, …]}}

Each is written before the segments that it names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from cli.common.errors import RunError, UsageError
from clipsearch.errors import DamagedObject, ObjectExists
from clipsearch.index.format.versions import refuse_newer
from clipsearch.storage import Bucket

FORMAT = 1
FOLDER = "copies/"
# What an index bucket may hold. A bucket of photos holds something else.
_OURS = re.compile(r"(models|copies|attempts|[0-9a-f]{12})/.")
_INDEXED = re.compile(r"[0-9a-f]{12}/(segments|commits)/.")


class Record:
    """The segments that copies of `source` have written, or were about to write, to `target`."""

    def __init__(self, source: Bucket, target: Bucket) -> None:
        """Begin or continue the copy. Raises UsageError if `target` holds something else,
        DamagedObject, StorageError."""
        self._source, self._target = source, target
        self._segments: dict[str, set[str]] = {}
        self._number = 0
        for stat in list(target.list(FOLDER)):
            self._read(stat.name)
        if not self._number:
            _refuse_used(target)
            self._write({})

    def refuse_others(self, space: str, there: Iterable[str]) -> None:
        """Raise UsageError if a segment in the copy is not of the copy."""
        others = sorted(set(there) - self._segments.get(space, set()))
        if others:
            raise UsageError(
                f"{self._target.url} has changed since it was copied: its index of {space} has "
                f"{len(others):,} segments of its own, such as {others[0]}; copy to an empty place"
            )

    def add(self, space: str, names: Iterable[str]) -> None:
        """Note segments that will be written now. RunError if another copy goes on."""
        new = sorted(set(names) - self._segments.get(space, set()))
        if new:
            self._write({space: new})
            self._segments.setdefault(space, set()).update(new)

    def _write(self, segments: dict[str, list[str]]) -> None:
        document = {"format": FORMAT, "from": self._source.url, "segments": segments}
        name = f"{FOLDER}{self._number + 1:012d}.json"
        try:
            self._target.create(name, json.dumps(document).encode(), "application/json")
        except ObjectExists as error:
            raise RunError(another_copy(self._target)) from error
        self._number += 1

    def _read(self, name: str) -> None:
        number = re.fullmatch(rf"{FOLDER}(\d{{12}})\.json", name)
        if number is None:
            return
        try:
            document = json.loads(self._target.read(name))
            refuse_newer(name, document["format"], FORMAT)
            source, segments = document["from"], document["segments"]
            found = {space: set(map(str, names)) for space, names in segments.items()}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DamagedObject(name, f"it is not a record of a copy ({error!r:.200})") from error
        if source != self._source.url:
            raise UsageError(
                f"{self._target.url} is a copy of {source}, not of {self._source.url}; "
                "copy to an empty place"
            )
        for space, names in found.items():
            self._segments.setdefault(space, set()).update(names)
        self._number = max(self._number, int(number[1]))


def another_copy(target: Bucket) -> str:
    return f"another copy to {target.url} goes on; wait for its end, then repeat this one"


def _refuse_used(target: Bucket) -> None:
    """A place with models alone is empty: Terraform puts the first one there."""
    for stat in target.list():
        if not _OURS.match(stat.name):
            raise UsageError(
                f"{target.url} is not empty and holds no index; it has {stat.name!r}; "
                "copy to an empty place"
            )
        if _INDEXED.match(stat.name):
            raise UsageError(
                f"{target.url} holds another index; it has {stat.name}; copy to an empty place"
            )
