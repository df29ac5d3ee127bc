"""A query in one state of the index: what all its answers need.

Imported on the first search, not with main.py (see search.engine.state).
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from clipsearch.errors import NotReady
from search.engine import embedding
from search.engine.errors import BadQuery
from search.engine.matches import Matches, matches_of
from search.engine.model import Embedding, Model
from search.engine.query import Query
from search.engine.state import State
from search.engine.timing import Timing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from clipsearch.engine.union import Union
    from clipsearch.index.search.combination import Combination
    from clipsearch.index.search.filter import Filter
    from clipsearch.index.search.photo_index import PhotoIndex


@dataclass(frozen=True, eq=False)
class Asked:
    """`vectors`: one (D,) for each term. `matches`: None where they are unknown."""

    query: Query
    state: State
    vectors: "list[NDArray[np.float32]]"
    filter: "Filter"
    matches: Matches | None
    truncated: bool

    @property
    def index(self) -> "PhotoIndex | Union":
        return self.state.index

    @cached_property
    def combination(self) -> "Combination | None":
        """Several terms as one. Raises BadQuery for a cursor without their balances."""
        import numpy as np

        if len(self.vectors) < 2:
            return None
        cursor = self.query.cursor
        balances = cursor.balances if cursor else ()
        if cursor and len(balances) != len(self.vectors):
            raise BadQuery("cursor is incomplete; use the next_cursor of the previous page")
        weights = [term.weight for term in self.query.terms]
        return self.index.combination(np.stack(self.vectors), weights, balances)

    @property
    def wanted(self) -> "NDArray[np.float32] | Combination":
        """What to search for. There must be a term."""
        return self.combination or self.vectors[0]


def asked_of(query: Query, model: Model, timing: Timing) -> Asked:
    """Load what is missing and encode the terms.

    Raises BadQuery, PhotoNotIndexed, UnreadablePhoto, NotReady, DamagedObject, StorageError.
    """
    state, found = _state_and_embeddings(query, model, timing)
    with timing.phase("search"):
        vectors = [one.vector for one in found]
        filter = query.criteria.filter()
        _refuse(state.index.refused(filter))
        return Asked(
            query=query,
            state=state,
            vectors=vectors,
            filter=filter,
            matches=matches_of(query, model, vectors, state, filter),
            truncated=any(one.truncated for one in found),
        )


def _state_and_embeddings(
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


def _refuse(criteria: list[str]) -> None:
    """Raises BadQuery for criteria that this index has no columns for."""
    if criteria:
        names = " and ".join(criteria)
        raise BadQuery(
            f"this deployment cannot filter by {names}, because its photos are in an engine for "
            "many photos; leave it out"
        )
