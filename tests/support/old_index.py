"""An index as a version from before facts wrote it."""

from __future__ import annotations

import io

import numpy as np

from clipsearch.index.format.facts import Facts, facts_of_row
from clipsearch.index.format.segments import segments_prefix
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.storage import Bucket


def forget_facts(index: Bucket, space: str) -> None:
    """Write all segments again, as an old version would."""
    for stat in list(index.list(segments_prefix(space))):
        with np.load(io.BytesIO(index.read(stat.name))) as archive:
            columns = {name: archive[name] for name in archive.files if name != "facts"}
        file = io.BytesIO()
        np.savez(file, **columns)
        index.replace(stat.name, stat.generation, file.getvalue())


def facts_in_index(index: Bucket, space: str) -> dict[str, Facts | None]:
    """Those of each photo and failure, as a new reader finds them."""
    entries = SnapshotReader(index, space).refresh().entries
    return {entries.name(row): facts_of_row(entries.facts[row]) for row in range(len(entries))}
