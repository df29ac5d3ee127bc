"""Parses maintenance messages, strictly. They reach `ingest` through a Pub/Sub topic.

The CloudEvent is google.cloud.pubsub.topic.v1.messagePublished. Its payload is
MessagePublishedData:
https://github.com/googleapis/google-cloudevents/blob/main/proto/google/events/cloud/pubsub/v1/data.proto

    {"action": "compact"}
    {"action": "reconcile"}                         from a scheduler
    {"action": "reconcile", "space", "run", "part", "after"}    continues where a part ended
    {"action": "index", "space", "photos": [[name, generation, size, at, known], …]}
    {"action": "remove", "space", "photos": [[name, at], …]}
    {"action": "fill", "space", "segment", "rows": [row, …]}
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from ingest.events import PhotoEvent, Refused

PUBLISHED = "google.cloud.pubsub.topic.v1.messagePublished"

# Limits of one message. Eventarc takes 512 KB, base64 included. A photo takes about 50 ms and at
# most 20 MB. Pub/Sub delivers a message again after ten minutes.
MAX_PHOTOS = 256
MAX_REMOVED = 1000
MAX_FILLED = 16_000
MAX_PHOTO_BYTES = 250_000_000
MAX_JSON_BYTES = 140_000


@dataclass(frozen=True, slots=True)
class Compact:
    pass


@dataclass(frozen=True, slots=True)
class Reconcile:
    """Compare bucket and index: all names, or, as part number `part` of `run`, those after
    `after`. An empty `space` means the current model."""

    space: str = ""
    run: str = ""
    part: int = 0
    after: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A photo to index.

    `generation` and `size` (bytes; None: unknown) are those in the bucket. The entry is written
    with the generation `at`. `known` is the generation in the index: 0 for none, and None for a
    photo of an event, because `ingest` did not look. `begun`: its bytes, if a thread reads them
    already.
    """

    name: str
    generation: int
    size: int | None
    at: int
    known: int | None
    begun: Future[bytes] | None = field(default=None, compare=False, repr=False)

    @property
    def is_of_event(self) -> bool:
        return self.known is None


@dataclass(frozen=True, slots=True)
class Index:
    space: str
    photos: tuple[Wanted, ...]


@dataclass(frozen=True, slots=True)
class Remove:
    """Photos that are gone; each with the generation that the index has.

    `beside`: the other spaces that get the tombstones of an event. None for a message.
    """

    space: str
    photos: tuple[tuple[str, int], ...]
    beside: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Fill:
    """Entries that lack facts: `rows` of the segment named `segment`."""

    space: str
    segment: str
    rows: tuple[int, ...]


Message = Compact | Reconcile | Index | Remove | Fill


def message_of(
    event: PhotoEvent,
    space: str,
    beside: tuple[str, ...] = (),
    begun: Future[bytes] | None = None,
) -> Index | Remove:
    """The message for the event of one photo. Its entry goes to `space`; a tombstone goes to the
    spaces `beside`, too. `begun`: see Wanted."""
    name, generation = event.name, event.generation
    if event.finalized:
        photo = Wanted(name, generation, event.size, at=generation, known=None, begun=begun)
        return Index(space, (photo,))
    return Remove(space, ((name, generation),), beside)


def parse_message(data: Any) -> Message:
    """`data` is the payload of the CloudEvent. Raises Refused."""
    document = _document(data)
    action = document.get("action")
    if not isinstance(action, str) or action not in _PARSERS:
        raise Refused(f"action {action!r} is unknown; it must be one of {', '.join(_PARSERS)}")
    return _PARSERS[action](document)


