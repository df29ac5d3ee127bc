"""What `search` finds for each caption: its encoder, its index, and as many hits as it asks for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from cli.evaluate.library import Library, Vectors
from cli.evaluate.recall import NOWHERE, Ranks
from clipsearch.index.search.photo_index import Hit

DEPTH = 20  # hits that are looked at
# As search/engine/service.py asks: one more tells whether more follow, one for the photo of `like`.
MORE = 2


@dataclass(frozen=True)
class Asked:
    """For m texts: their `vectors` (m, d), the rows of the gallery that were `found` (m, DEPTH),
    best first, -1 behind the last one, and how many texts were `cut` to the model's context."""

    vectors: Vectors
    found: Ranks
    cut: int

    def ranks(self, right: Ranks) -> Ranks:
        """(m,) where row `right` (m,) of the gallery was found; -1 is none, and NOWHERE."""
        is_right = (self.found == right[:, None]) & (right[:, None] >= 0)
        return np.where(is_right.any(1), is_right.argmax(1), NOWHERE)


def ask(library: Library, texts: Sequence[str], gallery: Sequence[str]) -> Asked:
    """`gallery`: the names of the photos that count; hits on others are passed over."""
    place = {name: row for row, name in enumerate(gallery)}
    is_whole = len(place) == len(library.names)
    vectors = np.empty((len(texts), library.model.encoder.dim), np.float32)
    found = np.full((len(texts), DEPTH), -1)
    cut = 0
    for row, text in enumerate(tqdm(texts, "searching", unit=" captions", disable=None)):
        embedding = library.model.words(text)
        vectors[row] = embedding.vector
        cut += embedding.truncated
        if is_whole:
            hits = first_hits(library, embedding.vector)
        else:
            hits = first_hits_among(library, embedding.vector, place)
        found[row, : len(hits)] = [place[hit.name] for hit in hits]
    return Asked(vectors, found, cut)


def first_hits(library: Library, vector: Vectors) -> list[Hit]:
    """The answer of DEPTH hits that `search` gives for a vector (d,)."""
    return library.state.index.search(vector, DEPTH + MORE)[:DEPTH]


def first_hits_among(library: Library, vector: Vectors, counts: Collection[str]) -> list[Hit]:
    """The first DEPTH hits on photos that count, from as many pages as it takes."""
    hits: list[Hit] = []
    limit, after = DEPTH + MORE, None
    while len(hits) < DEPTH:
        page = library.state.index.search(vector, limit, after)
        hits += [hit for hit in page if hit.name in counts]
        if len(page) < limit:
            break
        limit, after = 4 * limit, (page[-1].score, page[-1].name)
    return hits[:DEPTH]
