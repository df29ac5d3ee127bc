"""The results of `search` for each caption, with its encoder and its index."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from cli.common.progress import bar
from cli.evaluate.library import Library, Vectors
from cli.evaluate.recall import NOWHERE, Ranks
from clipsearch.index.search.hits import Hit

DEPTH = 20  # hits of each caption
# As search/engine/service.py: one tells whether more follow, one is the photo of `like`.
MORE = 2


@dataclass(frozen=True)
class Asked:
    """The results for m texts.

    `vectors`: (m, d). `found`: (m, DEPTH) rows of the gallery, best first, then -1. `cut`: the
    number of texts that were cut to the model's context.
    """

    vectors: Vectors
    found: Ranks
    cut: int

    def ranks(self, right: Ranks) -> Ranks:
        """The places (m,) of the rows `right` (m,) of the gallery in `found`; -1: NOWHERE."""
        is_right = (self.found == right[:, None]) & (right[:, None] >= 0)
        return np.where(is_right.any(1), is_right.argmax(1), NOWHERE)


def ask(library: Library, texts: Sequence[str], gallery: Sequence[str]) -> Asked:
    """Search for each text. `gallery`: names of the photos that count; other hits are skipped."""
    place = {name: row for row, name in enumerate(gallery)}
    is_whole = len(place) == len(library.names)
    vectors = np.empty((len(texts), library.model.encoder.dim), np.float32)
    found = np.full((len(texts), DEPTH), -1)
    cut = 0
    for row, text in enumerate(bar("searching", texts, unit="captions")):
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
    """The first DEPTH hits of `search` for a vector (d,)."""
    return library.state.index.search(vector, DEPTH + MORE)[:DEPTH]


def first_hits_among(library: Library, vector: Vectors, counts: Collection[str]) -> list[Hit]:
    """The first DEPTH hits on photos that count, from as many pages as needed."""
    hits: list[Hit] = []
    limit, after = DEPTH + MORE, None
    while len(hits) < DEPTH:
        page = library.state.index.search(vector, limit, after)
        hits += [hit for hit in page if hit.name in counts]
        if len(page) < limit:
            break
        limit, after = 4 * limit, (page[-1].score, page[-1].name)
    return hits[:DEPTH]
