"""Whether confidences are what they say: of those with 0.8, 80 % must be right."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

BINS = 10


@dataclass(frozen=True)
class Bin:
    """`count` confidences: their mean, and the share that was right."""

    confidence: float
    right: float
    count: int


@dataclass(frozen=True)
class Calibration:
    """`error`: the expected calibration error, the mean distance of the two in a bin."""

    error: float
    bins: list[Bin]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def calibration(confidences: Any, right: Any) -> Calibration:
    """`confidences` (m,) from 0 to 1, `right` (m,) bool."""
    place = np.minimum((confidences * BINS).astype(int), BINS - 1)
    bins = [
        Bin(float(confidences[here].mean()), float(right[here].mean()), int(here.sum()))
        for here in (place == number for number in range(BINS))
        if here.any()
    ]
    total = max(1, len(confidences))
    error = sum(abs(b.confidence - b.right) * b.count for b in bins) / total
    return Calibration(float(error), bins)
