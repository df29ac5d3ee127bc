"""An index as an older version wrote it: before facts, or with thumbnails of version 1."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
from PIL import Image

from clipsearch.errors import ObjectNotFound
from clipsearch.images.thumbnails import THUMBNAIL, thumbnail_name
from clipsearch.index.format.facts import Facts, facts_of_row
from clipsearch.index.format.segments import read_segment, segment_bytes, segments_prefix
from clipsearch.index.reader.snapshot_reader import SnapshotReader
from clipsearch.storage import Bucket
from tests.support.pictures import encoded


def forget_facts(index: Bucket, space: str) -> None:
    """Write all segments again, as an old version would."""
    for stat in list(index.list(segments_prefix(space))):
        with np.load(io.BytesIO(index.read(stat.name))) as archive:
            columns = {name: archive[name] for name in archive.files if name != "facts"}
        file = io.BytesIO()
        np.savez(file, **columns)
        index.replace(stat.name, stat.generation, file.getvalue())


def shrink_thumbnails(index: Bucket, thumbnails: Bucket, space: str) -> None:
    """Write all segments and thumbnails again as version 1: 320 pixels, under another name."""
    for stat in list(index.list(segments_prefix(space))):
        entries = read_segment(index, space, stat.name.removeprefix(segments_prefix(space)))
        facts = entries.facts.copy()
        facts["thumbnail"] = 1
        entries = replace(entries, facts=facts)
        index.replace(stat.name, stat.generation, segment_bytes(space, entries))
        for row, generation in enumerate(entries.generations.tolist()):
            new, old = (thumbnail_name(entries.name(row), generation, v) for v in (THUMBNAIL, 1))
            try:
                image = Image.open(io.BytesIO(thumbnails.read(new)))
            except ObjectNotFound:  # of a failure, or of another entry of the photo
                continue
            image.thumbnail((320, 320))
            thumbnails.create(old, encoded(image, "WEBP"))
            thumbnails.delete(new)


def facts_in_index(index: Bucket, space: str) -> dict[str, Facts | None]:
    """Those of each photo and failure, as a new reader finds them."""
    entries = SnapshotReader(index, space).refresh().entries
    return {entries.name(row): facts_of_row(entries.facts[row]) for row in range(len(entries))}
