"""One run of the mirror, and what is printed."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from cli.common.output import result, say, warn
from cli.common.progress import bar
from clipsearch.engine.lance_table import LanceTable
from clipsearch.engine.mirror import mirror
from clipsearch.engine.state import table_path
from clipsearch.index.format.segments import segment_path
from clipsearch.model.bundle import load_bundle
from clipsearch.storage import Bucket


def mirror_once(bucket: Bucket, space: str) -> int:
    """1 if a damaged segment is missing in the mirror. Raises NoModel, StorageError."""
    bundle = load_bundle(bucket, space).bundle
    texts = bundle.text_direction
    common = None if texts is None else np.array(texts, np.float32)
    if common is None:
        warn("the model has no direction of texts: texts will find less; export it again")

    def opened(name: str) -> LanceTable:
        return LanceTable(f"{bucket.url}/{table_path(space, name)}", bundle.dim, common)

    say(f"mirroring the index of model {space} in {bucket.url}")
    with bar("mirroring", unit="segments") as shown:

        def told(done: int, known: int) -> None:
            shown.total = known
            shown.update(done - shown.n)

        state, report = mirror(bucket, space, bundle.dim, opened, lambda: datetime.now(UTC), told)
    for name, reason in sorted(report.damaged.items()):
        warn(f"damaged: {segment_path(space, name)}: {reason}; its photos are left out")
    photos = opened(state.table).count()
    figures = {
        "state": state.number,
        "table": state.table,
        "segments": report.segments,
        "entries": report.entries,
        "photos": photos,
        "damaged": len(report.damaged),
    }
    result(
        figures,
        f"{report.entries:,} new entries of {report.segments:,} segments; the mirror has "
        f"{photos:,} photos",
    )
    return 1 if report.damaged else 0
