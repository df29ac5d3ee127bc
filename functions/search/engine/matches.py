"""How well results match the query, and how many photos of the library do.

Imported on the first search, not with main.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clipsearch.matching import GOOD, MAYBE, Match, Rule, match_of
from search.engine.errors import BadQuery
from search.engine.model import Model
from search.engine.query import Query

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from clipsearch.index.search.photo_index import Hit, PhotoIndex

# Up to so many matches are counted, and not estimated, in a library larger than the sample.
COUNTED = 1000

UNKNOWN = {"match": None, "confidence": None}  # the fields of a result that cannot be judged
LEAST: dict[str, float] = {"good": GOOD, "maybe": MAYBE}


@dataclass(frozen=True, eq=False)
class Matches:
    """Judges the results of a query of one term.

    `threshold`: the score from which a match is good. `like`: the photo that is no result.
    """

    rule: Rule
    threshold: float
    vector: "NDArray[np.float32]"
    index: "PhotoIndex"
    like: str | None = None

    def facts(self, score: float) -> dict[str, Any]:
        """The fields of a result: match and confidence."""
        confidence = self.rule.confidence(score, self.threshold)
        match: Match = match_of(confidence)
        return {"match": match, "confidence": confidence}

    def least(self, hits: "Sequence[Hit]", match: str) -> "list[Hit]":
        """The hits with at least this match: LEAST."""
        rule, wanted = self.rule, LEAST[match]
        return [hit for hit in hits if rule.confidence(hit.score, self.threshold) >= wanted]

    def count(self, hits: "Sequence[Hit]", photos: int) -> dict[str, Any]:
        """The field `matches`. `hits`: the first page. `photos`: of the library."""
        good = len(self.least(hits, "good"))
        if good < len(hits) or len(hits) >= photos - (self.like is not None):
            return {"count": good, "estimated": False}
        sample = self.index.sample @ self.vector
        share = float((sample >= self.threshold).mean())
        if len(sample) >= photos:
            return {"count": round(share * photos) - (self.like is not None), "estimated": False}
        top = self.index.search(self.vector, COUNTED + 1)
        good = len(self.least([hit for hit in top if hit.name != self.like], "good"))
        if good < COUNTED:
            return {"count": good, "estimated": False}
        return {"count": max(good, round(share * photos)), "estimated": True}


def matches_of(
    query: Query, model: Model, vectors: "Sequence[NDArray[np.float32]]", index: "PhotoIndex"
) -> Matches | None:
    """`vectors`: one (D,) for each term. None if there are several, or no numbers in the model.

    Raises BadQuery if the query needs them for `min_match`.
    """
    bundle = model.encoder.bundle
    if bundle.matching is None or len(vectors) > 1:
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
    limit = rule.threshold(vector, index.sample, neutral)
    return Matches(rule, limit, vector, index, like=term.like)


def _reason(is_combined: bool) -> str:
    if is_combined:
        return "min_match works for one term, not for several; leave it out"
    return "min_match does not work with this model; leave it out, or export the model again"
