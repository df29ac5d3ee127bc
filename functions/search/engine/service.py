"""Answers the requests of the HTTP API, without HTTP itself.

Imported on the first search, not with main.py (see search.engine.state).
"""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from clipsearch.errors import NotReady
from clipsearch.images.thumbnails import thumbnail_name
from clipsearch.settings import Settings
from clipsearch.storage import open_bucket
from search.engine import embedding
from search.engine.cursor import cursor_behind, encode_cursor, fingerprint
from search.engine.errors import BadQuery, detail_of
from search.engine.matches import UNKNOWN, Matches, matches_of
from search.engine.model import Embedding, Model, ModelKeeper
from search.engine.picture import as_picture
from search.engine.query import Query
from search.engine.state import State
from search.engine.timing import Timing

if TYPE_CHECKING:
    from clipsearch.index.search.photo_index import Hit
    from search.engine.signing import SignedAddresses
    from search.engine.status import StatusReader


class Service:
    """Answers requests. Safe to use from several threads.

    Each answer comes from one Model, and so from one space.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._keeper = ModelKeeper(settings)
        self._status: StatusReader | None = None
        self._signed = _signed_addresses(settings)

    def status(self) -> dict[str, Any]:
        state = self._keeper.model().keeper.state()
        from search.engine.status import StatusReader  # imports numpy: only after the state did

        if self._status is None:
            self._status = StatusReader(open_bucket(self._settings.index))
        status = self._status.status(state)
        refused = self._keeper.refused
        if refused is not None:
            status["refused_model"] = {
                "space": refused.space,
                "reason": detail_of(refused.error),
            }
        return status

    def answer(self, query: Query, timing: Timing) -> dict[str, Any]:
        """Return the JSON of `GET /` and `POST /`.

        Raises BadQuery, PhotoNotIndexed, UnreadablePhoto, NotReady, DamagedObject,
        StorageError.
        """
        with timing.phase("load"):
            model = self._keeper.model()
        mark = _fingerprint(query, model.space)
        if query.cursor is not None and query.cursor.fingerprint != mark:
            raise BadQuery(
                "cursor belongs to another query or to an earlier model; search again without it"
            )
        state, looked_for = _state_and_embedding(query, model, timing)
        with timing.phase("search"):
            hits, more = _search(query, looked_for, state)
            matches = matches_of(query, model, looked_for.vector, state.index)
            counted = None
            if matches and query.cursor is None:
                counted = matches.count(hits, state.snapshot.photos, query.like)
            if matches and query.min_match:
                kept = matches.least(hits, query.min_match)
                hits, more = kept, more and len(kept) == len(hits)
            results = self._results(hits, matches)

        next_cursor = None
        if more:
            given = [(hit.score, hit.name) for hit in hits]
            next_cursor = encode_cursor(cursor_behind(given, query.cursor, mark))
        answer: dict[str, Any] = {
            "results": results,
            "next_cursor": next_cursor,
            "matches": counted,
            "index": {
                "model": model.encoder.name,
                "space": model.space,
                "commit": state.snapshot.commit,
                "photos": state.snapshot.photos,
            },
            "timing_ms": timing.milliseconds(),
        }
        if looked_for.truncated:
            answer["truncated"] = True
        return answer

    def as_link(self, query: Query, timing: Timing) -> Query:
        """Return the same query with `picture` in place of `image`.

        Raises UnreadablePhoto, NoModel, DamagedObject, StorageError.
        """
        if query.image is None:
            return query
        with timing.phase("load"):
            model = self._keeper.model()
        vector = embedding.embedded(Query(image=query.image), model, timing).vector
        return replace(query, image=None, picture=as_picture(model.space, vector))

    def classify(self, images: list[bytes], labels: list[str], timing: Timing) -> dict[str, Any]:
        """Return the JSON of `/classify`, for one picture or several.

        Raises UnreadablePhoto, NoModel, DamagedObject, StorageError.
        """
        with timing.phase("load"):
            model = self._keeper.model()
        found, truncated = embedding.classified(images, labels, model, timing)
        rows: list[dict[str, Any]] = [{"labels": row} for row in found]
        answer = rows[0] if len(rows) == 1 else {"images": rows}
        return _described(model, answer, truncated, timing)

    def embed(self, query: Query, timing: Timing) -> dict[str, Any]:
        """Return the JSON of `/embed`.

        Raises UnreadablePhoto, NoModel, DamagedObject, StorageError.
        """
        with timing.phase("load"):
            model = self._keeper.model()
        found = embedding.embedded(query, model, timing)
        # nine digits represent a float32 exactly
        numbers = [float(f"{value:.9g}") for value in found.vector.tolist()]
        answer: dict[str, Any] = {"embedding": numbers, "dim": len(numbers)}
        if query.image is not None:
            answer["picture"] = as_picture(model.space, found.vector).text()
        return _described(model, answer, found.truncated, timing)

    def _results(self, hits: "list[Hit]", matches: Matches | None) -> list[dict[str, Any]]:
        names = [thumbnail_name(hit.name, hit.generation) for hit in hits]
        if self._signed is not None:
            addresses = self._signed.of(names)
        else:
            addresses = [f"{self._settings.thumbnails_url}/{name}" for name in names]
        return [
            {
                "name": hit.name,
                "url": f"{self._settings.photos_url}/{quote(hit.name)}",
                "thumbnail_url": address,
                "score": hit.score,
                "similarity": round(100 * hit.score, 4),
                "width": hit.width,
                "height": hit.height,
                **(matches.facts(hit.score) if matches else UNKNOWN),
            }
            for hit, address in zip(hits, addresses, strict=True)
        ]


def _signed_addresses(settings: Settings) -> "SignedAddresses | None":
    if not settings.sign_as:
        return None
    from search.engine.signing import SignedAddresses

    return SignedAddresses(settings.thumbnails, settings.sign_as)


def _described(
    model: Model, answer: dict[str, Any], truncated: bool, timing: Timing
) -> dict[str, Any]:
    """Add the model, its space and the times to `answer`."""
    answer |= {
        "space": model.space,
        "model": model.encoder.name,
        "timing_ms": timing.milliseconds(),
    }
    return answer | {"truncated": True} if truncated else answer


def _state_and_embedding(query: Query, model: Model, timing: Timing) -> tuple[State, Embedding]:
    """Return the index and the query vector.

    A cold start loads encoder and index at the same time. If both fail, raises the error of the
    index.
    """
    if query.like is not None:
        state = _indexed(model, timing)
        return state, Embedding(state.index.vector_of(query.like), False)
    if model.keeper.is_loaded:
        state = _indexed(model, timing)
        return state, embedding.embedded(query, model, timing)
    with ThreadPoolExecutor(1, "search-encoder") as beside:
        encoding = beside.submit(embedding.embedded, query, model, Timing())
        state = _indexed(model, timing)
        with timing.phase("load"):
            return state, encoding.result()


def _indexed(model: Model, timing: Timing) -> State:
    with timing.phase("load"):
        state = model.keeper.state()
    state.check()
    if not state.has_index:
        raise NotReady("an index of photos")
    return state


def _search(query: Query, looked_for: Embedding, state: State) -> tuple[list["Hit"], bool]:
    """Return (the hits of this page, whether another page follows).

    The photo of `like` is never among its own results.
    """
    cursor = query.cursor
    # one extra hit shows whether a page follows, another replaces the photo of `like`
    count = query.limit + 2 + (len(cursor.given) if cursor else 0)
    hits = state.index.search(looked_for.vector, count, cursor.after if cursor else None)
    others = [hit for hit in hits if hit.name != query.like]
    if cursor:
        others = [hit for hit in others if not cursor.has_given(hit.name)]
    return others[: query.limit], len(others) > query.limit


def _fingerprint(query: Query, space: str) -> bytes:
    image = None if query.image is None else hashlib.sha256(query.image).digest()
    picture = None if query.picture is None else query.picture.numbers
    return fingerprint(space, query.words, query.like, image, picture, query.min_match)
