"""What there is to do, how long it takes here, and what it costs in the cloud."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cli.common.errors import RunError
from cli.costs.prices import usd
from cli.reconcile.options import Options
from clipsearch.cpus import cpus
from clipsearch.errors import ObjectNotFound, UnreadablePhoto
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.index.reconcile_log import Pending
from ingest.messages import MAX_PHOTOS, Wanted
from ingest.read_photo import read_photo
from ingest.reconcile.comparison import Comparison
from ingest.reconcile.lacking import lacking_photos
from ingest.reconcile.run import LISTED_AT_ONCE, batches

MEASURED = 8  # photos
GONE_AT_ONCE = 20  # photos; if more are gone, an empty bucket is most likely a mistake

# Dollars
VCPU_SECOND, GIB_SECOND, REQUEST = usd("cpu_second"), usd("memory_gib_second"), usd("request")
CLASS_A, CLASS_B = usd("class_a"), usd("class_b")
DOWNLOADED_GIB = usd("download_gib")  # to a machine outside of Google Cloud
VCPUS, GIBS = 2, 2


class EmptyBucket(RunError):
    """The bucket is empty, and the index knows many photos of it."""


@dataclass(frozen=True, slots=True)
class Plan:
    found: Comparison
    orphans: int
    photos: int  # to index
    bytes: int
    to_fill: int  # photos that lack facts
    sample: tuple[Wanted, ...]

    def report(self, options: Options) -> tuple[dict[str, Any], str]:
        """The plan as figures and as a text, both with an estimate."""
        seconds = _seconds_per_photo(options, self.sample) if self.photos else 0.0
        lines = [self.summary(), *(_estimate(self, seconds) if self.photos else [])]
        if self.photos and options.services.photos.url.startswith("gs://"):
            lines.append(_download(self.bytes))
        figures = {
            "objects": self.found.objects,
            "indexed": self.found.indexed,
            "failed": self.found.failed,
            "skipped": self.found.skipped,
            "to_index": self.photos,
            "to_index_bytes": self.bytes,
            "missing": self.found.missing,
            "outdated": self.found.outdated,
            "failed_before": self.found.tried_again,
            "to_remove": self.orphans,
            "to_fill": self.to_fill,
            "seconds_here": self.photos * seconds,
            "dollars_in_the_cloud": sum(_dollars(self, seconds)) if self.photos else 0.0,
        }
        return figures, "\n".join(lines)

    def summary(self) -> str:
        found = self.found
        filling = f"; facts of {self.to_fill:,} photos to fill in" if self.to_fill else ""
        return (
            f"{found.objects:,} objects are there, {found.indexed:,} of them indexed, "
            f"{found.failed:,} failed, {found.skipped:,} skipped; to index: "
            f"{self.photos:,} ({found.missing:,} missing, {found.outdated:,} outdated, "
            f"{found.tried_again:,} failed before), {self.bytes / 1e6:,.1f} MB; "
            f"to remove: {self.orphans:,}{filling}"
        )


def make_plan(options: Options) -> Plan:
    """Compare, and change nothing. Raises EmptyBucket, StorageError."""
    services = options.services
    known = SnapshotReader(services.index, options.space, keep_vectors=False).refresh()
    found = Comparison(known.catalogue, Pending.concat([]))
    photos = total = 0
    sample: list[Wanted] = []
    for batch in batches(services.photos):
        wanted = found.look(batch)
        photos += len(wanted)
        total += sum(photo.size or 0 for photo in wanted)
        sample += wanted[: MEASURED - len(sample)]
    orphans = sum(1 for _ in found.orphans("", ""))
    if not found.objects and orphans > GONE_AT_ONCE and not options.may_empty:
        raise EmptyBucket(
            f"{services.photos.url} is empty, but the index knows {orphans} photos of it; if its "
            "drive is not mounted, mount it; if you deleted all photos, add --empty"
        )
    lacks = lacking_photos(known.catalogue, options.want) & found.is_current
    return Plan(found, orphans, photos, total, int(lacks.sum()), tuple(sample))


def _seconds_per_photo(options: Options, sample: Sequence[Wanted]) -> float:
    """Reading, decoding and embedding, measured on photos of the plan. Nothing is written."""
    services, encoder = options.services, options.services.model.encoder()
    started, count = None, 0
    for photo in (*sample[:1], *sample):  # the first one also loads the model
        if started is None and count:
            started, count = time.perf_counter(), 0
        count += 1
        try:
            data = read_photo(photo.name, photo.generation, photo.size, services.photos)
            encoder.encode_image([encoder.decode(data).square])
        except (ObjectNotFound, UnreadablePhoto):
            continue
    return (time.perf_counter() - (started or 0.0)) / count


def _estimate(plan: Plan, seconds: float) -> list[str]:
    n, measured = plan.photos, len(plan.sample)
    here = n * seconds
    run, storage = _dollars(plan, seconds)
    return [
        f"here: {n:,} x {1000 * seconds:.0f} ms = {duration(here)} with {cpus()} cores, "
        f"measured on {measured} of them",
        f"in the cloud: ${run + storage:,.4f} before the free tier, if an instance of {VCPUS} vCPU "
        f"and {GIBS} GiB is as fast as this machine",
        f"  Cloud Run: {here:,.1f} s x ({VCPUS} x ${VCPU_SECOND:.6f} + {GIBS} x ${GIB_SECOND:.7f})"
        f" + {-(-n // MAX_PHOTOS):,} requests = ${run:,.4f}",
        f"  Cloud Storage: {n:,} x (a thumbnail ${CLASS_A:.6f} + two reads ${CLASS_B:.7f} each)"
        f" + listing = ${storage:,.4f}",
        "  list prices; clipsearch costs --prices has their sources",
    ]


def _dollars(plan: Plan, seconds: float) -> tuple[float, float]:
    """The cost of Cloud Run and of Cloud Storage, if a photo takes `seconds`."""
    run = plan.photos * seconds * (VCPUS * VCPU_SECOND + GIBS * GIB_SECOND)
    run += -(-plan.photos // MAX_PHOTOS) * REQUEST
    listing = -(-plan.found.objects // LISTED_AT_ONCE) * CLASS_A
    return run, plan.photos * (CLASS_A + 2 * CLASS_B) + listing


def _download(size: int) -> str:
    """What reading the photos costs here, in dollars."""
    gib = size / 2**30
    return (
        f"here: reading {gib:,.2f} GiB costs ${gib * DOWNLOADED_GIB:,.2f}; on a machine in the "
        "bucket's region it costs nothing"
    )


def duration(seconds: float) -> str:
    """Such as "45 s", "12 min" or "3.4 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
