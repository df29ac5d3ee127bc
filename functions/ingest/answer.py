"""What became of an event, for its log line."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """`outcome` is one of few, to be counted: indexed, failed, skipped, gone, removed, done,
    refused, given up, error. `detail` says it in words; `facts` are what else the line has."""

    outcome: str
    detail: str
    level: int = logging.INFO
    facts: Mapping[str, Any] = field(default_factory=dict)
