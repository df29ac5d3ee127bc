"""`clipsearch embed --plan`: how many photos, how many core-hours, how many dollars.

It compares on this machine. That takes the memory of what the index knows, 0.2 kB per photo, but
none for photos to index.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from cli.common.output import result
from cli.embed.costs import CORES, GIBS, MACHINE, Costs, costs, requests
from cli.embed.options import Options
from cli.reconcile.plan import Plan, duration, make_plan
from clipsearch.cpus import cpus
from clipsearch.errors import ObjectNotFound, UnreadablePhoto
from clipsearch.images.thumbnails import make_thumbnail
from clipsearch.model.encoder import MAX_BATCH
from ingest.messages import Wanted
from ingest.read_photo import read_photo


def report_plan(options: Options) -> int:
    plan = make_plan(options.to)
    seconds = core_seconds(options, plan.sample) if plan.photos else 0.0
    objects = plan.found.objects
    found = costs(plan.photos, objects, seconds, options.workers)
    is_there = options.dataflow is not None
    lines = [plan.summary()]
    if plan.photos:
        lines.append(
            f"{plan.photos:,} x {1000 * seconds:.0f} ms = {found.core_hours:,.2f} core-hours, "
            f"measured here on {len(plan.sample)} photos"
        )
        lines += _there(plan, found, options.workers) if is_there else [_here(plan, seconds)]
    figures = {
        "objects": objects,
        "to_index": plan.photos,
        "to_index_bytes": plan.bytes,
        "to_remove": plan.orphans,
        "core_hours": found.core_hours,
        "hours": found.hours if is_there else plan.photos * seconds / cpus() / 3600,
        "dollars_compute": found.compute if is_there else 0.0,
        "dollars_requests": requests(plan.photos, objects) if _is_cloud(options) else 0.0,
    }
    result(figures, "\n".join(lines))
    return 0


def core_seconds(options: Options, sample: Sequence[Wanted]) -> float:
    """Seconds of one core for reading, decoding, the thumbnail and embedding. Writes nothing."""
    services, encoder = options.to.services, options.to.services.model.encoder()
    begun = 0.0
    for is_measured in (False, True):  # the first round also loads the model and the decoders
        begun, squares = time.process_time(), []
        for photo in sample if is_measured else sample[:1]:
            try:
                data = read_photo(photo.name, photo.generation, photo.size, services.photos)
                decoded = encoder.decode(data)
            except (ObjectNotFound, UnreadablePhoto):
                continue
            make_thumbnail(decoded.thumbnail)
            squares.append(decoded.square)
        for start in range(0, len(squares), MAX_BATCH):
            encoder.encode_image(squares[start : start + MAX_BATCH])
    return (time.process_time() - begun) / len(sample)


def _there(plan: Plan, found: Costs, workers: int) -> list[str]:
    return [
        f"on Dataflow: about {duration(3600 * found.hours)} with at most {workers} {MACHINE} "
        f"({CORES} vCPU, {GIBS} GiB), if their cores are as fast as this machine's",
        f"  compute ${found.compute:,.2f}, storage requests ${found.requests:,.2f}: a thumbnail "
        "written and two reads per photo",
        "  list prices; see cloud.google.com/dataflow/pricing and /storage/pricing",
    ]


def _here(plan: Plan, seconds: float) -> str:
    return f"here: about {duration(plan.photos * seconds / cpus())} with {cpus()} cores"


def _is_cloud(options: Options) -> bool:
    return options.to.services.settings.thumbnails.startswith("gs://")
