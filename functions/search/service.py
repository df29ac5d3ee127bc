"""Questions to answers, in Python's terms; knows what HTTP asks, not how.

Imported on the first search, not with main.py (see search.state).
"""

import hashlib
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from clipsearch import thumbnails
from clipsearch.bundle import Tower
from clipsearch.decode import decode_for_encoder
from clipsearch.errors import NotReady
from clipsearch.index import Hit
from clipsearch.settings import Settings
from search.cursor import Cursor, encode_cursor, fingerprint
from search.parameters import Query
from search.problems import BadRequest
from search.state import State, StateKeeper
from search.status import status_of
from search.timing import Timing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]


class Service:
    """Everything a request needs. Safe to use from several threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._keeper = StateKeeper(settings)

    def status(self) -> dict[str, Any]:
        return status_of(self._keeper.state())

    def answer(self, query: Query, timing: Timing) -> dict[str, Any]:
        """The answer as HTTP gives it.

        Raises BadRequest, PhotoNotIndexed, UnreadablePhoto, NotReady, StorageError.
        """
        with timing.phase("load"):
            state = self._keeper.state()
        if not state.has_index:
            raise NotReady("an index of photos")
        mark = _fingerprint(query, state.encoder.space)
        if query.cursor is not None and query.cursor.fingerprint != mark:
            raise BadRequest("cursor belongs to another query, or the model has changed since")
        vector, truncated = _vector(query, state, timing)
        with timing.phase("search"):
            hits, more = _search(query, vector, state)

        next_cursor = Cursor(hits[-1].score, hits[-1].name, mark) if more else None
        answer: dict[str, Any] = {
            "results": [self._result(hit) for hit in hits],
            "next_cursor": encode_cursor(next_cursor) if next_cursor else None,
            "index": {
                "space": state.encoder.space,
                "commit": state.snapshot.commit,
                "photos": state.snapshot.photos,
            },
            "timing_ms": timing.milliseconds(),
        }
        if truncated:
            answer["truncated"] = True
        return answer

    def _result(self, hit: Hit) -> dict[str, Any]:
        thumbnail = thumbnails.thumbnail_name(hit.name, hit.generation)
        return {
            "name": hit.name,
            "url": f"{self._settings.photos_url}/{quote(hit.name)}",
            "thumbnail_url": f"{self._settings.thumbnails_url}/{thumbnail}",
            "score": hit.score,
            "similarity": round(100 * hit.score, 4),
            "width": hit.width,
            "height": hit.height,
        }


def _vector(query: Query, state: State, timing: Timing) -> tuple["Vector", bool]:
    """(the unit vector to look for (D,), whether the words were cut).

    Words and a picture together: the normalised sum of the two unit vectors, each with the
    same weight.
    """
    if query.like is not None:
        return state.index.vector_of(query.like), False
    vectors, truncated = [], False
    if query.image is not None:
        with _encoding("image", state, timing):
            photo = decode_for_encoder(query.image, state.encoder.image_size)
            vectors.append(state.encoder.encode_image([photo.image])[0])
    if query.words is not None:
        with _encoding("text", state, timing):
            words = state.words.encode(query.words)
        vectors.append(words.vector)
        truncated = words.truncated
    if len(vectors) == 1:
        return vectors[0], truncated
    total = np.sum(vectors, axis=0)
    # opposite vectors have no direction between them; anything but a division by zero will do
    return total / max(float(np.linalg.norm(total)), 1e-6), truncated


def _encoding(tower: Tower, state: State, timing: Timing) -> AbstractContextManager[None]:
    """The first use of a tower loads it, which takes far longer than the encoding."""
    return timing.phase("encode" if tower in state.encoder.loaded else "load")


def _search(query: Query, vector: "Vector", state: State) -> tuple[list[Hit], bool]:
    """(the hits of this part of the answer, whether another part follows).

    The photo of `like` is left out of the photos like it.
    """
    after = (query.cursor.score, query.cursor.name) if query.cursor else None
    # one more than asked tells whether more follow; one more, for the photo left out
    hits = state.index.search(vector, query.limit + 2, after)
    others = [hit for hit in hits if hit.name != query.like]
    return others[: query.limit], len(others) > query.limit


def _fingerprint(query: Query, space: str) -> bytes:
    image = None if query.image is None else hashlib.sha256(query.image).digest()
    return fingerprint(space, query.words, query.like, image)
