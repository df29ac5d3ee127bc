"""An index of a few entries, such as the candidates of one search."""

from __future__ import annotations

from clipsearch.index.format.entries import Entries, Kind
from clipsearch.index.reader.catalogue import Catalogue
from clipsearch.index.reader.snapshot import snapshot_of
from clipsearch.index.reader.vector_queue import Plain, VectorQueue
from clipsearch.index.search.photo_index import PhotoIndex


def index_of(entries: Entries) -> PhotoIndex:
    """Of entries with their vectors, at most one for each photo."""
    catalogue, rows = Catalogue.empty().merged(entries)
    fresh = VectorQueue()
    if len(entries.vectors):
        fresh.put([Plain(rows[entries.kinds == Kind.VECTOR], entries.vectors)])
    index = PhotoIndex(threads=1)
    index.update(snapshot_of("", catalogue, 0, fresh))
    return index
