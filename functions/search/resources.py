"""What all requests share: threads, memory for bodies, the settings, and the service.

Imports nothing heavy (see search.main).
"""

import functools
import threading
from typing import TYPE_CHECKING

from clipsearch.cpus import cpus
from clipsearch.images.limits import MAX_BYTES
from clipsearch.images.memory import memory_limit
from clipsearch.settings import Settings
from search.engine.timing import Timing
from search.http.body import Arrivals
from search.http.fetching import Fetching
from search.http.form import FORM_OVERHEAD
from search.http.pool import Pool

if TYPE_CHECKING:
    from search.engine.service import Service

# Texts and pictures have separate threads: a decode may block its thread for seconds until memory
# is free. Texts have more threads than cores, because they may wait for storage. More threads for
# pictures would make texts wait twice as long, and pictures no faster.
TEXT_WORKERS = min(8, 2 + cpus())
PICTURE_WORKERS = min(8, cpus())
# Requests of each kind at once, running or queued. Terraform sends an instance no more.
PLACES = 64
# Share of the process's memory for bodies that arrive or wait: of 2 GiB, ten of the largest.
BODIES_SHARE = 0.1

texts = Pool("texts", TEXT_WORKERS, PLACES)
pictures = Pool("pictures", PICTURE_WORKERS, PLACES)
fetching = Fetching()
arrivals = Arrivals(MAX_BYTES + FORM_OVERHEAD, int(memory_limit() * BODIES_SHARE))
_service_lock = threading.Lock()


@functools.cache
def settings() -> Settings:
    return Settings.from_env()


def service(timing: Timing) -> "Service":
    # functools.cache alone could make two at once
    with timing.phase("load"), _service_lock:
        return _make_service()


def has_service() -> bool:
    return bool(_make_service.cache_info().currsize)


@functools.cache
def _make_service() -> "Service":
    from search.engine.service import Service

    return Service(settings())
