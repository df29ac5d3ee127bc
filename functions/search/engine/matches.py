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
    """Judges the results of one query. `threshold`: the score from which a match is good."""

    rule: Rule
    threshold: float
    vector: "NDArray[np.float32]"
    index: "PhotoIndex"

    def facts(self, score: float) -> dict[str, Any]:
        """The fields of a result: match and confidence."""
        confidence = self.rule.confidence(score, self.threshold)
        match: Match = match_of(confidence)
        return {"match": match, "confidence": confidence}

    def least(self, hits: "Sequence[Hit]", match: str) -> "list[Hit]":
        """The hits with at least this match: LEAST."""
        rule, wanted = self.rule, LEAST[match]
        return [hit for hit in hits if rule.confidence(hit.score, self.threshold) >= wanted]

    def count(self, hits: "Sequence[Hit]", photos: int, like: str | None) -> dict[str, Any]:
        """The field `matches`. `hits`: the first page. `photos`: of the library."""
        good = len(self.least(hits, "good"))
        if good < len(hits) or len(hits) >= photos - (like is not None):
            return {"count": good, "estimated": False}
        sample = self.index.sample @ self.vector
        share = float((sample >= self.threshold).mean())
        if len(sample) >= photos:
            return {"count": round(share * photos) - (like is not None), "estimated": False}
        top = self.index.search(self.vector, COUNTED + 1)
        good = len(self.least([hit for hit in top if hit.name != like], "good"))
        if good < COUNTED:
            return {"count": good, "estimated": False}
        return {"count": max(good, round(share * photos)), "estimated": True}


def matches_of(
    query: Query, model: Model, vector: "NDArray[np.float32]", index: "PhotoIndex"
) -> Matches | None:
    """None if the model has no numbers for this, or if words and picture are combined.

    Raises BadQuery if the query needs them for `min_match`.
    """
    bundle = model.encoder.bundle
    has_picture = query.image is not None or query.picture is not None or query.like is not None
    if bundle.matching is None or (has_picture and query.words is not None):
        if query.min_match is not None:
            raise BadQuery(_reason(bundle.matching is not None))
        return None
    rule = bundle.matching.picture if has_picture else bundle.matching.text
    neutral = None
    if not has_picture and bundle.text_direction is not None:
        import numpy as np

        neutral = np.array(bundle.text_direction, np.float32)
    return Matches(rule, rule.threshold(vector, index.sample, neutral), vector, index)


def _reason(is_combined: bool) -> str:
    if is_combined:
        return "min_match works for words or for a picture, not for both together; leave it out"
    return "min_match does not work with this model; leave it out, or export the model again"
