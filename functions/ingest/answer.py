"""The result of an event, for its log line."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """`outcome` is one of: indexed, failed, skipped, gone, removed, done, refused, given up, error.

    `detail` is for people, `facts` are more fields of the log line, `level` is that of `logging`.
    """

    outcome: str
    detail: str
    level: int = logging.INFO
    facts: Mapping[str, Any] = field(default_factory=dict)
