"""What events and messages ask for, and a compaction after some uploads.

Import this inside functions only.
"""

from __future__ import annotations

import logging
import random
import secrets
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from clipsearch.errors import ClipsearchError, ObjectExists
from clipsearch.index.compaction import Report, compact
from clipsearch.model.encoder import Encoder
from clipsearch.model.pointer import current_space
from clipsearch.telemetry import Timing
from ingest.answer import Answer
from ingest.events import Refused
from ingest.indexing import index_photos, remove_photos, summary
from ingest.messages import Compact, Index, Message, Reconcile, Remove, to_json
from ingest.pubsub import Topic
from ingest.reconcile.run import reconcile
from ingest.reconcile.settle import settle
from ingest.retries import limited
from ingest.services import Services

# Seconds for one event. Pub/Sub gives a message to somebody else after ten minutes; a person
# who runs everything on one machine waits for photos that come meanwhile.
SPREAD_S = 240.0
ALONE_S = 45.0
# About as many small segments pile up before they are merged; a share of the cost of that is
# what an upload costs on average, whatever the size of the index.
ONE_IN = 64
BESIDE_S = 2.0  # at most, of an event's time
PUBLISHED_AT_ONCE = 20  # messages of at most 200 KB; Pub/Sub takes 10 MB

_log = logging.getLogger("clipsearch")


class Unfinished(ClipsearchError):
    """Time is up, and the event must come again: nobody else does the rest."""


def handle(message: Message, event: Any, services: Services, timing: Timing) -> Answer:
    """`perform`, which has a limited number of attempts to index photos. Raises TopicError, too."""
    if isinstance(message, Index):
        return limited(message, event, services, lambda: perform(message, services, timing))
    return perform(message, services, timing)


def perform(message: Message, services: Services, timing: Timing) -> Answer:
    """Do what the message asks for.

    Raises Refused, Unfinished, and for every fault of the infrastructure: StorageError, NoModel,
    DamagedObject, TopicError.
    """
    match message:
        case Compact():
            return _compact(services)
        case Reconcile():
            return _reconcile(message, services, timing)
        case Index():
            with timing.phase("load"):
                encoder = _encoder(message, services)
            results = index_photos(message.photos, services, encoder, timing)
            if message.photos[0].is_of_event:
                return Answer(results[0].outcome, results[0].detail)
            return _done("index", summary(results))
        case Remove():
            if message.beside is None:  # an event's spaces were current a moment ago
                _check_space(message.space, services)
            remove_photos(message.photos, (message.space, *(message.beside or ())), services)
            return Answer("removed", f"photos, and their thumbnails: {len(message.photos)}")


def compact_now_and_then(services: Services) -> None:
    """Called when the entry of an event is durable: what goes wrong here is not its fault."""
    if random.randrange(ONE_IN):
        return
    try:
        if services.topic is not None:
            services.topic.publish([to_json(Compact())], BESIDE_S)
        else:
            _compacted(services, BESIDE_S)
    except ClipsearchError as error:
        _log.warning("segments pile up, for they cannot be merged: %s", error)


def reconcile_after_switch(services: Services) -> None:
    """Ask for one reconcile once every instance has seen a switch of the model.

    It finds the uploads that went only to the model before. The first instance to create an
    object asks. If it fails after that, the next scheduled reconcile does the same. Without a
    topic, `clipsearch run` asks.
    """
    if services.topic is None:
        return
    try:
        pointer = services.model.pointer()
        if pointer.previous is None or pointer.number == services.settling:
            return
        if not pointer.is_seen(datetime.now(UTC)):
            return
        services.settling = pointer.number
        # Other bytes than those of any other instance: create() takes the same ones for a retry.
        name = f"models/reconciles/{pointer.number:012d}"
        services.index.create(name, secrets.token_bytes(8))
        services.topic.publish([to_json(Reconcile())], BESIDE_S)
    except ObjectExists:
        return
    except ClipsearchError as error:
        _log.warning("the reconcile after a switch of the model waits for its schedule: %s", error)


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

    def __init__(self, services: Services, timing: Timing, deadline: float) -> None:
        self._services, self._timing, self._deadline = services, timing, deadline
        self.left = 0  # photos

    def send(self, message: Message) -> None:
        if isinstance(message, Index | Remove) and time.monotonic() > self._deadline:
            self.left += len(message.photos)
        else:
            perform(message, self._services, self._timing)

    def flush(self) -> None:
        pass


def _compact(services: Services) -> Answer:
    reconcile_after_switch(services)
    report = _compacted(services, SPREAD_S if services.topic else ALONE_S)
    for damaged in report.damaged:
        _log.error("left as it is: %s", damaged)
    return _done(
        "compact",
        f"{report.merges} merges of {report.merged_entries} entries, "
        f"{report.purged_entries} entries purged, {report.deleted_objects} objects deleted"
        f"{'' if report.finished else ', not finished'}",
    )


def _compacted(services: Services, seconds: float) -> Report:
    """Raises StorageError, NoModel, DamagedObject."""
    deadline = time.monotonic() + seconds
    return compact(services.index, services.model.space(), deadline, datetime.now(UTC))


def _reconcile(message: Reconcile, services: Services, timing: Timing) -> Answer:
    if message.space:
        _check_space(message.space, services)
    else:
        message = replace(message, space=services.model.pointer(at_once=True).space)
    now = time.monotonic()
    if services.topic is not None:
        publisher = Publisher(services.topic)
        found = reconcile(services.photos, services.index, message, publisher, now + SPREAD_S)
    else:
        alone = Alone(services, timing, now + ALONE_S)
        found = reconcile(services.photos, services.index, message, alone, float("inf"))
        if alone.left:
            raise Unfinished(f"reconcile: {alone.left} photos are left")
    settle(services.index, message.space)
    if found is None:
        return _done("reconcile", "done before")
    waiting = found.missing + found.outdated
    return _done("reconcile", found, objects=found.objects, pending=waiting)


def _done(action: str, detail: object, **facts: Any) -> Answer:
    return Answer("done", f"{action}: {detail}", facts={"action": action, **facts})


def _encoder(message: Index, services: Services) -> Encoder:
    """An event means the model in use, which may have changed since its message was made."""
    encoder = services.model.encoder()
    if encoder.space != message.space and not message.photos[0].is_of_event:
        _check_space(message.space, services)
        encoder = services.model.encoder()
    return encoder


def _check_space(space: str, services: Services) -> None:
    """Refused if the message is about a model that is no longer, or not, the one in use."""
    if services.model.space() == space:
        return
    if services.settings.model == "current" and current_space(services.index) == space:
        raise Unfinished(f"this instance has not seen the new model {space} yet")
    raise Refused(f"for the model {space}, not {services.model.space()}", logging.WARNING)
