"""What a budget of Cloud Billing says in a Pub/Sub message.

https://cloud.google.com/billing/docs/how-to/budgets-programmatic-notifications#notification_format
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from dataclasses import dataclass
from typing import Any

from clipsearch.text import shortened


class Malformed(Exception):
    """The message says nothing about a budget."""


@dataclass(frozen=True, slots=True)
class Spending:
    budget: str  # its display name
    cost: float  # since the beginning of the budget's period
    amount: float
    currency: str

    @property
    def is_used_up(self) -> bool:
        return self.cost >= self.amount


def parse_spending(data: Any) -> Spending:
    """Read the data of a CloudEvent google.cloud.pubsub.topic.v1.messagePublished.

    Raises Malformed, also for an amount of 0: a budget without an amount limits nothing.
    """
    try:
        text = base64.b64decode(data["message"]["data"], validate=True)
        said = json.loads(text)
    except (KeyError, TypeError, ValueError, binascii.Error) as exc:
        raise Malformed(f"the message has no JSON in message.data: {exc!r}") from exc
    if not isinstance(said, dict):
        raise Malformed(f"message.data is {shortened(json.dumps(said))}; it must be an object")
    cost, amount = _number(said, "costAmount"), _number(said, "budgetAmount")
    if amount <= 0:
        raise Malformed(f"budgetAmount is {amount:g}; it must be above 0")
    name, currency = said.get("budgetDisplayName"), said.get("currencyCode")
    return Spending(str(name or "without a name"), cost, amount, str(currency or ""))


def _number(said: dict[str, Any], name: str) -> float:
    value: Any = said.get(name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value):
        raise Malformed(f"{name} is {shortened(json.dumps(value))}; it must be a number")
    return float(value)
