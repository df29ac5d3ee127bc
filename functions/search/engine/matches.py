"""How well results match the query, and how many photos of the library do.

Imported on the first search, not with main.py.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clipsearch.matching import GOOD, MAYBE, Match, Rule, match_of
from search.engine.errors import BadQuery
from search.engine.model import Model
from search.engine.query import Query
from search.engine.state import State

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from clipsearch.index.search.filter import Filter
    from clipsearch.index.search.hits import Hit

# Up to so many matches are counted, and not estimated, in a library larger than the sample.
COUNTED = 1000

UNKNOWN = {"match": None, "confidence": None}  # the fields of a result that cannot be judged
LEAST: dict[str, float] = {"good": GOOD, "maybe": MAYBE}


@dataclass(frozen=True, eq=False)
class Matches:
    """Judges the results of a query of one term.

    `threshold`: the score from which a match is good. `filter`: which photos count. `like`: the
    photo that is no result.
    """

    rule: Rule
    threshold: float
    vector: "NDArray[np.float32]"
    state: State
    filter: "Filter"
    like: str | None = None

    def facts(self, score: float) -> dict[str, Any]:
        """The fields of a result: match and confidence."""
        confidence = self.rule.confidence(score, self.threshold)
        match: Match = match_of(confidence)
        return {"match": match, "confidence": confidence}

    def least(self, hits: "Sequence[Hit]", match: str) -> "list[Hit]":
        """Those of `hits`, best first, with at least this match: LEAST."""

        def doubt(hit: "Hit") -> float:  # grows along the list
            return -self.rule.confidence(hit.score, self.threshold)

        return list(hits[: bisect_right(hits, -LEAST[match], key=doubt)])

    def least_score(self, match: str) -> float:
        """The score from which photos have at least this match: LEAST."""
        return self.rule.score_of(LEAST[match], self.threshold)

    def count(self, hits: "Sequence[Hit]", is_whole: bool) -> dict[str, Any]:
        """The field `matches`. `hits`: the first page. `is_whole`: no page follows."""
        good = len(self.least(hits, "good"))
        index = self.state.index
        has_all = index.compares_all(self.filter)
        if good < len(hits) or (is_whole and has_all):
            return counted(good)
        top = index.search(self.vector, COUNTED + 1, filter=self.filter)
        others = top if self.like is None else [hit for hit in top if hit.name != self.like]
        good = len(self.least(others, "good"))
        # Where all that a search finds are good, more may be.
        if good < COUNTED and (has_all or good < len(others)):
            return counted(good)
        return self._of_many(good, len(top) - len(others))

    def _of_many(self, at_least: int, likes: int) -> dict[str, Any]:
        """`likes`: how many photos that fit the filter are no results."""
        index, photos = self.state.index, self.state.snapshot.photos
        if not self.filter.is_all:  # the sample is of the whole library
            matching = index.matching(self.vector, self.least_score("good"), self.filter)
            return counted(len(matching) - likes, matching.is_cut)
        sample = index.sample @ self.vector
        count = round(float((sample >= self.threshold).mean()) * photos)
        if len(sample) >= photos and index.compares_all():  # the sample is all of them
            return counted(count - likes)
        return {"count": max(at_least, count), "estimated": True}


def counted(count: int, is_cut: bool = False) -> dict[str, Any]:
    """The field `matches` for photos that were found. `is_cut`: more may match."""
    matches = {"count": count, "estimated": is_cut}
    return matches | {"at_least": True} if is_cut else matches


def matches_of(
    query: Query,
    model: Model,
    vectors: "Sequence[NDArray[np.float32]]",
    state: State,
    filter: "Filter",
) -> Matches | None:
    """`vectors`: one (D,) for each term. None unless there is one, and the model has the numbers.

    Raises BadQuery if the query needs them for `min_match`.
    """
    bundle = model.encoder.bundle
    if bundle.matching is None or len(vectors) != 1:
        if query.min_match is not None:
            raise BadQuery(_reason(len(vectors) > 1))
        return None
    [term], [vector] = query.terms, vectors
    is_text = term.text is not None
    rule = bundle.matching.text if is_text else bundle.matching.picture
    neutral = None
    if is_text and bundle.text_direction is not None:
        import numpy as np

        neutral = np.array(bundle.text_direction, np.float32)
    limit = rule.threshold(vector, state.index.sample, neutral)
    return Matches(rule, limit, vector, state, filter, like=term.like)


def _reason(is_combined: bool) -> str:
    if is_combined:
        return "min_match works for one term, not for several; leave it out"
    return "min_match does not work with this model; leave it out, or export the model again"
