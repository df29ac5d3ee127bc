"""Parses CloudEvents of Cloud Storage, strictly.

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
# A bucket with object versions sends this in place of `deleted`. It also sends it for the old
# generation of a replaced photo. The new generation stays, by the merge rule.
ARCHIVED = "google.cloud.storage.object.v1.archived"
TYPES = (FINALIZED, DELETED, ARCHIVED)


@dataclass(frozen=True, slots=True)
class PhotoEvent:
    """A generation of a photo was written (`finalized`) or deleted.

    `name` is relative to the prefix of CLIPSEARCH_PHOTOS. `size` is in bytes; None: unknown.
    """

    finalized: bool
    name: str
    generation: int
    size: int | None


class Refused(Exception):
    """There is nothing to do for this event, now or later. `level` is that of its log line."""

    def __init__(self, reason: str, level: int = logging.ERROR) -> None:
        super().__init__(reason)
        self.level = level


def parse_event(event: Any, photos: str) -> PhotoEvent:
    """`event` is a CloudEvent, `photos` the URL of the photos bucket. Raises Refused."""
    type_, data = event["type"], event.data
    if type_ not in TYPES:
        raise Refused(f"type {type_!r} is unknown; it must be one of {', '.join(TYPES)}")
    if not isinstance(data, Mapping):
        raise Refused(f"the payload must be a JSON object, not {type(data).__name__}")
    name = data.get("name")
    if not isinstance(name, str) or not name or not _is_text(name):
        raise Refused(f"name {name!r} must be the name of an object")
    if photos.startswith("gs://"):
        name = _name_in(photos, data.get("bucket"), name)
    if not name or name.endswith("/"):
        raise Refused("placeholder of a folder", logging.INFO)
    size = None if data.get("size") is None else _number(data, "size")
    return PhotoEvent(type_ == FINALIZED, name, _number(data, "generation"), size)


def age_s(event: Any) -> float | None:
    """Seconds since the upload or deletion. None if the event has no valid time."""
    try:
        happened = datetime.fromisoformat(event.get("time"))
        return max(0.0, (datetime.now(UTC) - happened).total_seconds())
    except (TypeError, ValueError):
        return None


def _is_text(name: str) -> bool:
    """False for half of a surrogate pair: JSON allows it, the name of an object does not."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _name_in(photos: str, bucket: Any, name: str) -> str:
    """`name` without the prefix of `photos`.

    Raises Refused: as an error for another bucket, as information for an object outside of the
    prefix, because a trigger cannot filter by prefix.
    """
    ours, prefix = gs_parts(photos)
    if bucket != ours:
        raise Refused(f"bucket {bucket!r} is not the photos bucket {ours!r}; check the trigger")
    if not name.startswith(prefix):
        raise Refused(f"not in the folder {prefix!r} of the photos", logging.INFO)
    return name.removeprefix(prefix)


def _number(data: Mapping[str, Any], key: str) -> int:
    """A number from 0 to MAX_GENERATION. Google's JSON has 64-bit numbers as strings."""
    value = data.get(key)
    # int() alone would take " 12 ", "1_000" and the digits of every script.
    digits = str(value) if isinstance(value, (str, int)) else ""
    if re.fullmatch(r"[0-9]{1,19}", digits) and int(digits) <= MAX_GENERATION:
        return int(digits)
    raise Refused(f"{key} {value!r} must be a number of at most 19 digits")
