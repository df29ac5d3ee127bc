"""What a run costs, in dollars. List prices of Google Cloud in US regions.

https://cloud.google.com/dataflow/pricing (batch) and https://cloud.google.com/storage/pricing
"""

from __future__ import annotations

from dataclasses import dataclass

from cli.reconcile.plan import CLASS_A, CLASS_B
from ingest.reconcile.run import LISTED_AT_ONCE

MACHINE = "e2-standard-2"
CORES, GIBS, DISK_GB = 2, 8, 30  # of a worker
CORE_HOUR, GIB_HOUR, DISK_GB_HOUR, SHUFFLED_GIB = 0.056, 0.003557, 0.000054, 0.011
# Measured: a listed photo and what the index knows of it, written and read by the grouping.
SHUFFLED_BYTES = 250
START_HOURS = 0.1  # machines start and end


@dataclass(frozen=True, slots=True)
class Costs:
    """`core_hours`: of embedding. `hours`: until the end, with all workers."""

    core_hours: float
    hours: float
    compute: float
    requests: float


def costs(photos: int, objects: int, seconds: float, workers: int) -> Costs:
    """`photos`: to index. `objects`: listed. `seconds`: of one core, for one photo."""
    core_hours = photos * seconds / 3600
    hours = core_hours / (workers * CORES) + START_HOURS
    machine_hours = core_hours / CORES + workers * START_HOURS
    machine = CORES * CORE_HOUR + GIBS * GIB_HOUR + DISK_GB * DISK_GB_HOUR
    compute = machine_hours * machine + objects * SHUFFLED_BYTES / 2**30 * SHUFFLED_GIB
    return Costs(core_hours, hours, compute, requests(photos, objects))


def requests(photos: int, objects: int) -> float:
    """A thumbnail is one write. A photo is read, and looked for once more after it is indexed."""
    listing = -(-objects // LISTED_AT_ONCE) * CLASS_A
    return photos * (CLASS_A + 2 * CLASS_B) + listing
