"""An index filled without a storage, and the expected order of search results."""

from __future__ import annotations

from collections.abc import Sequence

from clipsearch.index.format.entries import Entries, Entry, Kind
from clipsearch.index.reader.catalogue import Catalogue
from clipsearch.index.reader.snapshot_reader import Snapshot
from clipsearch.index.reader.vector_queue import Plain, VectorQueue
from clipsearch.index.search.hits import Hit
from clipsearch.index.search.photo_index import PhotoIndex
from tests.index.making import SPACE, Vector, unit

# Their products have few digits, so scores are exact and often equal.
FEW = [
    unit(1, 0, 0),
    unit(0, 1, 0),
    unit(0, 0, -1),
    unit(0.6, 0.8, 0),
    unit(0.8, 0.6, 0),
    unit(-0.6, 0, 0.8),
]
QUERY = unit(1, 0, 0)


class Library:
    """An index with the added entries, built by the product's code without storage."""

    def __init__(self) -> None:
        self.index = PhotoIndex()
        self.catalogue = Catalogue.empty()
        self.fresh = VectorQueue()

    def add(self, *entries: Entry) -> Snapshot:
        snapshot = self.read(*entries)
        self.index.update(snapshot)
        return snapshot

    def read(self, *entries: Entry) -> Snapshot:
        columns = Entries.from_entries(entries)
        self.catalogue, rows = self.catalogue.merged(columns)
        vector_rows = rows[columns.kinds == Kind.VECTOR]
        if (vector_rows >= 0).any():
            counts = vector_rows >= 0
            self.fresh.put([Plain(vector_rows[counts], columns.vectors[counts])])
        photos = self.catalogue.count(Kind.VECTOR)
        return Snapshot(SPACE, 0, self.catalogue, self.fresh, photos, 0, None)


def expected_order(photos: dict[str, Vector], query: Vector) -> list[tuple[float, str]]:
    scores = {name: round(float(vector @ query), 6) for name, vector in photos.items()}
    return sorted(((s, n) for n, s in scores.items()), key=lambda hit: (-hit[0], hit[1]))


def pairs(hits: Sequence[Hit]) -> list[tuple[float, str]]:
    return [(hit.score, hit.name) for hit in hits]


def all_pages(index: PhotoIndex, query: Vector, limit: int) -> list[tuple[float, str]]:
    found: list[tuple[float, str]] = []
    after = None
    while page := index.search(query, limit, after):
        assert len(page) <= limit
        found += pairs(page)
        after = found[-1]
    return found
