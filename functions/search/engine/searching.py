"""Finds the page of photos for a query of one term or several.

Imported on the first search, not with main.py (see search.engine.state).
"""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clipsearch.errors import NotReady
from search.engine import embedding
from search.engine.cursor import cursor_behind, encode_cursor, fingerprint
from search.engine.errors import BadQuery
from search.engine.model import Embedding, Model
from search.engine.query import Query, Term
from search.engine.state import State
from search.engine.timing import Timing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from clipsearch.index.search.combination import Combination
    from clipsearch.index.search.photo_index import Hit


@dataclass(frozen=True)
class Page:
    """`scores`: one for each hit; the cosine if the query has one term, else standardised."""

    hits: "list[Hit]"
    scores: list[float]
    next_cursor: str | None

    def first(self, count: int) -> "Page":
        """The first hits of the page. If any are cut off, no page follows."""
        if count == len(self.hits):
            return self
        return Page(self.hits[:count], self.scores[:count], None)


def fingerprint_of(query: Query, model: Model) -> bytes:
    """Identifies the terms with their weights, min_match and the model.

    The weight of one term is no part.
    """
    terms = query.terms
    parts: list[str | bytes | None] = [model.space]
    if query.min_match is not None:
        parts.append(query.min_match)
    for term in terms:
        weight = () if len(terms) == 1 else (repr(float(term.weight)),)
        parts += [*weight, term.text, term.like, *_pictures(term)]
    # models of one space may differ in their text template, which changes the order of results
    template = model.encoder.bundle.variant.text_template
    if template is not None and any(term.text is not None for term in terms):
        parts.append(template)
    return fingerprint(*parts)


def _pictures(term: Term) -> tuple[bytes | None, bytes | None]:
    image = None if term.image is None else hashlib.sha256(term.image).digest()
    return image, None if term.picture is None else term.picture.numbers


def state_and_embeddings(
    query: Query, model: Model, timing: Timing
) -> tuple[State, list[Embedding]]:
    """Return the index and the vector of each term.

    A cold start loads encoder and index at the same time. If both fail, raises the error of the
    index.
    """

    def encoded(timing: Timing) -> list[Embedding | None]:
        return [
            None if term.like is not None else embedding.embedded(term, model, timing)
            for term in query.terms
        ]

    if model.keeper.is_loaded or all(term.like is not None for term in query.terms):
        state = _indexed(model, timing)
        found = encoded(timing)
    else:
        with ThreadPoolExecutor(1, "search-encoder") as beside:
            encoding = beside.submit(encoded, Timing())
            state = _indexed(model, timing)
            with timing.phase("load"):
                found = encoding.result()
    return state, [
        one or Embedding(state.index.vector_of(term.like or ""), False)
        for term, one in zip(query.terms, found, strict=True)
    ]


def _indexed(model: Model, timing: Timing) -> State:
    with timing.phase("load"):
        state = model.keeper.state()
    state.check()
    if not state.has_index:
        raise NotReady("an index of photos")
    return state


def page_of(query: Query, vectors: "list[NDArray[np.float32]]", state: State, mark: bytes) -> Page:
    """`vectors`: one (D,) for each term. `mark`: fingerprint_of(query).

    The photos of `like` are never among the results. Raises BadQuery.
    """
    cursor = query.cursor
    terms = None if len(vectors) == 1 else _combined(query, vectors, state)
    named = {term.like for term in query.terms if term.like is not None}
    # one extra hit shows whether a page follows, others replace the photos of `like`
    count = query.limit + 1 + max(1, len(named)) + (len(cursor.given) if cursor else 0)
    after = cursor.after if cursor else None
    hits = state.index.search(vectors[0] if terms is None else terms, count, after)
    others = [hit for hit in hits if hit.name not in named]
    if cursor:
        others = [hit for hit in others if not cursor.has_given(hit.name)]
    hits = others[: query.limit]
    next_cursor = None
    if len(others) > query.limit:
        given = [(hit.score, hit.name) for hit in hits]
        balances = () if terms is None else terms.balances
        next_cursor = encode_cursor(cursor_behind(given, cursor, mark, balances))
    scores = [hit.score if terms is None else terms.value(hit.score) for hit in hits]
    return Page(hits, scores, next_cursor)


def _combined(query: Query, vectors: "list[NDArray[np.float32]]", state: State) -> "Combination":
    import numpy as np

    balances = query.cursor.balances if query.cursor else ()
    if query.cursor and len(balances) != len(vectors):
        raise BadQuery("cursor is incomplete; use the next_cursor of the previous page")
    weights = [term.weight for term in query.terms]
    return state.index.combination(np.stack(vectors), weights, balances)
