"""CloudEvents of Cloud Storage, read strictly into what `ingest` works with.

The payload is StorageObjectData:
https://github.com/googleapis/google-cloudevents/blob/main/proto/google/events/cloud/storage/v1/data.proto
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from clipsearch.index.format.generations import MAX_GENERATION
from clipsearch.storage import gs_parts

FINALIZED = "google.cloud.storage.object.v1.finalized"
DELETED = "google.cloud.storage.object.v1.deleted"
# A bucket with versions sends this in place of `deleted`, and also when a photo is replaced, then
# for the generation before. That one is gone, too; its successor stays, by the merge rule.
ARCHIVED = "google.cloud.storage.object.v1.archived"
TYPES = (FINALIZED, DELETED, ARCHIVED)


@dataclass(frozen=True, slots=True)
class PhotoEvent:
    """A generation of a photo came (`finalized`) or went.

    `name` is relative to the prefix of CLIPSEARCH_PHOTOS; `size` in bytes, None if not said.
    """

    finalized: bool
    name: str
    generation: int
    size: int | None


class Refused(Exception):
    """There is nothing to do for this event, now or later; `level` says whether it matters."""

    def __init__(self, reason: str, level: int = logging.ERROR) -> None:
        super().__init__(reason)
        self.level = level


def parse_event(event: Any, photos: str) -> PhotoEvent:
    """`event` is a CloudEvent; `photos` the address of the photos bucket. Raises Refused."""
    type_, data = event["type"], event.data
    if type_ not in TYPES:
        raise Refused(f"type {type_!r} is none of {', '.join(TYPES)}")
    if not isinstance(data, Mapping):
        raise Refused(f"the payload is no JSON object but {type(data).__name__}")
    name = data.get("name")
    if not isinstance(name, str) or not name or not _is_text(name):
        raise Refused(f"name {name!r} is not the name of an object")
    if photos.startswith("gs://"):
        name = _name_in(photos, data.get("bucket"), name)
    if not name or name.endswith("/"):
        raise Refused("a folder's placeholder", logging.INFO)
    size = None if data.get("size") is None else _number(data, "size")
    return PhotoEvent(type_ == FINALIZED, name, _number(data, "generation"), size)


def age_s(event: Any) -> float | None:
    """Seconds since what the event tells of happened; the same event delivered again is older.
    None if it does not say."""
    try:
        happened = datetime.fromisoformat(event.get("time"))
        return max(0.0, (datetime.now(UTC) - happened).total_seconds())
    except (TypeError, ValueError):
        return None


def _is_text(name: str) -> bool:
    """JSON may hold half of a surrogate pair, which no name of an object does."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _name_in(photos: str, bucket: Any, name: str) -> str:
    """`name` without the prefix of `photos`. A trigger on the wrong bucket is a mistake, an
    object beside the prefix is not: a trigger cannot filter by prefix."""
    ours, prefix = gs_parts(photos)
    if bucket != ours:
        raise Refused(f"bucket {bucket!r} is not that of the photos, {ours!r}")
    if not name.startswith(prefix):
        raise Refused(f"not below {prefix!r}", logging.INFO)
    return name.removeprefix(prefix)


def _number(data: Mapping[str, Any], key: str) -> int:
    """64-bit numbers are strings in Google's JSON, and numbers elsewhere."""
    value = data.get(key)
    # Strictly: int() itself takes " 12 ", "1_000" and the digits of every script.
    digits = str(value) if isinstance(value, (str, int)) else ""
    if re.fullmatch(r"[0-9]{1,19}", digits) and int(digits) <= MAX_GENERATION:
        return int(digits)
    raise Refused(f"{key} {value!r} is not a number")
