"""Carries out events and messages, and starts a compaction after some uploads.

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
from clipsearch.model.pointer import Pointer, current_space
from clipsearch.telemetry import Timing
from ingest.answer import Answer
from ingest.events import Refused
from ingest.fill_facts import fill_facts
from ingest.indexing import index_photos, remove_photos, summary
from ingest.messages import Compact, Fill, Index, Message, Reconcile, Remove, to_json
from ingest.old_thumbnails import sweep_thumbnails
from ingest.publisher import Publisher
from ingest.reconcile.run import reconcile
from ingest.reconcile.settle import settle
from ingest.retries import limited
from ingest.services import Services

# Seconds for one event. With a topic: Pub/Sub delivers a message again after ten minutes. Without:
# new photos wait that long for a person who runs everything on one machine.
SPREAD_S = 240.0
ALONE_S = 45.0
SWEEP_S, SWEEP_ALONE_S = 180.0, 15.0  # for old thumbnails, after a compaction
FILL_ALONE_S = 20.0  # at least, for facts, however long the rest took
# One upload in 64 merges about 64 small segments. So the average cost of an upload does not depend
# on the size of the index.
ONE_IN = 64
BESIDE_S = 2.0  # of an event's time, at most

_log = logging.getLogger("clipsearch")


class Unfinished(ClipsearchError):
    """Time is up. The event must be delivered again, because nobody else does the rest."""


def handle(message: Message, event: Any, services: Services, timing: Timing) -> Answer:
    """`perform` with a limited number of attempts to index photos. Raises as perform() does."""
    if isinstance(message, Index):
        return limited(message, event, services, lambda: perform(message, services, timing))
    return perform(message, services, timing)


def perform(message: Message, services: Services, timing: Timing) -> Answer:
    """Carry out the message.

    Raises Refused, Unfinished, and for faults of the infrastructure StorageError, NoModel,
    DamagedObject and TopicError.
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
            if message.beside is None:  # the spaces of an event were current a moment ago
                _check_space(message.space, services)
            remove_photos(message.photos, (message.space, *(message.beside or ())), services)
            return Answer("removed", f"photos with their thumbnails: {len(message.photos)}")
        case Fill():
            _check_space(message.space, services)
            return _fill(message, services)


def compact_now_and_then(services: Services) -> None:
    """Merge small segments after one upload in ONE_IN. A failure is logged, not raised: the
    event's own entry is durable."""
    if random.randrange(ONE_IN):
        return
    try:
        if services.topic is not None:
            services.topic.publish([to_json(Compact())], BESIDE_S)
        else:
            _compacted(services, BESIDE_S)
    except ClipsearchError as error:
        _log.warning("small segments could not be merged, the next compaction retries: %s", error)


def reconcile_after_switch(services: Services, pointer: Pointer | None = None) -> None:
    """Ask for one reconcile once every instance has seen a switch of the model. `pointer`: as the
    event saw it; None: look.

    It finds the uploads that went only to the model before. The first instance to create an
    object asks. If it fails after that, the next scheduled reconcile does the same. Without a
    topic, `clipsearch run` asks.
    """
    if services.topic is None:
        return
    try:
        pointer = pointer or services.model.pointer()
        if pointer.previous is None or pointer.number == services.settling:
            return
        if not pointer.is_seen(datetime.now(UTC)):
            return
        services.settling = pointer.number
        # Other bytes than those of any other instance: create() takes the same ones for a retry.
        name = f"reconciles/{pointer.number:012d}"  # not below models/, which ingest may not write
        services.index.create(name, secrets.token_bytes(8))
        services.topic.publish([to_json(Reconcile())], BESIDE_S)
    except ObjectExists:
        return
    except ClipsearchError as error:
        _log.warning("the reconcile after a switch of the model waits for its schedule: %s", error)


class Alone:
    """Carries out the messages at once, until `deadline` (time.monotonic())."""

    keeps = False

    def __init__(self, services: Services, timing: Timing, deadline: float) -> None:
        self._services, self._timing, self._deadline = services, timing, deadline
        self._is_filling = False
        self.left = 0  # photos that were not done in time

    def send(self, message: Message) -> None:
        if isinstance(message, Fill):
            self._fill(message)
        elif isinstance(message, Index | Remove) and time.monotonic() > self._deadline:
            self.left += len(message.photos)
        else:
            perform(message, self._services, self._timing)

    def _fill(self, message: Fill) -> None:
        if not self._is_filling:
            self._deadline = max(self._deadline, time.monotonic() + FILL_ALONE_S)
            self._is_filling = True
        seconds = self._deadline - time.monotonic()
        if seconds < 0:
            self.left += len(message.rows)
            return
        want = self._services.want
        self.left += len(fill_facts(message, self._services, want, seconds).left)

    def flush(self) -> None:
        pass


def _compact(services: Services) -> Answer:
    reconcile_after_switch(services)
    report = _compacted(services, SPREAD_S if services.topic else ALONE_S)
    for damaged in report.damaged:
        _log.error("compaction skipped a damaged object: %s", damaged)
    seconds = SWEEP_S if services.topic else SWEEP_ALONE_S
    swept = sweep_thumbnails(services, seconds, datetime.now(UTC))
    return _done(
        "compact",
        f"{report.merges} merges of {report.merged_entries} entries, "
        f"{report.purged_entries} entries purged, {report.deleted_objects} objects deleted"
        f"{f', {swept} old thumbnails deleted' if swept else ''}"
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
    now, want = time.monotonic(), services.want
    photos, index = services.photos, services.index
    if services.topic is not None:
        publisher = Publisher(services.topic)
        found = reconcile(photos, index, message, publisher, now + SPREAD_S, want)
    else:
        alone = Alone(services, timing, now + ALONE_S)
        found = reconcile(photos, index, message, alone, float("inf"), want)
        if alone.left:
            raise Unfinished(f"reconcile: time is up, {alone.left} photos are left")
    settle(services.index, message.space)
    if found is None:
        return _done("reconcile", "this part was done before")
    waiting = found.missing + found.outdated
    return _done("reconcile", found, objects=found.objects, pending=waiting)


def _fill(message: Fill, services: Services) -> Answer:
    seconds = SPREAD_S if services.topic else ALONE_S
    filled = fill_facts(message, services, services.want, seconds)
    if filled.left and services.topic is None:
        raise Unfinished(f"fill: time is up, {len(filled.left)} photos are left")
    if filled.left and services.topic is not None:
        services.topic.publish([to_json(replace(message, rows=tuple(filled.left)))])
    return _done("fill", filled)


def _done(action: str, detail: object, **facts: Any) -> Answer:
    return Answer("done", f"{action}: {detail}", facts={"action": action, **facts})


def _encoder(message: Index, services: Services) -> Encoder:
    """The encoder for the message. An event takes the current model, which may have changed since
    the message was made. Raises as _check_space() and CurrentModel.encoder() do."""
    encoder = services.model.encoder()
    if encoder.space != message.space and not message.photos[0].is_of_event:
        _check_space(message.space, services)
        encoder = services.model.encoder()
    return encoder


def _check_space(space: str, services: Services) -> None:
    """Refused if the message is for another model than the current one. Unfinished if this
    instance has not seen yet that the model is current."""
    if services.model.space() == space:
        return
    if services.settings.model == "current" and current_space(services.index) == space:
        raise Unfinished(f"this instance has not seen the new model {space} yet")
    current = services.model.space()
    raise Refused(f"for model {space}, but model {current} is current", logging.WARNING)