def to_json(message: Message) -> bytes:
    document: dict[str, Any]
    if isinstance(message, Compact):
        document = {"action": "compact"}
    elif isinstance(message, Reconcile):
        document = {"action": "reconcile"}
        if message.run:
            document |= {"space": message.space, "run": message.run}
            document |= {"part": message.part, "after": message.after}
    elif isinstance(message, Index):
        photos: list[Any] = [[p.name, p.generation, p.size, p.at, p.known] for p in message.photos]
        document = {"action": "index", "space": message.space, "photos": photos}
    elif isinstance(message, Fill):
        document = {"action": "fill", "space": message.space}
        document |= {"segment": message.segment, "rows": message.rows}
    else:
        photos = [list(photo) for photo in message.photos]
        document = {"action": "remove", "space": message.space, "photos": photos}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _document(data: Any) -> Mapping[str, Any]:
    message = data.get("message") if isinstance(data, Mapping) else None
    encoded = message.get("data") if isinstance(message, Mapping) else None
    if not isinstance(encoded, str):
        raise Refused("the payload must be a Pub/Sub message with data")
    try:
        document = json.loads(base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError, RecursionError) as exc:
        raise Refused(f"the data of the message must be JSON in base64 ({exc})") from exc
    if not isinstance(document, dict):
        raise Refused(f"the message must be a JSON object, not {type(document).__name__}")
    return document


def _compact(document: Mapping[str, Any]) -> Compact:
    _check_keys(document)
    return Compact()


def _reconcile(document: Mapping[str, Any]) -> Reconcile:
    if set(document) == {"action"}:
        return Reconcile()
    _check_keys(document, "space", "run", "part", "after")
    return Reconcile(
        space=_match(document, "space", "[0-9a-f]{12}"),
        run=_match(document, "run", "[0-9a-f]{16}-[0-9a-f]{12}"),
        part=_number(document["part"], 9999),
        after=_name(document["after"]),
    )


def _index(document: Mapping[str, Any]) -> Index:
    _check_keys(document, "space", "photos")
    rows = _rows(document["photos"], 5, MAX_PHOTOS)
    photos = tuple(_wanted(*row) for row in rows)
    return Index(_match(document, "space", "[0-9a-f]{12}"), photos)


def _remove(document: Mapping[str, Any]) -> Remove:
    _check_keys(document, "space", "photos")
    rows = _rows(document["photos"], 2, MAX_REMOVED)
    photos = tuple((_name(name), _number(at)) for name, at in rows)
    return Remove(_match(document, "space", "[0-9a-f]{12}"), photos)


def _fill(document: Mapping[str, Any]) -> Fill:
    _check_keys(document, "space", "segment", "rows")
    rows = document["rows"]
    if not isinstance(rows, list) or not 1 <= len(rows) <= MAX_FILLED:
        raise Refused(f"rows must be a list of 1 to {MAX_FILLED} rows")
    return Fill(
        space=_match(document, "space", "[0-9a-f]{12}"),
        segment=_match(document, "segment", r"[0-9a-f]{16}-[0-9a-f]{12}\.npz"),
        rows=tuple(_number(row, 2**31 - 1) for row in rows),
    )


_PARSERS: dict[str, Callable[[Mapping[str, Any]], Message]] = {
    "compact": _compact,
    "reconcile": _reconcile,
    "index": _index,
    "remove": _remove,
    "fill": _fill,
}


def _check_keys(document: Mapping[str, Any], *names: str) -> None:
    if set(document) != {"action", *names}:
        allowed = ", ".join(("action", *names))
        raise Refused(f"{document['action']!r} must have {allowed}, not {', '.join(document)}")


def _match(document: Mapping[str, Any], key: str, pattern: str) -> str:
    value = document[key]
    if isinstance(value, str) and re.fullmatch(pattern, value):
        return value
    raise Refused(f"{key} {value!r} must have the form {pattern}")


def _rows(value: Any, width: int, most: int) -> list[list[Any]]:
    if not isinstance(value, list) or not 1 <= len(value) <= most:
        raise Refused(f"photos must be a list of 1 to {most} photos")
    for row in value:
        if not isinstance(row, list) or len(row) != width:
            raise Refused(f"the photo {row!r} must be a list of {width} values")
    return value


def _wanted(name: Any, generation: Any, size: Any, at: Any, known: Any) -> Wanted:
    return Wanted(_name(name), _number(generation), _number(size), _number(at), _number(known))


def _name(value: Any) -> str:
    # Not check_name(): a file may have a path that no object can have; it becomes a failure.
    is_name = isinstance(value, str) and value and not value.endswith("/")
    if not is_name or re.search("[\ud800-\udfff]", value):
        raise Refused(f"{value!r} must be the name of a photo")
    return str(value)


def _number(value: Any, most: int = 2**63 - 1) -> int:
    if type(value) is int and 0 <= value <= most:
        return value
    raise Refused(f"{value!r} must be a number from 0 to {most}")
