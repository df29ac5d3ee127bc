"""Answers the requests of the HTTP API, without HTTP itself.

Imported on the first search, not with main.py (see search.engine.state).
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from clipsearch.images.thumbnails import THUMBNAIL, thumbnail_name
from clipsearch.settings import Settings
from clipsearch.storage import open_bucket
from search.engine import embedding
from search.engine.errors import BadQuery, detail_of
from search.engine.matches import UNKNOWN, Matches, matches_of
from search.engine.model import Model, ModelKeeper
from search.engine.picture import as_picture
from search.engine.query import Query, Term
from search.engine.searching import Page, fingerprint_of, page_of, state_and_embeddings
from search.engine.timing import Timing

if TYPE_CHECKING:
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
        mark = fingerprint_of(query, model)
        if query.cursor is not None and query.cursor.fingerprint != mark:
            raise BadQuery(
                "cursor belongs to another query or to an earlier model; search again without it"
            )
        state, found = state_and_embeddings(query, model, timing)
        with timing.phase("search"):
            vectors = [one.vector for one in found]
            page = page_of(query, vectors, state, mark)
            matches = matches_of(query, model, vectors, state.index)
            counted = None
            if matches and query.cursor is None:
                counted = matches.count(page.hits, state.snapshot.photos)
            if matches and query.min_match:
                page = page.first(len(matches.least(page.hits, query.min_match)))
            results = self._results(page, matches, is_cosine=len(found) == 1)
        answer: dict[str, Any] = {
            "results": results,
            "next_cursor": page.next_cursor,
            "matches": counted,
            "index": {
                "model": model.encoder.name,
                "space": model.space,
                "commit": state.snapshot.commit,
                "photos": state.snapshot.photos,
            },
            "timing_ms": timing.milliseconds(),
        }
        if any(one.truncated for one in found):
            answer["truncated"] = True
        return answer

    def as_link(self, query: Query, timing: Timing) -> Query:
        """Return the same query with `picture` in place of each `image`.

        Raises UnreadablePhoto, NoModel, DamagedObject, StorageError.
        """
        if not query.has_image:
            return query
        with timing.phase("load"):
            model = self._keeper.model()
        return replace(query, terms=tuple(_as_link(t, model, timing) for t in query.terms))

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

    def embed(self, term: Term, timing: Timing) -> dict[str, Any]:
        """Return the JSON of `/embed`.

        Raises UnreadablePhoto, NoModel, DamagedObject, StorageError.
        """
        with timing.phase("load"):
            model = self._keeper.model()
        found = embedding.embedded(term, model, timing)
        # nine digits represent a float32 exactly
        numbers = [float(f"{value:.9g}") for value in found.vector.tolist()]
        answer: dict[str, Any] = {"embedding": numbers, "dim": len(numbers)}
        if term.image is not None:
            answer["picture"] = as_picture(model.space, found.vector).text()
        return _described(model, answer, found.truncated, timing)

    def _results(
        self, page: Page, matches: Matches | None, is_cosine: bool
    ) -> list[dict[str, Any]]:
        names = [thumbnail_name(hit.name, hit.generation, THUMBNAIL) for hit in page.hits]
        if self._signed is not None:
            addresses = self._signed.of(names)
        else:
            addresses = [f"{self._settings.thumbnails_url}/{name}" for name in names]
        return [
            {
                "name": hit.name,
                "url": f"{self._settings.photos_url}/{quote(hit.name)}",
                "thumbnail_url": address,
                "score": score,
                "similarity": round(100 * score, 4) if is_cosine else None,
                "width": hit.width,
                "height": hit.height,
                **(matches.facts(hit.score) if matches else UNKNOWN),
            }
            for hit, score, address in zip(page.hits, page.scores, addresses, strict=True)
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


def _as_link(term: Term, model: Model, timing: Timing) -> Term:
    if term.image is None:
        return term
    vector = embedding.embedded(term, model, timing).vector
    return replace(term, image=None, picture=as_picture(model.space, vector))
