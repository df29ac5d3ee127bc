"""Answers the requests of the HTTP API, without HTTP itself.

Imported on the first search, not with main.py (see search.engine.state).
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from clipsearch.errors import RowsLost
from clipsearch.settings import Settings
from clipsearch.storage import open_bucket
from search.engine import embedding
from search.engine.asked import Asked, asked_of
from search.engine.by_date import page_by_date
from search.engine.errors import detail_of
from search.engine.facets import facets_of
from search.engine.fingerprint import checked_fingerprint
from search.engine.model import Model, ModelKeeper
from search.engine.page import Page
from search.engine.picture import as_picture
from search.engine.query import RELEVANCE, Query, Term
from search.engine.results import Results
from search.engine.searching import page_by_relevance
from search.engine.timing import Timing

if TYPE_CHECKING:
    from search.engine.status import StatusReader


log = logging.getLogger("clipsearch")

T = TypeVar("T")


class Service:
    """Answers requests. Safe to use from several threads.

    Each answer comes from one Model, and so from one space.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._keeper = ModelKeeper(settings)
        self._status: StatusReader | None = None
        self._results = Results(settings)

    def status(self) -> dict[str, Any]:
        model = self._keeper.model()
        model.keeper.state()
        from search.engine.status import StatusReader  # imports numpy: only after the state did

        reader = self._status = self._status or StatusReader(open_bucket(self._settings.index))
        status = _with_rows(model, lambda: reader.status(model.keeper.state()))
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
        mark = checked_fingerprint(query, model)

        def paged() -> tuple[Asked, Page]:
            asked = asked_of(query, model, timing)
            with timing.phase("search"):
                is_by_date = query.order != RELEVANCE
                return asked, (page_by_date if is_by_date else page_by_relevance)(asked, mark)

        asked, page = _with_rows(model, paged)
        with timing.phase("search"):
            results = self._results.of(asked, page)
        answer: dict[str, Any] = {
            "results": results,
            "next_cursor": page.next_cursor,
            "matches": page.matches,
            "total": page.total,
            "index": _index(asked, model),
            "timing_ms": timing.milliseconds(),
        }
        if page.is_incomplete:
            answer["incomplete"] = True
        return answer | {"truncated": True} if asked.truncated else answer

    def facets(self, query: Query, timing: Timing) -> dict[str, Any]:
        """Return the JSON of `GET /facets`. Raises what `answer` raises."""
        query = replace(query, cursor=None)
        with timing.phase("load"):
            model = self._keeper.model()

        def counted() -> tuple[Asked, dict[str, Any]]:
            asked = asked_of(query, model, timing)
            with timing.phase("search"):
                return asked, facets_of(asked)

        asked, facets = _with_rows(model, counted)
        return {**facets, "index": _index(asked, model), "timing_ms": timing.milliseconds()}

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


def _with_rows(model: Model, search: Callable[[], T]) -> T:
    """Call `search`, and once more if it needs rows of packs that a newer index has elsewhere."""
    try:
        return search()
    except RowsLost as lost:
        log.warning("the index is read again: %s", lost)
        model.keeper.renew()
        return search()


def _index(asked: Asked, model: Model) -> dict[str, Any]:
    snapshot, most = asked.state.snapshot, asked.index.most_compared
    index = {
        "model": model.encoder.name,
        "space": model.space,
        "commit": snapshot.commit,
        "photos": snapshot.photos,
    }
    return index if most is None else index | {"most_compared": most}


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
