"""What messages about maintenance lead to. Imported on the first one, not with main.py."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import Any

from clipsearch.errors import ClipsearchError
from clipsearch.model.bundle import current_space
from clipsearch.model.encoder import Encoder
from ingest.answer import Answer
from ingest.batches import index_photos, remove_photos
from ingest.compaction import compact_for
from ingest.events import Refused
from ingest.messages import Compact, Index, Message, Reconcile, Remove, to_json
from ingest.pubsub import Topic
from ingest.reconcile.run import reconcile
from ingest.services import Services

# Seconds for one event. Pub/Sub gives a message to somebody else after ten minutes; a person
# who runs everything on one machine waits for photos that come meanwhile.
SPREAD_S = 240.0
ALONE_S = 45.0
PUBLISHED_AT_ONCE = 20  # messages of at most 200 KB; Pub/Sub takes 10 MB

_log = logging.getLogger("clipsearch")


class Unfinished(ClipsearchError):
    """Time is up, and the event must come again: nobody else does the rest."""


def handle(message: Message, services: Services) -> Answer:
    """Do what the message asks for.

    Raises Refused, Unfinished, and for every fault of the infrastructure: StorageError, NoModel,
    DamagedObject, TopicError.
    """
    if isinstance(message, Compact):
        return _compact(services)
    if isinstance(message, Reconcile):
        return _reconcile(message, services)
    if isinstance(message, Index):
        encoder = _encoder(message.space, services)
        return _done("index", index_photos(message, services, encoder))
    _check_space(message.space, services)
    return _done("remove", remove_photos(message, services))


class Publisher:
    """Leaves the messages to Pub/Sub, which spreads them over instances."""

    keeps = True

    def __init__(self, topic: Topic) -> None:
        self._topic = topic
        self._waiting: list[bytes] = []

    def send(self, message: Message) -> None:
        self._waiting.append(to_json(message))
        if len(self._waiting) == PUBLISHED_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        if self._waiting:
            self._topic.publish(self._waiting)
        self._waiting = []


class Alone:
    """Does what the messages ask for at once, until `deadline` (time.monotonic())."""

    keeps = False

    def __init__(self, services: Services, deadline: float) -> None:
        self._services = services
        self._deadline = deadline
        self.left = 0  # photos

    def send(self, message: Message) -> None:
        if isinstance(message, Index | Remove) and time.monotonic() > self._deadline:
            self.left += len(message.photos)
        else:
            handle(message, self._services)

    def flush(self) -> None:
        pass


def _compact(services: Services) -> Answer:
    report = compact_for(services, SPREAD_S if services.topic else ALONE_S)
    for damaged in report.damaged:
        _log.error("left as it is: %s", damaged)
    return _done(
        "compact",
        f"{report.merges} merges of {report.merged_entries} entries, "
        f"{report.purged_entries} entries purged, {report.deleted_objects} objects deleted"
        f"{'' if report.finished else ', not finished'}",
    )


def _reconcile(message: Reconcile, services: Services) -> Answer:
    if message.space:
        _check_space(message.space, services)
    else:
        message = replace(message, space=services.model.space())
    now = time.monotonic()
    if services.topic is not None:
        publisher = Publisher(services.topic)
        found = reconcile(services.photos, services.index, message, publisher, now + SPREAD_S)
    else:
        alone = Alone(services, now + ALONE_S)
        found = reconcile(services.photos, services.index, message, alone, float("inf"))
        if alone.left:
            raise Unfinished(f"reconcile: {alone.left} photos are left")
    if found is None:
        return _done("reconcile", "done before")
    waiting = found.missing + found.outdated
    return _done("reconcile", found, objects=found.objects, pending=waiting)


def _done(action: str, detail: object, **facts: Any) -> Answer:
    return Answer("done", f"{action}: {detail}", facts={"action": action, **facts})


def _encoder(space: str, services: Services) -> Encoder:
    encoder = services.model.encoder()
    if encoder.space != space:
        _check_space(space, services)
        encoder = services.model.encoder()
    return encoder


def _check_space(space: str, services: Services) -> None:
    """Refused if the message is about a model that is no longer, or not, the one in use."""
    if services.model.space() == space:
        return
    if services.settings.model == "current" and current_space(services.index) == space:
        raise Unfinished(f"this instance has not seen the new model {space} yet")
    raise Refused(f"for the model {space}, not {services.model.space()}", logging.WARNING)
