"""Whether a photo matches a query: a threshold for each query, and a confidence from it.

A flat threshold of the cosine does not work: matches of "a car" have about 0.15, matches of "two
blue cats and a red car at night" 0.6. For a text the threshold follows from its vector, so it
works in a library of one photo, and in one where all photos match. The numbers are in model.json.
docs/models.md describes them, docs/benchmarks.md has the measurements.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

Match = Literal["good", "maybe", "none"]

DIGITS = 3  # of a confidence
GOOD, MAYBE = 0.5, 0.1  # the least confidence of a good match, and of a possible one

# The search for a gap between matches and others, in the products with the sample. Measured with
# `make bench-matching`.
STEPS = 21  # candidates
REACH = 2.5  # times `shift`, to each side
STEEPER = 1.5  # times the slope, so that only products next to the threshold count
COST = 1.0  # of products at the threshold, against a distance of one `shift`

# The defaults of a model that nobody fitted, in units of its logit scale.
ABOVE_NEUTRAL = 5.0
DEFAULT_PICTURE_SLOPE, DEFAULT_PICTURE = 25.0, 0.85


@dataclass(frozen=True, slots=True)
class Rule:
    """The numbers for texts, or those for pictures.

    The threshold of a query q is `offset` + `direction` @ q. Without `direction` (dim,), that of a
    text is `offset` above the mean product of neutral texts, and that of a picture is `offset`.
    `slope`: of the confidence at the threshold, per unit of the cosine. `shift`: how far, as a
    standard deviation, a gap in the library may move the threshold; 0: not at all.
    """

    slope: float
    offset: float
    shift: float = 0.0
    direction: tuple[float, ...] | None = None

    def threshold(self, query: Floats, sample: Floats, neutral: Floats | None = None) -> float:
        """The score from which a match is good.

        `query` (d,), `sample` (n, d): photos of the library. `neutral` (d,): the text_direction of
        the bundle; for texts only.
        """
        import numpy as np

        start = self.offset
        if self.direction is not None:
            start += float(np.asarray(self.direction) @ query)
        elif neutral is not None and len(sample):
            start += float((sample @ neutral).mean())
        if not self.shift or not len(sample):
            return start
        return self._at_a_gap(start, sample @ query)

    def _at_a_gap(self, start: float, products: Floats) -> float:
        """Move the threshold to where few of the `products` (n,) are, in relation to those above.

        That relation makes the result the same for libraries of any size.
        """
        import numpy as np

        slope, reach = STEEPER * self.slope, REACH * self.shift
        moves = np.linspace(-reach, reach, STEPS)
        margin = reach + 8 / slope  # beyond it, a product is above or below every candidate
        above = np.count_nonzero(products > start + margin)
        near = products[np.abs(products - start) <= margin]
        shares = 1 / (1 + np.exp(-slope * (near - start - moves[:, None])))
        undecided = (4 * shares * (1 - shares)).sum(1) / (above + shares.sum(1) + 1)
        costs = moves**2 / (2 * self.shift**2) + COST * undecided
        return start + float(moves[costs.argmin()])

    def confidence(self, score: float, threshold: float) -> float:
        """The probability that a photo with this score matches, to DIGITS digits."""
        steps = max(-40.0, min(40.0, self.slope * (score - threshold)))
        return round(1 / (1 + math.exp(-steps)), DIGITS)

    def score_of(self, confidence: float, threshold: float) -> float:
        """The least score with this confidence, from 0.001 to 1."""
        exact = confidence - 0.5 * 10**-DIGITS  # it is rounded up
        return threshold + math.log(exact / (1 - exact)) / self.slope


def match_of(confidence: float) -> Match:
    return "good" if confidence >= GOOD else "maybe" if confidence >= MAYBE else "none"


@dataclass(frozen=True, slots=True)
class Matching:
    """The rules of a model. `fitted`: to what; "" for the defaults, which nobody measured."""

    text: Rule
    picture: Rule
    fitted: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def default_matching(logit_scale: float) -> Matching:
    """For a model without known matches: a text's match is e^5 times as likely as neutral texts."""
    return Matching(
        text=Rule(slope=logit_scale, offset=ABOVE_NEUTRAL / logit_scale),
        picture=Rule(slope=DEFAULT_PICTURE_SLOPE, offset=DEFAULT_PICTURE),
    )


def parse_matching(value: Any, dimension: int) -> Matching | None:
    """The field of model.json; None for older bundles, which have none.

    Raises ValueError, KeyError, TypeError, AttributeError or OverflowError if it is invalid.
    """
    if value is None:
        return None
    return Matching(
        text=_rule(value["text"], dimension),
        picture=_rule(value["picture"], dimension),
        fitted=str(value["fitted"]),
    )


def _rule(value: Mapping[str, Any], dimension: int) -> Rule:
    direction = value.get("direction")
    rule = Rule(
        slope=float(value["slope"]),
        offset=float(value["offset"]),
        shift=float(value.get("shift", 0)),
        direction=None if direction is None else tuple(float(number) for number in direction),
    )
    numbers = (rule.slope, rule.offset, rule.shift, *(rule.direction or ()))
    if not all(math.isfinite(number) for number in numbers):
        raise ValueError("matching has a number that is not finite")
    if rule.slope <= 0 or rule.shift < 0:
        raise ValueError(f"matching: slope {rule.slope}, shift {rule.shift}; must be > 0 and >= 0")
    if rule.direction is not None and len(rule.direction) != dimension:
        raise ValueError(f"matching: direction has {len(rule.direction)} numbers, not {dimension}")
    return rule
