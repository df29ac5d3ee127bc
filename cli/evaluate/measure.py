"""All figures of one evaluation, as in evaluate.json."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np

from cli.evaluate.asking import DEPTH, Asked, ask
from cli.evaluate.captions import Captioned
from cli.evaluate.library import Library
from cli.evaluate.matching import Judged
from cli.evaluate.published import PUBLISHED
from cli.evaluate.recall import NOWHERE, Ranks, exact_ranks, overlap, ranks_of_any, recall
from clipsearch.index.search.photo_index import PhotoIndex

KS = (1, 5, 10)
OVERLAPS = (10, 20)
CURVE = range(1, 11)

Judge = Callable[[Judged], dict[str, Any] | None]  # the figures of matches


def rows_of(captioned: Captioned, library: Library) -> Ranks:
    """The rows (n,) of the captioned photos in the library; -1: not indexed."""
    place = {name: row for row, name in enumerate(library.names)}
    return np.array([place.get(name, -1) for name in captioned.names], np.int64)


def measure(
    library: Library, captioned: Captioned, only_captioned: bool, judge: Judge
) -> dict[str, Any]:
    """Photos that are not indexed count as not found. `only_captioned`: others are skipped."""
    rows = rows_of(captioned, library)
    indexed = np.flatnonzero(rows >= 0)
    others = len(library.names) - len(indexed)
    names, vectors = library.names, library.vectors
    if only_captioned:
        names, vectors = [names[row] for row in rows[indexed]], vectors[rows[indexed]]
        rows[indexed] = np.arange(len(indexed))
    asked = ask(library, captioned.texts, names)
    right = rows[captioned.photo]
    order = np.empty(len(names), np.int64)
    order[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    by_image = np.full(len(rows), NOWHERE)
    by_image[indexed] = ranks_of_any(
        vectors[rows[indexed]], asked.vectors, captioned.photo, indexed
    )
    ranks = {
        "text_to_image": asked.ranks(right),
        "text_to_image_exact": exact_ranks(asked.vectors, vectors, right, order),
        "image_to_text": by_image,
    }
    return {
        **_described(library),
        "photos": {
            "asked": len(rows),
            "missing": len(rows) - len(indexed),
            "uncaptioned": captioned.uncaptioned,
            "others": others,
            "others_count": not only_captioned,
            "searched": len(names),
        },
        "captions": _captions(captioned, asked),
        "recall": {way: {str(k): recall(found, k) for k in KS} for way, found in ranks.items()},
        "curves": {way: [recall(found, k) for k in CURVE] for way, found in ranks.items()},
        "overlap": _overlap(asked, vectors),
        "matching": judge(Judged(captioned.texts, asked.vectors, right, vectors)),
        "published": [published.as_dict() for published in PUBLISHED],
    }


def _overlap(asked: Asked, vectors: Any) -> dict[str, float]:
    shares = overlap(asked.vectors, vectors, asked.found, OVERLAPS)
    return {str(k): share for k, share in shares.items()}


def _described(library: Library) -> dict[str, Any]:
    snapshot = library.snapshot
    index = cast(PhotoIndex, library.state.index)  # evaluate reads all into memory
    return {
        "model": library.model.encoder.name,
        "space": snapshot.space,
        "commit": snapshot.commit,
        "indexed": snapshot.photos,
        "quantised": index.quantized(DEPTH),
        "damaged": list(snapshot.damaged),
    }


def _captions(captioned: Captioned, asked: Asked) -> dict[str, int]:
    return {
        "asked": len(captioned.texts),
        "cut": asked.cut,
        "empty": captioned.empty,
        "repeated": captioned.repeated,
    }
