"""When the index is compacted: on a message, and now and then after an upload."""

from __future__ import annotations

import logging
import random
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from clipsearch.errors import ClipsearchError
from ingest.messages import Compact, to_json

if TYPE_CHECKING:
    from clipsearch.index.compaction import Report
    from ingest.services import Services

# About as many small segments pile up before they are merged; a share of the cost of that is
# what an upload costs on average, whatever the size of the index.
ONE_IN = 64
BESIDE_S = 2.0  # at most, of an event's time

_log = logging.getLogger("clipsearch")


def now_and_then(services: Services) -> None:
    """Called when the entry of an event is durable: what goes wrong here is not its fault."""
    if random.randrange(ONE_IN):
        return
    try:
        if services.topic is not None:
            services.topic.publish([to_json(Compact())], BESIDE_S)
        else:
            compact_for(services, BESIDE_S)
    except ClipsearchError as error:
        _log.warning("segments pile up, for they cannot be merged: %s", error)


def compact_for(services: Services, seconds: float) -> Report:
    """Raises StorageError, NoModel, DamagedObject."""
    from clipsearch.index.compaction import compact

    deadline = time.monotonic() + seconds
    return compact(services.index, services.model.space(), deadline, datetime.now(UTC))
