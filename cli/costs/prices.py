"""List prices of Google Cloud in us-central1, in US dollars, before free allowances."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Price:
    usd: float
    per: str  # the unit
    source: str  # a URL
    checked: str  # when somebody last compared it with the source, or "no"


PRICES = {
    name: Price(**price)
    for name, price in json.loads(
        Path(__file__).with_name("prices.json").read_text(encoding="utf-8")
    ).items()
}


def usd(name: str) -> float:
    return PRICES[name].usd
